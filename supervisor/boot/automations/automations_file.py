"""The automations file of the workspace: which version of it counts, and when it is read.

`core.items.candidate` decides when a version counts while the file is being written. A start and an order (SIGHUP,
`supervisor update`) do not wait for quiet, but for a writer that has the file open. What a version does stands in
`applied_file`, how it is read in `file_snapshot`.

Where the user said which file, or waits for an end (`Settings.strict`), a file that is missing or refused is an error
before anything starts. A supervisor that continues a session, after a crash, an upgrade or a detach, continues with the
last valid version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

from supervisor.boot.automations.applied_file import AppliedFile
from supervisor.boot.automations.file_snapshot import Snapshot, Snapshots, judged
from supervisor.boot.report import Report
from supervisor.boot.run_settings import Settings
from supervisor.boot.service_manager import ServiceManager
from supervisor.boot.start import Start
from supervisor.config import Loaded
from supervisor.config.lookup import PLACES
from supervisor.core.items.candidate import Candidate, counts_at, look_at, seen
from supervisor.core.items.diff import Changes
from supervisor.engine import Engine
from supervisor.lean.late import anyio, late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.errors import BadSettings, NotFound, Precondition

if TYPE_CHECKING:
    from supervisor.host.proc import worker_threads
    from supervisor.host.users.account import Account
else:
    worker_threads = late("supervisor.host.proc.worker_threads")

START_PATIENCE_S = 10.0
"""How long a start that needs a valid file waits for a writer."""
REPORT_WRITER_S = 10.0
"""How long a writer may have the file open before that is reported."""
_SHORT_S = 0.5
"""How often a read is tried again while the machine is short of what it takes."""
_BEING_WRITTEN = "it is open for writing; it is read once that is over"

Update = tuple[str, Loaded, Changes | None]
"""The result of an order: the file's path, empty if its text was given; the verdict; what changes, None if refused."""


