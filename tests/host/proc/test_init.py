"""Pid 1 without a supervisor below it: what each end of its child makes it do."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.e2e.namespace import unshare

LIVES = textwrap.dedent(
    """
    # A supervisor that lives several lives, each with another end.
    import os, signal, sys
    from pathlib import Path
    from supervisor.host.proc import init
    from supervisor.model import sysexits

    init.FIRST_DELAY_S = 0.01
    lives = Path(sys.argv[1])

    def supervise():
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        lives.write_text(lives.read_text() + "|")
        match len(lives.read_text()):
            case 1:
                raise RuntimeError("a bug")
            case 2:
                os.kill(os.getpid(), signal.SIGSEGV)
            case 3:
                return sysexits.EXIT_DETACHED
            case _:
                return 5

    sys.exit(init.watch_over(supervise))
    """
)


SHORT = textwrap.dedent(
    """
    # A machine that has no process to give for a while.
    import errno, os, signal, sys
    from supervisor.host.proc import init

    init.FIRST_DELAY_S = 0.01
    refusals, fork = int(sys.argv[1]), os.fork

    def short():
        global refusals
        if refusals == 0:
            return fork()
        refusals -= 1
        if refusals == 10:
            os.kill(os.getpid(), signal.SIGTERM)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    os.fork = short
    sys.exit(init.watch_over(lambda: 5))
    """
)


@pytest.mark.parametrize(("refusals", "status"), [(2, 5), (13, 128 + 15)], ids=["over", "told to end"])
def test_first_process_waits_for_a_process_to_spare(refusals: int, status: int) -> None:
    if (words := unshare()) is None:
        pytest.skip("no PID namespace can be made here: unshare is missing or refused")
    program = [*words, sys.executable, "-I", "-c", SHORT, str(refusals)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    assert "it cannot be started now: Resource temporarily unavailable" in done.stderr


def test_supervisor_that_fails_is_started_again_until_it_exits(tmp_path: Path) -> None:
    if (words := unshare()) is None:
        pytest.skip("no PID namespace can be made here: unshare is missing or refused")
    lives = tmp_path / "lives"
    lives.touch()

    done = subprocess.run(
        [*words, sys.executable, "-I", "-c", LIVES, lives],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 5
    assert lives.read_text() == "||||"
    assert "RuntimeError: a bug" in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("supervisor: ")]
    assert said == [
        "supervisor: the supervisor is started again in 0.01 s, since it met a bug; what it ran goes on",
        "supervisor: the supervisor is started again in 0.02 s, since signal 11 ended it; what it ran goes on",
    ]
