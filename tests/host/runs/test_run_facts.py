"""What is read of the facts of runs: from the journal, and from the files of an earlier version's shims."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from supervisor.host.runs import run_facts
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.run_facts import RunFacts, StartedFacts, WrittenFacts
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.shim.fact_journal import FactWriter, encoded
from supervisor.shim.protocol import CommandStarted, ExitStatus
from tests.host.runs.scripted_shim import Stage

FACTS = StartedFacts(12, 345, "boot", 6, "/group", 7)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "r").mkdir(parents=True)
    return tmp_path / "runs"


def write(runs: Path, *facts: bytes) -> None:
    (runs.parent / "run-facts").write_bytes(b"".join(facts))


def of_an_older_shim(runs: Path, name: str, facts: object) -> None:
    (runs / "r" / name).write_text(json.dumps(facts))


def test_what_the_shim_writes_is_read(runs: Path) -> None:
    writer = FactWriter()
    writer.note_start(str(runs / "r"), CommandStarted("r", 12, 345, "/group", 7))
    began = RunDir(runs, "r").facts()
    assert began.started is not None
    assert (began.started.pid, began.started.start_ticks, began.started.shim_pid) == (12, 345, os.getpid())
    assert (began.started.cgroup, began.started.log_inode) == ("/group", 7)
    assert began.exit is None
    writer.note_exit("r", str(runs / "r"), 12, ExitStatus(15, by_signal=True))
    ended = RunDir(runs, "r").facts()
    assert ended.exit == ExitSignal(15)
    assert began.began_s is not None
    assert ended.ended_s is not None
    assert began.began_s <= ended.ended_s
    assert writer._journal is not None
    writer._journal.close()


def test_the_files_of_an_older_shim_are_read_where_the_journal_says_nothing(runs: Path) -> None:
    assert RunDir(runs, "r").facts() == RunFacts()
    of_an_older_shim(runs, "started", {"pid": 12, "start_ticks": 345, "boot_id": "boot", "shim_pid": 6})
    os.utime(runs / "r" / "started", (5, 5))
    of_an_older_shim(runs, "exit", {"code": 3, "wall_s": 9.5})
    old = RunFacts(StartedFacts(12, 345, "boot", 6), 5.0, ExitCode(3), 9.5)
    assert RunDir(runs, "r").facts() == old
    write(runs, encoded("other", {"pid": 1, "code": 4}))
    assert RunDir(runs, "r").facts() == old
    run_facts.restore(runs, {"r": FACTS}, 1.5)
    assert RunDir(runs, "r").facts() == old, "nothing was missing"
    write(runs, encoded("r", {"pid": 12, "signal": 9, "wall_s": 2.5}))
    assert RunDir(runs, "r").facts() == RunFacts(old.started, 5.0, ExitSignal(9), 2.5)


def test_an_older_shim_may_end_a_run_whose_beginning_was_noted_again(runs: Path) -> None:
    run_facts.restore(runs, {"r": FACTS, "s": FACTS}, 1.5)
    assert RunDir(runs, "r").facts() == RunFacts(FACTS, 1.5)
    before = (runs.parent / "run-facts").read_bytes()
    run_facts.restore(runs, {"r": FACTS, "s": FACTS}, 2.5)
    assert (runs.parent / "run-facts").read_bytes() == before
    of_an_older_shim(runs, "exit", {"signal": 9})
    assert RunDir(runs, "r").facts() == RunFacts(FACTS, 1.5, ExitSignal(9))


@pytest.mark.parametrize(
    "facts",
    [
        {"pid": "12", "start_ticks": 1, "boot_id": "b", "shim_pid": 1},
        {"pid": 12, "start_ticks": 1},
        {"pid": 12, "start_ticks": 1, "boot_id": 5, "shim_pid": 1},
        {"pid": 12, "code": "3"},
        {"pid": 12, "signal": None},
    ],
)
def test_facts_of_other_types_are_none(runs: Path, facts: dict[str, object]) -> None:
    write(runs, encoded("r", facts))
    assert RunDir(runs, "r").facts() == RunFacts()


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_something_else_in_the_journals_place_is_not_read(runs: Path, plant: object) -> None:
    assert callable(plant)
    plant(runs.parent / "run-facts")
    assert not list(WrittenFacts(runs).ids)
    assert run_facts.are_there(runs)


def test_a_run_that_gets_the_id_of_an_unknown_one_has_nothing_of_its_facts(tmp_path: Path) -> None:
    """Records were lost, and the supervisor is killed before the new run begins: it did not begin."""
    it = Stage(tmp_path)
    try:
        for run_id in ("run", "kept", "unused"):
            facts = {"pid": 12, "start_ticks": 345, "boot_id": "b", "shim_pid": 6}
            with (it.state / "run-facts").open("ab") as journal:
                journal.write(encoded(run_id, facts) + encoded(run_id, {"pid": 12, "code": 3}))
        assert it.machine.clear({"kept"}) == 0
        it.spawn("run")
        assert it.folder("run").facts() == RunFacts()
        assert it.folder("kept").facts().exit == ExitCode(3)
        before = (it.state / "run-facts").read_bytes()
        it.spawn("new")
        assert (it.state / "run-facts").read_bytes() == before
    finally:
        it.close()
