"""Signals, in the right order, and never to a stranger."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.host.proc import process, process_signals, process_tree
from supervisor.host.proc.process import ProcRef
from tests.host.proc.sleeper import Process, ref, sleeper

__all__ = ["sleeper"]


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


def test_shell_gets_sigterm_before_its_command(tmp_path: Path) -> None:
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
