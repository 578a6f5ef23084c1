import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import leaks


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Iterator[leaks.Snapshot]:
    monkeypatch.setattr(leaks, "GRACE_S", 0.1)
    before = leaks.snapshot()
    yield before
    leaks.end_processes(before)


def test_leaks_is_empty_when_everything_was_given_back(before: leaks.Snapshot) -> None:
    subprocess.run(["true"], check=True)
    Path("/dev/null").read_bytes()
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()

    assert leaks.leaks(before) == []


def test_leaks_names_an_open_descriptor(before: leaks.Snapshot) -> None:
    fd = os.open("/dev/zero", os.O_RDONLY)

    assert leaks.leaks(before) == [f"descriptor {fd} (/dev/zero)"]

    os.close(fd)


def test_leaks_names_a_thread_that_runs(before: leaks.Snapshot) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="a forgotten one")
    thread.start()

    assert leaks.leaks(before) == [f"thread {thread.native_id} (a forgotten one)"]

    done.set()
    thread.join()


def test_leaks_names_a_running_child_and_end_processes_ends_it(before: leaks.Snapshot) -> None:
    child = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60")

    assert leaks.leaks(before) == [f"process {child} (sleep 60)"]

    leaks.end_processes(before)
    assert leaks.leaks(before) == []


def test_leaks_names_a_child_nobody_waited_for(before: leaks.Snapshot) -> None:
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

    assert leaks.leaks(before) == [f"process {child} (ended, not waited for)"]


def test_leaks_names_an_orphan_in_a_session_of_its_own(before: leaks.Snapshot) -> None:
    shell = ["sh", "-c", "setsid sleep 60 >/dev/null & echo $!"]
    orphan = subprocess.run(shell, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    [leak] = leaks.leaks(before)
    assert leak.startswith(f"process {orphan} (")

    leaks.end_processes(before)
    assert leaks.leaks(before) == []


def test_leaks_waits_for_a_thread_that_is_about_to_end(before: leaks.Snapshot) -> None:
    threading.Timer(0.02, int).start()

    assert leaks.leaks(before) == []
