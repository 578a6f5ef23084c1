"""The automations file: what it says now, and that an edit of it is carried out.

A bad file changes nothing: what the last good one said stays. Nor does a file that went away.

A start runs what its own file says. Until that file was good once, nothing of it runs, nor what an earlier life left of
another one; the first good version fires the triggers of the start. Where the user said which file, or waits for an end
(`Settings.strict`), a file that is missing or refused is an error before anything starts. Who goes on after a crash,
an upgrade or a detach goes on with the last good version.

`core.candidate` says which version of a file counts that is being written. A start and somebody's order (SIGHUP,
`update`) wait for no quiet, but for who has the file open for writing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from supervisor.boot.file_snapshot import Snapshot, Snapshots, judged
from supervisor.boot.run_settings import Report, Settings
from supervisor.config import Loaded, Presence
from supervisor.config.lookup import PLACES
from supervisor.config.problem import Problem
from supervisor.core.items.candidate import Candidate, counts_at, look_at, seen
from supervisor.core.items.diff import Changes, edit
from supervisor.engine import Engine
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.command import ApplyFile
from supervisor.model.errors import BadSettings, NotFound, Precondition
from supervisor.model.fact import FileRead
from supervisor.model.ids import fresh
from supervisor.model.spec import AutomationsFile

if TYPE_CHECKING:
    import anyio

    from supervisor.host.users.account import Account

START_PATIENCE_S = 10.0
"""How long a start that needs a good file waits for who is writing it."""
TELL_S = 10.0
"""How long somebody may have the file open for writing before that is worth a line."""
_SHORT_S = 0.5
"""How often it is tried to look at the file while the machine is short of what that takes."""
_BEING_WRITTEN = "it is open for writing; it is read once that is over"


Update = tuple[str, Loaded, Changes | None]
"""What an order came to: the file's path, empty if its text was given; the verdict; what changes, None if refused."""

