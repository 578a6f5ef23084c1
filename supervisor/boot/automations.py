"""The automations file: where it is, what it says now, and that an edit of it is carried out.

A bad file changes nothing: what the last good one said stays. Nor does a file that went away.

A start runs what its own file says. Until that file was good once, nothing of it runs, nor what an earlier life left of
another one; the first good version fires the triggers of the start. Where the user said which file, or waits for an end
(`Settings.strict`), a file that is missing or refused is an error before anything starts. Who goes on after a crash,
an upgrade or a detach goes on with the last good version.

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
from supervisor.model.errors import BadSettings
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

        `resumes`: this supervisor goes on where another was cut off. `reader`: whose the workspace is, if that is
        another user than ours.
        """
        self._reader = reader
        self._settings = settings
        self._engine = engine
        self._report = report
        self._resumes = resumes
        self._content: bytes | Problem | None = None
        self._look_elsewhere: Callable[[], None] = lambda: None
        self.begun: Callable[[], object] = lambda: None
        """Is called when the environment has seen its first good version of the file."""

    def find(self) -> Found:
        """Where the file is: as the user said, as the environment's spec says, or where it is found."""
        specified = self._settings.specified or self._path_of_spec()
        if self._reader is None or specified is not None:
            return find_file(self._settings.workspace, specified)
        from supervisor.host.impersonation import find_file_as

        return find_file_as(self._reader, self._settings.workspace)

    def require(self) -> None:
        """Refuse to start without a good file, where the settings ask for one; nothing has been changed yet.

        Raises BadSettings. Its problems were reported.
        """
        if not self._settings.strict or (self._resumes and not self._awaited()):
            return
        found = self.find()
        if found.path is None:
            raise BadSettings(
                [f"cannot start: there is no automations file here: looked for {', '.join(PLACES)}"]
            )
        loaded = self.look(found.path)
        if loaded.file is None:
            name = shown(found.path, self._settings.workspace)
            self._report.loaded(name, loaded)
            raise BadSettings([f"cannot start: {name} is refused; nothing was started"])

    def start(self) -> Loaded | None:
        """Read the file for the first time and carry it out; None if there is none."""
        loaded = self.read()
        if loaded is None and self._awaited():
            self._report.notice(
                f"there is no automations file here: looked for {', '.join(PLACES)}; nothing runs until there is one"
            )
        elif loaded is None:
            self._report.notice("there is no automations file any more: what it said last stays")
        return loaded

    def read(self) -> Loaded | None:
        """Read the file and carry out what changed; None if there is none, or if it is what it was."""
        found = self.find()
        if found.path is None:
            self._gone()
            return None
        content = self._bytes(found.path)
        if content == self._content:
            return None
        self._content = content
        loaded = _judged(content)
        self._report.loaded(shown(found.path, self._settings.workspace), loaded)
        self._engine.post(_file_read(found, self._settings.workspace, loaded))
        if loaded.file is not None:
            self._apply(loaded.file)
        elif self._awaited():
            self._report.notice("the automations file is refused: nothing runs until it is right")
        else:
            self._report.notice("the automations file is refused: what the last good one said stays")
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

    def _awaited(self) -> bool:
        """Whether the environment has seen no good version of the file since it began."""
        environment = self._engine.world.records.environment
        return environment is None or environment.file_awaited

    def _apply(self, file: AutomationsFile) -> None:
        records, begins = self._engine.world.records, self._awaited()
        changes = compare(file, records.services.values(), records.tasks.values())
        self._engine.submit(ApplyFile(file, fresh()))
        if begins:
            self.begun()
        else:  # what the file of a start says is nobody's edit
            self._report.applied(changes)

    def _gone(self) -> None:
        environment = self._engine.world.records.environment
        if environment is not None and environment.file_presence != Presence.ABSENT.value:
            self._engine.post(FileRead(Presence.ABSENT.value, "", fresh()))
        if self._content is not None:
            self._content = None
            stays = "nothing runs until there is one again" if self._awaited() else "what it said last stays"
            self._report.notice(f"the automations file is gone: {stays}")


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
