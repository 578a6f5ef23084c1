"""Boot: from settings to a running supervisor, and from there to its end.

The order matters: lock, store, machine, file, triggers. The first commands run before the event loop, and what that
takes, is imported: a service must not wait for it. Everything before `serve` is synchronous.

A supervisor that finds records of the same boot goes on with what lives and fires nothing; after a clean end or another
boot it starts the environment: the triggers fire.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from supervisor.api.sockets import Address, Sockets, parse_listen
from supervisor.config import Found, Loaded, Presence, find_file, load_bytes
from supervisor.config.lookup import PLACES
from supervisor.config.problem import Problem
from supervisor.config.source import read
from supervisor.core.diff import Changes, compare
from supervisor.core.records import Records
from supervisor.core.triggers import ENVIRONMENT_START
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host import clock
from supervisor.host.environ import cleaned, compose
from supervisor.host.machine import Machine
from supervisor.host.rundir import RunDir
from supervisor.host.shimlink import ShimLink
from supervisor.host.statedir import StateDir, default_path
from supervisor.host.store import Store
from supervisor.hub import Hub
from supervisor.model.action import RunKind, Spawn
from supervisor.model.command import ApplyFile, Drain, FireTrigger, StartTask
from supervisor.model.fact import EnvironmentStarted, FileRead
from supervisor.model.frozen import dataclass
from supervisor.model.ids import fresh
from supervisor.model.spec import AutomationsFile, Trigger

if TYPE_CHECKING:
    from anyio import CancelScope

Edge = Callable[[], Coroutine[Any, Any, None]]
"""A task at the edge that runs until it is cancelled."""
Work = Callable[[], Coroutine[Any, Any, int]]
"""What a supervisor is there for: ends with an exit status, or never."""

DRAIN_GRACE_S = 30.0
SWEEP_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for."""

    workspace: Path
    specified: Path | None = None
    """The automations file, if the user named it; None: looked up in the workspace."""
    state_dir: Path | None = None
    """None: the default for this workspace."""
    watch: bool = True
    log_limit_bytes: int = 64 * 1024 * 1024
    api: Api | None = None
    """None: no API is served."""


@dataclass(frozen=True, slots=True)
class Api:
    """How the API is served beside the Unix socket in the state directory."""

    listen: str = ""
    """HOST:PORT, or none; empty: the default address, or a free port where that is taken."""
    public_url: str = ""
    host_names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


class Report(Protocol):
    """Who is told what happens to the file and to the supervisor itself."""

    def loaded(self, name: str, loaded: Loaded, kept: bool) -> None:
        """The file was read. `kept`: it is refused, and what the last good one said stays."""

    def applied(self, changes: Changes) -> None:
        """An edit was carried out."""

    def notice(self, text: str) -> None:
        """Something else that a person should know."""