MOST_TOLD = 100
"""So many errors of a file are kept in the environment's record."""


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
        self._settings = settings
        self._engine = engine
        self._report = report
        self._resumes = resumes
        self._snapshots = Snapshots(settings.workspace, reader)
        self._first: Snapshot | None = None
        self._told: Snapshot | None = None
        """What was carried out, or refused, last."""
        self._wrong = False
        """Whether the last word was that there is no good file."""
        self._unsettled = False
        """Whether the first version that was seen did not count yet."""
        self._ordered = self._hint = self._removes = self._told_of_writer = False
        self._reading: anyio.Lock | None = None
        self._news: anyio.Event | None = None
        self._look_elsewhere: Callable[[], None] = lambda: None
        self.begun: Callable[[], object] = lambda: None
        """Is called when the environment has seen its first good version of the file."""
        self.reloading: Callable[[], AbstractContextManager[None]] = nullcontext
        """Is entered while the file is read because of `order`."""

    # Before the event loop

    def require(self, interrupted: Callable[[], bool]) -> None:
        """Refuse to start without a good file, where the settings ask for one; nothing has been changed yet.

        `interrupted`: whether nobody wants to wait any more. Raises BadSettings; the file's problems were reported.
        """
        if not self._settings.strict or (self._resumes and not self._awaited()):
            return
        self.wait_for_writers(interrupted)
        assert self._first is not None
        loaded = self._first.loaded
        if loaded is None:
            raise BadSettings(
                [f"cannot start: there is no automations file here: looked for {', '.join(PLACES)}"]
            )
        name = self._name(self._first)
        if self._first.writing:
            raise BadSettings(
                [
                    f"cannot start: {name} is open for writing; start again once it is written, or end who holds it"
                ]
            )
        if loaded.file is None:
            self._report.loaded(name, loaded)
            raise BadSettings([f"cannot start: {name} is refused; nothing was started"])

    def wait_for_writers(self, interrupted: Callable[[], bool]) -> None:
        """Have `start` read the file once nobody is writing it, or as it is when patience is over."""
        self._first = self._snapshots.take_settled(self._specified(), START_PATIENCE_S, interrupted)

    def start(self) -> Loaded | None:
        """Read the file for the first time and carry it out; None if there is none, or somebody is writing it."""
        snapshot = self._first or self._snapshots.take(self._specified())
        self._unsettled = not snapshot.settled(self._engine.now().wall_s)
        if self._unsettled:
            self._report.notice(f"the automations file is not read yet: {_BEING_WRITTEN}")
            return None
        if snapshot.loaded is None:
            self._wrong = True
            if self._awaited():
                self._report.notice(
                    f"there is no automations file here: looked for {', '.join(PLACES)}; "
                    "nothing runs until there is one"
                )
            else:
                self._report.notice("there is no automations file any more: what it said last stays")
        self._take(snapshot)
        return snapshot.loaded

    # In the event loop

    async def watch(self) -> None:
        """Carry out edits and orders, until cancelled."""
        import anyio

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            if self._settings.watch:
                tasks.start_soon(self._watch_places)

    def order(self) -> None:
        """Somebody wants the file read again."""
        self._ordered = True
        self._look_again()

    async def update(self, content: bytes | None = None, dry_run: bool = False) -> Update:
        """Carry out the file as it is now, or, as an edit of it, a text. `dry_run`: only say what would change.

        Raises NotFound if there is no file, Precondition if somebody is writing it or everything is being stopped.
        """
        from supervisor.host.proc import worker_threads

        snapshot, loaded = None, None
        if content is None:
            snapshot = await self._snapshot()
            loaded = snapshot.loaded
        else:
            loaded = await worker_threads.run(judged, content)
        if loaded is None:
            raise NotFound("cannot update: there is no automations file in the workspace")
        if snapshot is not None and snapshot.writing and not dry_run:
            name = self._name(snapshot)
            raise Precondition(f"cannot update: {name} is open for writing; try again once it is written")
        if self._draining and not dry_run:
            raise Precondition("cannot update: the supervisor is shutting down")
        changes = None if loaded.file is None else self._compare(loaded.file)
        if not dry_run and snapshot is not None:
            self._take(snapshot)
        elif not dry_run and loaded.file is not None:
            self._apply(loaded.file)
        return "" if snapshot is None else str(snapshot.found.path), loaded, changes

    async def moved(self) -> None:
        """A client may have set another path: then what stands there is carried out now."""
        if self._told is None:
            self._look_again()  # no version counts yet
        elif self._told.specified == self._specified():
            return  # an update of something else is no order to read the file
        else:
            try:
                await self.update()
            except (NotFound, Precondition):
                self._look_again()
        self._look_elsewhere()

    async def _follow(self) -> None:
        """Look at the file when there is reason to, and carry out what counts."""
        import anyio

        candidate: Candidate | None = None
        self._hint = self._settings.watch or self._unsettled
        while True:
            self._news = anyio.Event()
            if self._ordered:
                with self.reloading():
                    candidate = await self._obey(candidate)
            elif self._hint or candidate is not None:
                self._hint = False
                candidate = self._consider(await self._snapshot(), candidate)
            at_s = math.inf if candidate is None else look_at(candidate, self._removes, self._now_s())
            with anyio.move_on_after(max(0.0, at_s - self._now_s())):
                await self._news.wait()

    async def _obey(self, candidate: Candidate | None) -> Candidate | None:
        """Read the file because somebody wants it: no quiet is needed."""
        self._ordered = self._hint = False
        snapshot = await self._snapshot()
        if snapshot.writing:
            self._report.notice(f"the automations file is not read yet: {_BEING_WRITTEN}")
            return self._consider(snapshot, candidate)
        if not self._draining and not self._says_nothing_new(snapshot):
            self._take(snapshot)
        return None

    def _consider(self, snapshot: Snapshot, before: Candidate | None) -> Candidate | None:
        """Carry out what was seen, if it counts; else the candidate that it is."""
        if self._draining or self._says_nothing_new(snapshot):
            return None
        now_s = self._now_s()
        version = snapshot.says, snapshot.identity
        candidate = seen(before, version, snapshot.writing, now_s)
        self._removes = self._would_remove(snapshot)
        due_s = counts_at(candidate, self._removes)
        if due_s is not None and due_s <= now_s:
            self._take(snapshot)
            return None
        if candidate.writing and not self._told_of_writer and now_s - candidate.began_s >= TELL_S:
            self._told_of_writer = True
            self._report.notice(f"the automations file has changed and is not read yet: {_BEING_WRITTEN}")
        return candidate

    async def _watch_places(self) -> None:
        import anyio

        from supervisor.host.state.file_watch import look, watch

        while True:
            places = self._places()
            with anyio.CancelScope() as watching:
                self._look_elsewhere = partial(self._leave_if_moved, places, watching.cancel)
                since = await look(places)
                self._look_again()  # since it was read: the watch tells what comes after the look
                await watch(places, self._look_again, self._report.notice, since=since)

    def _look_again(self) -> None:
        self._told_of_writer = False
        self._hint = True
        if self._news is not None:
            self._news.set()

    def _leave_if_moved(self, watched: list[str], leave: Callable[[], None]) -> None:
        if self._places() != watched:
            leave()

    async def _snapshot(self) -> Snapshot:
        import anyio

        from supervisor.host.proc import worker_threads

        self._reading = self._reading or anyio.Lock()
        async with self._reading:
            while True:
                take = self._snapshots.take
                snapshot = await worker_threads.run(take, self._specified(), abandon_on_cancel=True)
                if not snapshot.short:
                    return snapshot
                # It says nothing about the file.
                worker_threads.missed(snapshot.short)
                await anyio.sleep(_SHORT_S)

    # What was read

    def _take(self, snapshot: Snapshot) -> None:
        """Carry out a version, or say why not."""
        told, self._told = self._told, snapshot
        loaded = snapshot.loaded
        if loaded is None:
            self._gone(told)
            return
        self._report.loaded(self._name(snapshot), loaded)
        self._engine.post(_file_read(snapshot, self._settings.workspace, loaded))
        if loaded.file is not None:
            self._apply(loaded.file, after_wrong=self._wrong)
        elif self._awaited():
            self._report.notice("the automations file is refused: nothing runs until it is right")
        else:
            self._report.notice("the automations file is refused: what the last good one said stays")
        self._wrong = loaded.file is None

    def _apply(self, file: AutomationsFile, after_wrong: bool = False) -> None:
        if begins := self._awaited():
            changes = Changes()  # what the file of a start says is nobody's edit
        else:
            changes = self._compare(file)
        self._engine.submit(ApplyFile(file, fresh()))
        if begins:
            if after_wrong:
                self._report.notice("the automations file is right: what the triggers start is started")
            self.begun()
            return
        if after_wrong and not changes:
            self._report.notice("the automations file is right again: nothing has changed")
        self._report.applied(changes)

    def _gone(self, told: Snapshot | None) -> None:
        environment = self._engine.world.records.environment
        if environment is not None and environment.file_presence != Presence.ABSENT.value:
            self._engine.post(FileRead(Presence.ABSENT.value, "", fresh()))
        if told is not None and told.loaded is not None:
            self._wrong = True
            stays = "nothing runs until there is one again" if self._awaited() else "what it said last stays"
            self._report.notice(f"the automations file is gone: {stays}")

    def _compare(self, file: AutomationsFile) -> Changes:
        records = self._engine.world.records
        return edit(file, records)

    def _would_remove(self, snapshot: Snapshot) -> bool:
        if snapshot.loaded is None or not snapshot.identity:
            return True
        return snapshot.loaded.file is not None and bool(self._compare(snapshot.loaded.file).removed)

    def _name(self, snapshot: Snapshot) -> str:
        assert snapshot.found.path is not None
        return shown(snapshot.found.path, self._settings.workspace)

    def _says_nothing_new(self, snapshot: Snapshot) -> bool:
        return self._told is not None and self._told.says == snapshot.says

    def _awaited(self) -> bool:
        """Whether the environment has seen no good version of the file since it began."""
        environment = self._engine.world.records.environment
        return environment is None or environment.file_awaited

    @property
    def _draining(self) -> bool:
        return self._engine.world.records.draining

    def _now_s(self) -> float:
        return self._engine.now().mono_s

    # Where it is

    def _specified(self) -> Path | str | None:
        """As the user said, or as a client set it in the environment's spec; None: where it is found."""
        return self._settings.specified or self._path_of_spec()

    def _places(self) -> list[str]:
        specified = self._specified()
        return [str(self._settings.workspace / place) for place in ([specified] if specified else PLACES)]

    def _path_of_spec(self) -> str | None:
        environment = self._engine.world.records.environment
        spec = json.loads(environment.spec) if environment else {}
        path = spec.get("automationsFile", {}).get("automationsFilePath")
        return path if isinstance(path, str) and path else None


def shown(path: Path, workspace: Path) -> str:
    """A path for people: from the workspace on if it is in there."""
    return str(path.relative_to(workspace) if path.is_relative_to(workspace) else path)


def _file_read(snapshot: Snapshot, workspace: Path, loaded: Loaded) -> FileRead:
    name = os.path.relpath(snapshot.found.path or "", workspace)
    return FileRead(
        snapshot.found.presence.value,
        name,
        fresh(),
        failure=_told(loaded.errors, name),
        warning=_told(loaded.warnings, name),
    )


def _told(problems: Sequence[Problem], name: str) -> str:
    """One a line, and of very many the first: it is kept, and goes out with every status."""
    more = len(problems) - MOST_TOLD
    lines = [problem.render(name) for problem in problems[:MOST_TOLD]]
    return "\n".join([*lines, f"and {more} more; `supervisor validate` shows all"] if more > 0 else lines)
