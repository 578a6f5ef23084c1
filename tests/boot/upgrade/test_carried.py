"""What is carried through an exec: descriptors, and signals that nobody heeded. Nothing for anybody else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.boot.upgrade import carried

PROGRAM = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from supervisor.boot.upgrade import carried
from supervisor.host.proc import signals
carried.unpack()
given = carried.take_carried()
if given is None:
    os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
    held = signals.hold()
    os.kill(os.getpid(), signal.SIGTERM)
    lock = os.open(sys.argv[2], os.O_RDONLY)
    waiting = os.dup(lock)
    requests = carried.held_requests({waiting: b"{}\\nPOST" + b"x" * 200000})
    given = carried.Carried("1", 2.5, lock, printed={"run": 7}, calls=(waiting,), requests=requests)
    carried.execute(given, held, {"TAKEN_OUT": "back"})
else:
    held = signals.hold()
    ((connection, request),) = given.take_calls().items()
    print(json.dumps({
        "lock": os.readlink(f"/proc/self/fd/{given.lock}"), "inheritable": os.get_inheritable(given.lock),
        "printed": given.printed, "version": given.version, "held": held,
        "call": [os.readlink(f"/proc/self/fd/{connection}"), len(request), connection == given.calls[0]],
        "environ": [name in os.environ for name in (carried.VARIABLE, "TAKEN_OUT")],
    }))
"""


def test_next_program_gets_the_files_and_the_signals(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[3])
    file = tmp_path / "lock"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, root, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == {
        "lock": str(file),
        "inheritable": False,
        "printed": {"run": 7},
        "version": "1",
        "held": [15],
        "call": [str(file), 200007, True],
        "environ": [False, True],
    }


def test_variable_that_a_child_inherited_is_nothing_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"pid": os.getppid(), "version": "1", "began_s": 0.0, "lock": 0, "connections": []}
    monkeypatch.setenv(carried.VARIABLE, json.dumps(values))
    carried.unpack()
    assert carried.take_carried() is None
    assert carried.VARIABLE not in os.environ


def test_what_another_version_adds_or_leaves_out_is_no_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = os.open(tmp_path, os.O_RDONLY)
    values = {"pid": os.getpid(), "version": "9", "began_s": 0.0, "lock": lock, "of the future": 1}
    monkeypatch.setenv(carried.VARIABLE, json.dumps(values))
    carried.unpack()
    given = carried.take_carried()
    assert given is not None
    assert (given.version, given.connections, given.tcp) == ("9", (), None)
    os.close(lock)


def test_what_passes_between_versions_keeps_its_names() -> None:
    """Another version reads these: more may come, none may go."""
    landed = {"version", "began_s", "lock", "name", "listen", "unix", "tcp", "connections", "printed"}
    landed |= {"calls", "requests"}
    assert carried.VARIABLE == "SUPERVISOR_HANDOVER"
    assert landed <= set(carried.FIELDS)
