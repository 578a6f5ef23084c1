"""What a version of the automations file does, and what people read of it: real files, a real engine, no process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from supervisor.boot.automations.applied_file import AppliedFile
from supervisor.boot.automations.file_snapshot import Snapshot, Snapshots
from supervisor.core import queries
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.hub import Hub
from supervisor.model.action import Action
from supervisor.model.fact import EnvironmentStarted
from supervisor.model.ids import EnvironmentId
from supervisor.model.record import Record
from tests.boot.notices import Notices
from tests.clocks import HandClock
from tests.core.playbook import SEED

WEB = "services: {web: {name: Web, commands: {start: serve}}}\n"
BOTH = WEB + "tasks: {build: {name: Build, command: make}}\n"
BAD = "services: {web: {name: Web}}\n"


class Bench:
    """A workspace, and an engine whose machine does nothing."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "automations.yaml"
        self.report = Notices()
        self.engine = Engine(World(), self, Hub(), HandClock())
        self.engine.performer = self
        self.engine.post(EnvironmentStarted(EnvironmentId(SEED), begins=True))
        self.engine.turn()
        self.applied = AppliedFile(folder, self.engine, self.report, None)
        self._snapshots = Snapshots(folder, None)

    def perform(self, action: Action) -> None:
        pass

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        pass

    def version(self, text: str | None) -> Snapshot:
        """The file with this text; None: no file."""
        if text is None:
            self.file.unlink(missing_ok=True)
        else:
            self.file.write_text(text)
        return self._snapshots.take(None)

    def apply(self, text: str | None) -> str:
        """Returns the last notice, and forgets all."""
        self.applied.apply(self.version(text))
        self.engine.turn()
        notices = self.report.texts[:]
        self.report.texts.clear()
        return notices[-1] if notices else ""

    def references(self) -> set[str]:
        records = self.engine.world.records
        return set(queries.items(records))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_refused_version_changes_nothing_and_the_next_valid_one_says_so(bench: Bench) -> None:
    assert bench.apply(WEB) == ""
    assert not bench.applied.is_awaited
    assert bench.apply(BAD) == "the automations file is refused: the last valid version stays in effect"
    assert bench.references() == {"web"}
    assert bench.apply(WEB) == "the automations file is valid again: nothing has changed"


def test_nothing_runs_before_the_first_valid_version(bench: Bench) -> None:
    assert bench.apply(BAD) == "the automations file is refused: nothing runs until it is valid"
    assert (bench.references(), bench.applied.is_awaited) == (set(), True)
    assert bench.apply(WEB) == "the automations file is valid: the triggers fire"
    assert (bench.references(), bench.applied.is_awaited) == ({"web"}, False)


def test_file_that_goes_away_leaves_what_it_said(bench: Bench) -> None:
    bench.apply(BOTH)
    assert bench.apply(None) == "the automations file is gone: the last valid version stays in effect"
    assert bench.references() == {"web", "build"}


def test_start_without_a_file_says_where_one_was_looked_for(bench: Bench) -> None:
    bench.applied.begin(bench.version(None))
    (text,) = bench.report.texts
    assert text.startswith("there is no automations file here: looked for .ona/automations.yaml, ")
    assert text.endswith("; nothing runs until there is one")


def test_version_that_lacks_something_removes_it(bench: Bench) -> None:
    bench.apply(BOTH)
    assert bench.applied.would_remove(bench.version(WEB))
    assert bench.applied.would_remove(bench.version(None))
    assert not bench.applied.would_remove(bench.version(BOTH + "# a comment\n"))
    assert not bench.applied.says_nothing_new(bench.version(WEB))
    bench.apply(WEB)
    assert bench.references() == {"web"}
    assert bench.applied.says_nothing_new(bench.version(WEB))
