import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import Cancelled


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(str(tmp_path))


def test_a_program_runs_in_the_workspace_with_its_input_and_variables(job: Job, tmp_path: Path) -> None:
    script = 'pwd; cat; echo "$SAID" >&2; exit 7'

    done = job.run(["sh", "-c", script], stdin=b"in\n", environ={"SAID": "hello"})

    assert (done.status, done.stderr) == (7, b"hello\n")
    assert done.stdout == os.fsencode(tmp_path.resolve()) + b"\nin\n"


def test_a_variable_can_be_taken_away(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAID", "hello")

    done = job.run(["sh", "-c", 'echo "${SAID-nothing}"'], environ={"SAID": None})

    assert done.stdout == b"nothing\n"


def test_much_input_and_output_and_complaints_do_not_block_each_other(job: Job) -> None:
    data = os.urandom(1 << 20)

    done = job.run(["sh", "-c", "tee /dev/stderr"], stdin=data)

    assert (done.status, done.stdout, done.stderr) == (0, data, data)


def test_a_program_that_is_not_there_is_an_error(job: Job) -> None:
    with pytest.raises(FileNotFoundError):
        job.run(["no-such-program"])


def test_a_cancelled_job_ends_its_programs_and_their_children(job: Job) -> None:
    canceller = threading.Thread(target=_cancel_once_running, args=(job,))
    canceller.start()
    began = time.monotonic()

    with pytest.raises(Cancelled):
        job.run(["sh", "-c", "sleep 600 & touch running; wait"])

    canceller.join()
    assert time.monotonic() - began < 30
    with pytest.raises(Cancelled):
        job.check()


def _cancel_once_running(job: Job) -> None:
    deadline = time.monotonic() + 30
    while not os.path.exists(f"{job.workspace}/running") and time.monotonic() < deadline:
        time.sleep(0.005)
    job.cancel()


def test_a_cancelled_job_starts_nothing(job: Job, tmp_path: Path) -> None:
    job.cancel()

    with pytest.raises(Cancelled):
        job.run(["touch", "ran"])

    assert not (tmp_path / "ran").exists()


def test_who_waits_for_something_else_is_called_on_cancellation(job: Job) -> None:
    called: list[str] = []
    job.on_cancel(lambda: called.append("early"))

    job.cancel()
    job.cancel()
    job.on_cancel(lambda: called.append("late"))

    assert called == ["early", "late"]


def test_a_program_whose_output_nobody_wants_any_more_is_killed(job: Job) -> None:
    with job.process(["yes"]) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"y\ny\n"

    assert process.returncode in (-9, -13)  # SIGKILL, or SIGPIPE before it


def test_a_program_may_get_its_input_bit_by_bit(job: Job) -> None:
    with job.process(["cat"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            process.stdin.flush()
            assert process.stdout.readline() == word
