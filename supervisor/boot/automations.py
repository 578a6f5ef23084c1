"""The automations file: where it is, what it says now, and that an edit of it is carried out.

A bad file changes nothing: what the last good one said stays. Nor does a file that went away.

Where commands run as another user, the file is found and opened as that user and not as us (`host/impersonation`): the
workspace is the user's, so its path may be a link to anything, and what is wrong with a file is told with its words.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from supervisor.boot.settings import Report, Settings
from supervisor.config import Found, Loaded, Presence, find_file, load_bytes
from supervisor.config.lookup import PLACES
from supervisor.config.problem import Problem
from supervisor.config.source import Unreadable, read
from supervisor.core.diff import compare
from supervisor.engine import Engine
from supervisor.model.command import ApplyFile
from supervisor.model.fact import FileRead
from supervisor.model.hints import TYPE_CHECKING
from supervisor.model.ids import fresh
from supervisor.model.spec import AutomationsFile

if TYPE_CHECKING:
    from supervisor.host.account import Account


class Automations:
    """Reads the file and submits what it says."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        report: Report,
        resumes: bool,
        reader: Account | None = None,
    ) -> None:
        """Nothing is read yet.

        `resumes`: an earlier supervisor has carried out what the file said, so what is new in it is an edit.
        `reader`: whose the workspace is, if that is another user than ours.
        """
        self._reader = reader
        self._settings = settings
        self._engine = engine
        self._report = report
        self._content: bytes | Problem | None = None
        # What the file says is nobody's edit until it was looked at once.
        self._starting = not resumes
        self._look_elsewhere: Callable[[], None] = lambda: None

    def find(self) -> Found:
        """Where the file is: as the user said, as the environment's spec says, or where it is found."""
        specified = self._settings.specified or self._path_of_spec()
        if self._reader is None or specified is not None:
            return find_file(self._settings.workspace, specified)
        from supervisor.host.impersonation import find_file_as

        return find_file_as(self._reader, self._settings.workspace)

    def read(self) -> Loaded | None:
        """Read the file and carry out what changed; None if there is none, or if it is what it was."""
        found = self.find()
        starting, self._starting = self._starting, False
        if found.path is None:
            self._gone()
            return None
        content = self._bytes(found.path)
        if content == self._content:
            return None
        self._content = content
        loaded = _judged(content)
        name = shown(found.path, self._settings.workspace)
        self._report.loaded(name, loaded, kept=not starting and loaded.file is None)
        self._engine.post(_file_read(found, self._settings.workspace, loaded))
        if loaded.file is not None:
            self._apply(loaded.file, quiet=starting)
        return loaded

    def look(self, path: Path) -> Loaded:
        """The verdict on a file, which is not carried out. From any thread."""
        return _judged(self._bytes(path))

    def read_again(self) -> Loaded | None:
        """`read` for an edge: not while everything is being stopped. Watches another place if the file moved."""
        if self._engine.world.records.draining:
            return None
        loaded = self.read()
        self._look_elsewhere()
        return loaded

    async def watch(self) -> None:
        """Carry out edits, until cancelled."""
        if not self._settings.watch:
            return
        import anyio

        from supervisor.host.watch import look, watch

        while True:
            places = self._places()
            with anyio.CancelScope() as watching:
                self._look_elsewhere = partial(self._leave_if_moved, places, watching.cancel)
                since = look(places)
                self._edited()  # since it was read: the watch tells what comes after the look
                await watch(places, self._edited, self._report.notice, since=since)

    def _bytes(self, path: Path) -> bytes | Problem:
        return read(path) if self._reader is None else read(path, partial(_open_as, self._reader))

    def _leave_if_moved(self, watched: list[str], leave: Callable[[], None]) -> None:
        if self._places() != watched:
            leave()

    def _edited(self) -> None:
        self.read_again()

    def _places(self) -> list[str]:
        specified = self._settings.specified or self._path_of_spec()
        return [str(self._settings.workspace / place) for place in ([specified] if specified else PLACES)]

    def _path_of_spec(self) -> str | None:
        """The path that a client set in the environment's spec."""
        environment = self._engine.world.records.environment
        spec = json.loads(environment.spec) if environment else {}
        path = spec.get("automationsFile", {}).get("automationsFilePath")
        return path if isinstance(path, str) and path else None

    def _apply(self, file: AutomationsFile, quiet: bool) -> None:
        records = self._engine.world.records
        changes = compare(file, records.services.values(), records.tasks.values())
        self._engine.submit(ApplyFile(file, fresh()))
        if not quiet:
            self._report.applied(changes)

    def _gone(self) -> None:
        if self._content is not None:
            self._content = None
            self._engine.post(FileRead(Presence.ABSENT.value, "", fresh()))
            self._report.notice(
                "the automations file is gone: what it said last stays until there is one again"
            )


def _open_as(reader: Account, path: Path | str) -> int:
    from supervisor.host.impersonation import open_as

    try:
        return open_as(reader, path)
    except PermissionError:
        raise Unreadable(
            f'user "{reader.name}" may not read it', "make it readable for that user, with chown or chmod"
        ) from None


def shown(path: Path, workspace: Path) -> str:
    """A path for people: from the workspace on if it is in there."""
    return str(path.relative_to(workspace) if path.is_relative_to(workspace) else path)


def _judged(content: bytes | Problem) -> Loaded:
    return Loaded(None, (content,)) if isinstance(content, Problem) else load_bytes(content)


def _file_read(found: Found, workspace: Path, loaded: Loaded) -> FileRead:
    name = os.path.relpath(found.path or "", workspace)
    return FileRead(
        found.presence.value,
        name,
        fresh(),
        failure="\n".join(problem.render(name) for problem in loaded.errors),
        warning="\n".join(problem.render(name) for problem in loaded.warnings),
    )
