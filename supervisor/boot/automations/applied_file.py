"""What the automations file says, carried out: a version of it becomes a command for the engine, or a notice why not.

A refused version changes nothing: the last valid version stays in effect. The same when the file goes away.

A start runs what its own file says. Until that file was valid once, nothing of it runs, nor of the file that an earlier
session left; the first valid version fires the triggers of the start.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from supervisor.boot.automations.file_snapshot import Snapshot
from supervisor.boot.report import Report
from supervisor.boot.start import Start
from supervisor.config import Loaded, Presence
from supervisor.config.lookup import PLACES
from supervisor.config.problem import Problem
from supervisor.core.items.diff import Changes, edit
from supervisor.engine import Engine
from supervisor.model.command import ApplyFile
from supervisor.model.fact import FileRead
from supervisor.model.ids import fresh
from supervisor.model.spec import AutomationsFile

MOST_PROBLEMS = 100
"""The environment's record keeps so many errors of a file."""


class AppliedFile:
    """Carries versions out, and knows the last one."""

    def __init__(self, workspace: Path, engine: Engine, report: Report, start: Start | None) -> None:
        """`start` fires what is owed once the file is valid; None: nothing is owed."""
        self._workspace = workspace
        self._engine = engine
        self._report = report
        self._start = start
        self.last: Snapshot | None = None
        """The version that was carried out or refused last; None: no version counts yet."""
        self._is_bad = False
        """Whether there was no valid file at the last look."""

    @property
    def is_awaited(self) -> bool:
        """Whether the environment has seen no valid version of the file in this session."""
        environment = self._engine.world.records.environment
        return environment is None or environment.file_awaited

    def says_nothing_new(self, snapshot: Snapshot) -> bool:
        """Whether this version says what the last one said."""
        return self.last is not None and self.last.says == snapshot.says

    def would_remove(self, snapshot: Snapshot) -> bool:
        """Whether this version lacks something that is there now."""
        if snapshot.loaded is None or not snapshot.identity:
            return True
        return snapshot.loaded.file is not None and bool(self.changes(snapshot.loaded.file).removed)

    def changes(self, file: AutomationsFile) -> Changes:
        """What this edit of the file would change."""
        return edit(file, self._engine.world.records)

    def name(self, snapshot: Snapshot) -> str:
        """The path of a file that is there, for people: from the workspace on if it is in there."""
        path = snapshot.found.path
        assert path is not None
        return str(path.relative_to(self._workspace) if path.is_relative_to(self._workspace) else path)

    def begin(self, snapshot: Snapshot) -> None:
        """Carry out the first version that this supervisor sees."""
        if snapshot.loaded is None:
            self._is_bad = True
            if self.is_awaited:
                self._report.notice(
                    f"there is no automations file here: looked for {', '.join(PLACES)}; "
                    "nothing runs until there is one"
                )
            else:
                self._report.notice(
                    "there is no automations file any more: the last valid version stays in effect"
                )
        self.apply(snapshot)

    def apply(self, snapshot: Snapshot) -> None:
        """Carry out a version, or report why not."""
        before, self.last = self.last, snapshot
        loaded = snapshot.loaded
        if loaded is None:
            self._is_gone(before)
            return
        self._report.loaded(self.name(snapshot), loaded)
        self._engine.post(_file_read(snapshot, self._workspace, loaded))
        if loaded.file is not None:
            self.apply_text(loaded.file, after_bad=self._is_bad)
        elif self.is_awaited:
            self._report.notice("the automations file is refused: nothing runs until it is valid")
        else:
            self._report.notice("the automations file is refused: the last valid version stays in effect")
        self._is_bad = loaded.file is None

    def apply_text(self, file: AutomationsFile, after_bad: bool = False) -> None:
        """Carry out what a file says. `after_bad`: there was no valid file before."""
        if begins := self.is_awaited:
            changes = Changes()  # what the file of a start says is not an edit
        else:
            changes = self.changes(file)
        self._engine.submit(ApplyFile(file, fresh()))
        if begins:
            if after_bad:
                self._report.notice("the automations file is valid: the triggers fire")
            if self._start is not None:
                self._start.fire_owed()
            return
        if after_bad and not changes:
            self._report.notice("the automations file is valid again: nothing has changed")
        self._report.applied(changes)

    def _is_gone(self, before: Snapshot | None) -> None:
        environment = self._engine.world.records.environment
        if environment is not None and environment.file_presence != Presence.ABSENT.value:
            self._engine.post(FileRead(Presence.ABSENT.value, "", fresh()))
        if before is not None and before.loaded is not None:
            self._is_bad = True
            stays = "nothing runs until there is one again"
            if not self.is_awaited:
                stays = "the last valid version stays in effect"
            self._report.notice(f"the automations file is gone: {stays}")


def _file_read(snapshot: Snapshot, workspace: Path, loaded: Loaded) -> FileRead:
    name = os.path.relpath(snapshot.found.path or "", workspace)
    return FileRead(
        snapshot.found.presence.value,
        name,
        fresh(),
        failure=_lines(loaded.errors, name),
        warning=_lines(loaded.warnings, name),
    )


def _lines(problems: Sequence[Problem], name: str) -> str:
    """One a line, and of very many the first: the text is kept, and goes out with every status."""
    more = len(problems) - MOST_PROBLEMS
    lines = [problem.render(name) for problem in problems[:MOST_PROBLEMS]]
    return "\n".join([*lines, f"and {more} more; `supervisor validate` shows all"] if more > 0 else lines)