class Supervisor:
    """One state directory's engine with the machine below it and the file above it."""

    def __init__(self, settings: Settings, link: ShimLink, report: Report) -> None:
        """Take the state directory and go on with what is in it.

        Raises StateInUse if another supervisor has it, MachineError if it cannot be used. `adopt` comes next.
        """
        self.settings = settings
        self.report = report
        self._content: bytes | Problem | None = None
        self._grace_s = DRAIN_GRACE_S
        self._detach = self._asked_to_end = False
        self._work_is_over: Callable[[], None] = lambda: None
        self._starting = True  # what the file says is nobody's edit until it was looked at once
        path = settings.state_dir or default_path(str(settings.workspace), os.environ)
        self.state = StateDir(path, str(settings.workspace))
        self.store = Store(self.state.database)
        if self.store.damaged:
            report.notice(
                f"the database was damaged: set aside as {self.store.damaged}, beginning with an empty one"
            )
        self.sockets = self._listen(settings.api)
        records, revision = self.store.load()
        self.engine = Engine(World(records, revision), self.store, Hub(), clock.now)
        self.environment_id = self._environment_id()
        self.machine = Machine(
            self.state.path,
            link,
            self._environ(),
            settings.workspace,
            self.engine.post,
            settings.log_limit_bytes,
        )
        self.engine.performer = self.machine
        self.engine.post(EnvironmentStarted(self.environment_id))
        self.resumes = self._was_cut_off()

    # Before the event loop

    def adopt(self) -> list[str]:
        """Find what another supervisor left alive, and what became of the rest: before anything else is done.

        Apart from making the object, so that whoever subscribed sees it. Returns the ids of the executions that were
        under way.
        """
        executions = list(self.engine.world.records.live)
        self.machine.adopt(self._live_runs())
        self.engine.turn()
        return executions

    def read_file(self) -> Loaded | None:
        """Read the file and carry out what changed; None if there is none, or if it is what it was.

        A bad file changes nothing: what the last good one said stays.
        """
        found = find_file(self.settings.workspace, self.settings.specified)
        if found.path is None:
            self._starting = False
            self._file_is_gone()
            return None
        content = read(found.path)
        if content == self._content:
            return None
        self._content = content
        starting, self._starting = self._starting and not self.resumes, False
        loaded = Loaded(None, (content,)) if isinstance(content, Problem) else load_bytes(content)
        name = os.path.relpath(found.path)
        self.report.loaded(name, loaded, kept=not starting and loaded.file is None)
        self.engine.post(_file_read(found, self.settings.workspace, loaded))
        if loaded.file is not None:
            self._apply(loaded.file, quiet=starting)
        return loaded

    def fire(self, *triggers: Trigger) -> list[str]:
        """Fire triggers in order. Returns the ids of the executions they made."""
        records = self.engine.world.records
        before = set(records.executions)
        for trigger in triggers:
            self.engine.submit(FireTrigger(trigger, fresh()))
        return [id_ for id_ in records.executions if id_ not in before]

    def start_environment(self) -> list[str]:
        """Fire what starting an environment fires, unless this supervisor goes on where another was cut off."""
        return [] if self.resumes else self.fire(*ENVIRONMENT_START)

    def start_task(self, task_id: str) -> str:
        """Execute a task. Returns the execution's id. Raises NotFound or Precondition."""
        execution_id = fresh()
        self.engine.submit(StartTask(task_id, execution_id))
        return execution_id

    def drain(self, grace_s: float = DRAIN_GRACE_S) -> None:
        """Stop everything; a second call with less grace hurries."""
        self.engine.submit(Drain(grace_s))

    def end(self, grace_s: float = DRAIN_GRACE_S, detach: bool = False) -> None:
        """End the work as a signal does; `detach`: leave what lives to the next supervisor instead of stopping it."""
        self._grace_s, self._detach, self._asked_to_end = grace_s, detach, True
        self._work_is_over()

    def close(self) -> None:
        """Release the state directory. What lives goes on living; after a drain nothing does."""
        if self.engine.world.records.draining and self.engine.world.records.settled():
            self.store.put("drained", "1")
        if self.sockets is not None:
            self.sockets.close()
        self.machine.close()
        self.store.close()
        self.state.close()

    def _apply(self, file: AutomationsFile, quiet: bool) -> None:
        records = self.engine.world.records
        changes = compare(file, records.services.values(), records.tasks.values())
        self.engine.submit(ApplyFile(file, fresh()))
        if not quiet:
            self.report.applied(changes)

    def _file_is_gone(self) -> None:
        if self._content is not None:
            self._content = None
            self.engine.post(FileRead(Presence.ABSENT.value, "", fresh()))
            self.report.notice(
                "the automations file is gone: what it said last stays until there is one again"
            )

    def _listen(self, api: Api | None) -> Sockets | None:
        """Bind before anything starts: an address that cannot be had is an error then, and clients may wait on it."""
        if api is None:
            return None
        address = parse_listen(api.listen) if api.listen else Address()
        return Sockets(self.state.api_socket, address, self.report.notice)

    def _environ(self) -> Callable[[Spawn, RunDir], dict[str, str]]:
        """How a command's environment is composed."""
        base = cleaned(os.environ, sys.prefix if sys.prefix != sys.base_prefix else "")
        environment_id = self.environment_id

        def environ(spawn: Spawn, folder: RunDir) -> dict[str, str]:
            return compose(
                base,
                {},
                spawn.env,
                lambda _secret_id: None,
                workspace=str(self.settings.workspace),
                run_id=spawn.run_id,
                environment_id=environment_id,
                output=folder.output(spawn.kind, spawn.reference),
                socket=str(self.state.api_socket),
            )

        return environ

    def _environment_id(self) -> str:
        """The id that this environment goes by; made once."""
        known = self.store.get("environment_id")
        if known is None:
            known = fresh()
            self.store.put("environment_id", known)
        return known

    def _was_cut_off(self) -> bool:
        """Whether the supervisor before this one ended within this boot without having drained. Notes our own start."""
        boot, before = clock.boot_id(), self.store.get("boot")
        cut_off = before == boot and self.store.get("drained") == "0"
        self.store.put("boot", boot)
        self.store.put("drained", "0")
        return cut_off

    def _live_runs(self) -> list[tuple[str, RunKind, str]]:
        """What the records say lives: run id, kind, reference."""
        records = self.engine.world.records
        runs = [(run.id, RunKind.TASK, run.reference) for run in records.runs.values() if run.exit is None]
        for service in records.services.values():
            slots = (
                (service.start, RunKind.START),
                (service.probe, RunKind.READY),
                (service.stop, RunKind.STOP),
            )
            runs += [(run_id, kind, service.item.reference) for run_id, kind in slots if run_id is not None]
        return runs

    # The event loop

    def serve(self, work: Work, edges: Sequence[Edge], held: list[int]) -> int:
        """Run until `work` is done or a signal came, drain, and see that nothing is left behind.

        `held`: the list that `hold_signals` gave. Returns what `work` returned, 0 after `end`, 130 after a signal.
        """
        import anyio

        try:
            return anyio.run(self._serve, work, edges, held)
        finally:
            hold_signals()  # the loop gave them back; what is left to do takes a moment

    async def until(self, condition: Callable[[Records], bool]) -> None:
        """Wait until the records meet a condition."""
        import anyio

        changed = anyio.Event()
        subscription = self.engine.hub.subscribe(lambda: changed.set(), limit=1)
        try:
            while not condition(self.engine.world.records):
                await changed.wait()
                changed = anyio.Event()
                subscription.take()
        finally:
            self.engine.hub.unsubscribe(subscription)

    async def _serve(self, work: Work, edges: Sequence[Edge], held: list[int]) -> int:
        import anyio

        status = 130
        async with anyio.create_task_group() as group:
            for edge in (self.engine.run, self.machine.run, self._watch, self._serve_api, *edges):
                group.start_soon(edge)
            with anyio.CancelScope() as working:
                self._work_is_over = working.cancel
                group.start_soon(self._signals, held, working)
                status = await work()
            if self._asked_to_end:
                status = 0
            if self._detach:
                group.cancel_scope.cancel()
                return status
            if not self.engine.world.records.draining:
                self.drain(self._grace_s)
            if not self.engine.world.records.settled():
                self.report.notice("stopping everything; Ctrl-C again kills what has not ended")
            await self.until(Records.settled)
            survivors = await self.machine.sweep(SWEEP_GRACE_S)
            if survivors:
                self.report.notice(
                    f"processes that SIGKILL does not end are left: {', '.join(map(str, survivors))}"
                )
            group.cancel_scope.cancel()
        return status

    async def _signals(self, held: list[int], working: CancelScope) -> None:
        """SIGINT and SIGTERM end the work, a second one kills what still lives; SIGHUP reads the file again."""
        import anyio

        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
            if held:
                working.cancel()
            async for number in received:
                if number == signal.SIGHUP:
                    self._file_changed()
                elif working.cancel_called or self.engine.world.records.draining:
                    self.drain(0.0)
                else:
                    working.cancel()

    async def _watch(self) -> None:
        """Carry out edits of the file while it is watched."""
        if not self.settings.watch:
            return
        from supervisor.host.watch import watch

        specified = self.settings.specified
        paths = [specified] if specified else [self.settings.workspace / place for place in PLACES]
        self._file_changed()  # edited since it was read: the watch tells what comes from now on
        await watch([str(path) for path in paths], self._file_changed, self.report.notice)

    async def _serve_api(self) -> None:
        """Answer clients."""
        if self.sockets is None or self.settings.api is None:
            return
        import anyio.to_thread

        # Most of a second of imports, during which the loop has better things to do.
        assembly = await anyio.to_thread.run_sync(importlib.import_module, "supervisor.api.assembly")
        site = assembly.Site(
            self.engine,
            self.sockets,
            self.environment_id,
            self.state.runs,
            self.state.path / "token.key",
            self.read_file,
            self.settings.api.public_url,
            self.settings.api.host_names,
            self.settings.api.origins,
        )
        await assembly.assemble(site).run()

    def _file_changed(self) -> None:
        if not self.engine.world.records.draining:
            self.read_file()


def _file_read(found: Found, workspace: Path, loaded: Loaded) -> FileRead:
    name = os.path.relpath(found.path or "", workspace)
    return FileRead(
        found.presence.value,
        name,
        fresh(),
        failure="\n".join(problem.render(name) for problem in loaded.errors),
        warning="\n".join(problem.render(name) for problem in loaded.warnings),
    )


def hold_signals() -> list[int]:
    """Note SIGINT and SIGTERM from now on instead of dying of them. Returns the list that they appear in."""
    seen: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: seen.append(received))
    return seen
