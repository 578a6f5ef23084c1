"""Processes told apart, and never a stranger hit."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.host.proc import process, process_signals, process_tree
from supervisor.host.proc.process import ProcRef

ROOT = Path(__file__).parents[3]

Process = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Process]:
    with subprocess.Popen(
        ["sleep", "60"], start_new_session=True, env=os.environ | {"SUPERVISOR_RUN_ID": "mine"}
    ) as process:
        yield process
        process.kill()


def ref(process: Process) -> ProcRef:
    (found,) = process_tree.census({"mine": None})["mine"]
    assert found.pid == process.pid
    return found


def test_a_process_is_found_by_marker_and_by_session(sleeper: Process) -> None:
    found = ref(sleeper)
    assert process_tree.census({"other": None, "by session": found}) == {"other": [], "by session": [found]}


def test_a_reused_pid_is_another_process(sleeper: Process) -> None:
    found = ref(sleeper)
    earlier = ProcRef(found.pid, found.start_ticks - 1)
    assert not process.alive(earlier)
    assert process.pidfd(earlier) is None
    assert process_tree.census({"earlier": earlier}) == {"earlier": []}
    process_signals.kill([earlier])
    process_signals.terminate([earlier])
    assert process.alive(found)


def test_a_reused_pid_is_spared_without_pidfds_too(sleeper: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    found = ref(sleeper)
    process_signals.kill([ProcRef(found.pid, found.start_ticks - 1)])
    assert process.alive(found)
    process_signals.kill([found])
    assert sleeper.wait() == -signal.SIGKILL


def test_a_zombie_does_not_count(sleeper: Process) -> None:
    found = ref(sleeper)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive(found)
    assert process.is_zombie_of(found, os.getpid())
    assert process_tree.census({"mine": found}) == {"mine": []}


def test_a_process_whose_main_thread_ended_counts(tmp_path: Path) -> None:
    script = """
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"SUPERVISOR_RUN_ID": "mine"},
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        started = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[19]
        found = ProcRef(running.pid, int(started))
        while Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            pass
        try:
            assert process.alive(found)
            assert process_tree.census({"mine": found}) == {"mine": [found]}
        finally:
            running.kill()


def test_a_child_that_overwrote_its_environment_belongs_to_its_parents_run() -> None:
    # The child has another session and no marker; its parent has the marker.
    script = "env -u SUPERVISOR_RUN_ID setsid -w sleep 60 & wait"
    with subprocess.Popen(["bash", "-c", script], env=os.environ | {"SUPERVISOR_RUN_ID": "mine"}) as process:
        try:
            while len(process_tree.census({"mine": None})["mine"]) < 2:
                pass
            found = process_tree.census({"mine": None})["mine"]
            assert process.pid in [member.pid for member in found]
        finally:
            process_signals.kill(process_tree.census({"mine": None})["mine"])


def test_a_name_cannot_pose_as_a_field(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 1 1"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"], env=os.environ | {"SUPERVISOR_RUN_ID": "mine"}) as running:
        assert process.alive(ref(running))
        running.kill()


def test_a_shell_is_told_before_its_command_whatever_their_pids(tmp_path: Path) -> None:
    script = "trap 'touch trapped; exit 0' TERM; sleep 60; exit 1"
    with subprocess.Popen(
        ["bash", "-ec", script],
        cwd=tmp_path,
        start_new_session=True,
        env=os.environ | {"SUPERVISOR_RUN_ID": "mine"},
    ) as process:
        try:
            while len(found := process_tree.census({"mine": None})["mine"]) < 2 or not _sleeps(found):
                pass

            def command_first() -> Iterator[ProcRef]:
                yield from (member for member in found if member.pid != process.pid)
                # Time for the shell to meet the end of its command, if that was told already.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.3)
                yield from (member for member in found if member.pid == process.pid)

            process_signals.terminate(command_first())
            assert process.wait(10) == 0
        finally:
            process_signals.kill(process_tree.census({"mine": None})["mine"])
    assert (tmp_path / "trapped").exists()


def _sleeps(members: list[ProcRef]) -> bool:
    return any(process.name_of(member) == "sleep" for member in members)


def test_a_marker_is_compared_whole(sleeper: Process) -> None:
    assert process_tree.census({"min": None, "mine2": None, "ine": None}) == {
        "min": [],
        "mine2": [],
        "ine": [],
    }


CUT = """
import ctypes, time
strings = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
at = next(at for at in strings if ctypes.string_at(at).startswith(b"SUPERVISOR_RUN_ID="))
ctypes.memset(at + len(b"SUPERVISOR_RUN_ID"), 0, 1)
print("cut", flush=True)
time.sleep(60)
"""


def test_a_marker_is_found_while_bash_has_it_in_two_pieces() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CUT], env=os.environ | {"SUPERVISOR_RUN_ID": "mine"}, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"cut\n"
            assert ref(process).pid == process.pid
        finally:
            process.kill()


def test_a_process_is_found_in_the_middle_of_an_exec() -> None:
    # It does nothing else, so that some of the looks fall into one.
    script = 'exec bash -c "$0" "$0"'
    with subprocess.Popen(
        ["bash", "-c", script, script], env=os.environ | {"SUPERVISOR_RUN_ID": "mine"}
    ) as process:
        try:
            found = [ref(process) for _ in range(200)]
        finally:
            process.kill()
    assert len(set(found)) == 1


def test_a_process_that_cannot_be_looked_at_is_not_taken_to_be_gone() -> None:
    code = """
import errno, os, resource
from supervisor.host.proc import process, process_tree
mine = process.find(os.getpid())
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
held = []
try:
    while True:
        held.append(os.dup(0))
except OSError:
    pass
print(process.alive(mine))
for look in (lambda: process.find(os.getpid()), lambda: process_tree.census({"x": mine})):
    try:
        look()
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "EMFILE", "EMFILE"]
