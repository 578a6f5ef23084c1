"""Which processes belong to a run."""

import os
import subprocess
import sys

import pytest

from supervisor.host.proc import process as process_module
from supervisor.host.proc import process_signals, process_tree
from supervisor.host.proc.process import ProcRef, ProcStat
from tests.host.proc.sleeper import Process, ref, sleeper

__all__ = ["sleeper"]


def test_a_process_is_found_by_marker_and_by_session(sleeper: Process) -> None:
    found = ref(sleeper)
    assert process_tree.census({"other": None, "by session": found}) == {"other": [], "by session": [found]}


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


def test_a_marker_is_compared_whole(sleeper: Process) -> None:
    assert process_tree.census({"min": None, "mine2": None, "ine": None}) == {
        "min": [],
        "mine2": [],
        "ine": [],
    }


def test_what_is_in_the_session_of_another_run_belongs_to_that_one(
    sleeper: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ref(sleeper)
    read: list[int] = []

    def counted(process: ProcStat, name: str) -> str | None:
        read.append(process.ref.pid)
        return process_module.variable_of(process, name)

    monkeypatch.setattr(process_tree, "variable_of", counted)
    assert process_tree.census({"mine": None})["mine"] == [found]
    assert found.pid in read
    read.clear()
    assert process_tree.census({"mine": None}, others=[found])["mine"] == []
    assert found.pid not in read, "its environment is not read"
    earlier = ProcRef(found.pid, found.start_ticks - 1)
    assert process_tree.census({"mine": None}, others=[earlier])["mine"] == [found], "the pid was used again"


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