class Automations:
    """Reads the file when there is reason to, and carries out the versions that count."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        report: Report,
        start: Start | None,
        service_manager: ServiceManager,
        begins: bool,
        reader: Account | None = None,
    ) -> None:
        """Nothing is read yet.

        `start`: see `AppliedFile`; `begins`: a session begins, and is not continued; `reader`: the user that the
        workspace belongs to, if that is another one than ours.
        """
        self._settings = settings
        self._engine = engine
        self._report = report
        self._service_manager = service_manager
        self._begins = begins
        self._snapshots = Snapshots(settings.workspace, reader)
        self._applied = AppliedFile(settings.workspace, engine, report, start)
        self._first: Snapshot | None = None
        self._is_unsettled = False
        """Whether the first version that was seen did not count yet."""
        self._ordered = self._look_due = self._removes = self._writer_reported = False
        self._reading: anyio.Lock | None = None
        self._wake: anyio.Event | None = None
        self._watching: anyio.CancelScope | None = None
        self._watched: list[str] = []
        """The places that are watched at the moment."""

    # Before the event loop

    def require(self, interrupted: Callable[[], bool]) -> None:
        """Refuse to start without a valid file, where the settings ask for one. Nothing has been changed yet.

        `interrupted`: whether the user does not want to wait any more. Raises BadSettings; the file's problems were
        reported.
        """
        if not self._settings.strict or (not self._begins and not self._applied.is_awaited):
            return
        self.wait_for_writers(interrupted)
        assert self._first is not None
        loaded = self._first.loaded
        if loaded is None:
            raise BadSettings(
                [f"cannot start: there is no automations file here: looked for {', '.join(PLACES)}"]
            )
        name = self._applied.name(self._first)
        if self._first.writing:
            why = "is open for writing; start again once it is written, or end who holds it"
            raise BadSettings([f"cannot start: {name} {why}"])
        if loaded.file is None:
            self._report.loaded(name, loaded)
            raise BadSettings([f"cannot start: {name} is refused; nothing was started"])

    def wait_for_writers(self, interrupted: Callable[[], bool]) -> None:
        """Have `start` read the file once no writer has it open, or as it is when patience is over."""
        self._first = self._snapshots.take_settled(self._specified(), START_PATIENCE_S, interrupted)

    def start(self) -> Loaded | None:
        """Read the file for the first time and carry it out. None: there is none, or a writer has it open."""
        snapshot = self._first or self._snapshots.take(self._specified())
        self._is_unsettled = not snapshot.settled(self._engine.now().wall_s)
        if self._is_unsettled:
            self._report.notice(f"the automations file is not read yet: {_BEING_WRITTEN}")
            return None
        self._applied.begin(snapshot)
        return snapshot.loaded

    # In the event loop

    async def watch(self) -> None:
        """Carry out edits and orders, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            if self._settings.watch:
                tasks.start_soon(self._watch_places)

    def order(self) -> None:
        """Have the file read again."""
        self._ordered = True
        self._look_again()

    async def update(self, content: bytes | None = None, dry_run: bool = False) -> Update:
        """Carry out the file as it is now, or, as an edit of it, a text. `dry_run`: only say what would change.

        Raises NotFound if there is no file, Precondition if it is being written or everything is being stopped.
        """
        snapshot, loaded = None, None
        if content is None:
            snapshot = await self._snapshot()
            loaded = snapshot.loaded
        else:
            loaded = await worker_threads.run(judged, content)
        if loaded is None:
            raise NotFound("cannot update: there is no automations file in the workspace")
        if snapshot is not None and snapshot.writing and not dry_run:
            name = self._applied.name(snapshot)
            raise Precondition(f"cannot update: {name} is open for writing; try again once it is written")
        if self._is_draining and not dry_run:
            raise Precondition("cannot update: the supervisor is shutting down")
        changes = None if loaded.file is None else self._applied.changes(loaded.file)
        if not dry_run and snapshot is not None:
            self._applied.apply(snapshot)
        elif not dry_run and loaded.file is not None:
            self._applied.apply_text(loaded.file)
        return "" if snapshot is None else str(snapshot.found.path), loaded, changes

    async def moved(self) -> None:
        """A client may have set another path in the environment's spec: carry out the file that is there."""
        last = self._applied.last
        if last is None:
            self._look_again()  # no version counts yet
        elif last.specified == self._specified():
            return  # an update of something else is not an order to read the file
        else:
            try:
                await self.update()
            except (NotFound, Precondition):
                self._look_again()
        if self._watching is not None and self._places() != self._watched:
            self._watching.cancel()  # and watch the other places

    async def _follow(self) -> None:
        """Look at the file when there is reason to, and carry out what counts."""
        candidate: Candidate | None = None
        self._look_due = self._settings.watch or self._is_unsettled
        while True:
            self._wake = anyio.Event()
            if self._ordered:
                with self._service_manager.reloading():
                    candidate = await self._obey(candidate)
            elif self._look_due or candidate is not None:
                self._look_due = False
                candidate = self._consider(await self._snapshot(), candidate)
            at_s = math.inf if candidate is None else look_at(candidate, self._removes, self._now_s())
            with anyio.move_on_after(max(0.0, at_s - self._now_s())):
                await self._wake.wait()

    async def _obey(self, candidate: Candidate | None) -> Candidate | None:
        """Read the file because of an order: no quiet is needed."""
        self._ordered = self._look_due = False
        snapshot = await self._snapshot()
        if snapshot.writing:
            self._report.notice(f"the automations file is not read yet: {_BEING_WRITTEN}")
            return self._consider(snapshot, candidate)
        if not self._is_draining and not self._applied.says_nothing_new(snapshot):
            self._applied.apply(snapshot)
        return None

    def _consider(self, snapshot: Snapshot, before: Candidate | None) -> Candidate | None:
        """Carry out what was seen, if it counts; else the candidate that it is."""
        if self._is_draining or self._applied.says_nothing_new(snapshot):
            return None
        now_s = self._now_s()
        version = snapshot.says, snapshot.identity
        candidate = seen(before, version, snapshot.writing, now_s)
        self._removes = self._applied.would_remove(snapshot)
        due_s = counts_at(candidate, self._removes)
        if due_s is not None and due_s <= now_s:
            self._applied.apply(snapshot)
            return None
        if candidate.writing and not self._writer_reported and now_s - candidate.began_s >= REPORT_WRITER_S:
            self._writer_reported = True
            self._report.notice(f"the automations file has changed and is not read yet: {_BEING_WRITTEN}")
        return candidate

    async def _watch_places(self) -> None:
        from supervisor.host.state.file_watch import look, watch

        while True:
            self._watched = self._places()
            with anyio.CancelScope() as self._watching:
                since = await look(self._watched)
                self._look_again()  # the watch reports only what changes after its own look
                await watch(self._watched, self._look_again, self._report.notice, since=since)

    def _look_again(self) -> None:
        self._writer_reported = False
        self._look_due = True
        if self._wake is not None:
            self._wake.set()

    async def _snapshot(self) -> Snapshot:
        self._reading = self._reading or anyio.Lock()
        async with self._reading:
            while True:
                take = self._snapshots.take
                snapshot = await worker_threads.run(take, self._specified(), abandon_on_cancel=True)
                if not snapshot.short:
                    return snapshot
                # The machine was short of something: that says nothing about the file.
                worker_threads.report_shortage(snapshot.short)
                await anyio.sleep(_SHORT_S)

    @property
    def _is_draining(self) -> bool:
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
