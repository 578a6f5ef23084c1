"""The disk is full while a client's command prints: its answer says how much is missing, and the supervisor lives."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from platform_wire.environmentopts_pb2 import ExecRequest
from tests.faults.exec_kills import Refused, ask
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
SIZE = 40 << 20
LOST = re.compile(r"\n?supervisor: (\d+) bytes are missing here: the disk was full[^\n]*\n")


def test_full_disk_is_told_in_the_answer_and_ends_nothing(disk: Scene) -> None:
    disk.start()
    path = disk.state / "api.sock"
    command = f"head -c {SIZE} /dev/zero | tr '\\0' x; printf oh >&2; exit 4"  # a newline is ours

    answer = ask(path, ExecRequest(operation_id="much", command=command))

    lost = sum(int(match[1]) for match in LOST.finditer(answer.stdout))
    printed = LOST.sub("", answer.stdout)
    assert answer.exit_code == 4
    assert lost > 20 << 20
    assert len(printed) + lost == SIZE
    assert set(printed) == {"x"}
    oh_lost = sum(int(match[1]) for match in LOST.finditer(answer.stderr))
    assert oh_lost == 2 or LOST.sub("", answer.stderr) == "oh"
    assert ask(path, ExecRequest(operation_id="much", command=command)) == answer
    assert code_of_more(path) in ("ran", "resource_exhausted")
    assert disk.client().status()["pid"] == disk.supervisor.pid
    for run in (disk.state / "runs").iterdir():  # as whoever makes room does
        for file in run.iterdir():
            file.write_bytes(b"")
    until(lambda: code_of_more(path) == "ran", "a command that runs once there is room")
    disk.end()


def code_of_more(path: Path) -> str:
    """What becomes of one more command: Connect's code, or that it ran."""
    try:
        return (
            "ran" if ask(path, ExecRequest(command="echo more")).stdout == "more\n" else "its output is lost"
        )
    except Refused as refused:
        return str(json.loads(str(refused))["code"])
