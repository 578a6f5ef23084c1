"""The engine: the single writer of the world.

    inbox -> world.step -> store -> publish -> act -> (facts come back to the inbox)

Everything here is synchronous: the first commands run before any event loop exists. `run` is the loop around it: it
turns when a fact was posted and when a deadline has come. A command is obeyed at once, in a step of its own, so that a
refusal reaches its sender. Facts are collected and folded together.

When the store fails (the disk is full, say) the changes are kept in memory and written with the next ones: commands and
their logs go on meanwhile, and `store_error` says what is wrong. Only operations are not started then. An exception in
the core is a bug: what the records mean is not known then, so every further step raises it again, and `run` ends the
process with it.
"""

from __future__ import annotations

import errno
import math
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.core.world import Outcome, World
from supervisor.hub import Change, ChangeEvent, Hub, contained
from supervisor.lean.late import anyio
from supervisor.lean.typing import TYPE_CHECKING, Protocol, assert_never
from supervisor.model.action import Action, Discard, Kill, Note, RunKind, Spawn, Terminate
from supervisor.model.command import (
    ApplyFile,
    Command,
    CreateService,
    CreateTask,
    UpdateEnvironment,
    UpdateService,
    UpdateTask,
    UpsertFile,
)
from supervisor.model.errors import StoreError, SupervisorError
from supervisor.model.exit import NotStarted
from supervisor.model.fact import Exited, Fact, FileRead, OutputRead, ProbeEnded
from supervisor.model.ids import RunId
from supervisor.model.moment import Clock, Now
from supervisor.model.record import Record

if TYPE_CHECKING:
    from supervisor.model.errors import ProblemSink

TURN_S = 0.02
"""A turn ends after so long although there are facts left, so that the loop can do something else."""
MOST_FACTS = 100
"""How many facts are folded in one step."""
RECENT_INPUTS = 50
"""How many inputs an exception in the core is reported with."""


class Performer(Protocol):
    """Acts on the machine. The facts that follow are posted, at once or later."""

    def perform(self, action: Action) -> None:
        """Perform an action. Never raises: a failure is a fact."""


class RecordStore(Protocol):
    """Keeps records."""

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        """Write what a step changed, all or nothing. Raises StoreError."""


class Engine:
    """Owns the world. All methods are called on one thread."""

    def __init__(
        self,
        world: World,
        store: RecordStore,
        hub: Hub,
        clock: Clock,
        problems: ProblemSink | None = None,
    ) -> None:
        """Begin with `world` as it is. Set `performer` before the first turn.

        `problems`: receives "records" when the store begins to fail and when it works again.
        """
        self.world = world
        self.hub = hub
        self.performer: Performer
        self.store_error = ""
        """Why the store cannot write; empty: it can."""
        self._store = store
        self._clock = clock
        self._problems = problems
        self._inbox: deque[Fact] = deque()
        self._actions: deque[Action] = deque()
        """What is still to be done, in order. The store has the records that ask for it."""
        self._to_start: set[RunId] = set()
        """The runs whose start is among that."""
        self._not_to_start: set[RunId] = set()
        """Those of them that are not needed any more."""
        self._act_until = -math.inf
        self._recent: deque[object] = deque(maxlen=RECENT_INPUTS)
        self._published: dict[str, Record] = {}
        self._unsaved: dict[str, tuple[Record, bool]] = {}
        """{id: the record as it is or was last, whether it was removed}"""
        self._turning = False
        self._bug: Exception | None = None
        self._wake: Callable[[], None] = lambda: None
        self._turned: anyio.Event | None = None
        """Is set at the end of the next turn, for `turned`."""
        self._published.update((record.id, record) for record in queries.everything(world.records))

    def now(self) -> Now:
        """The present moment."""
        return self._clock.now()

    def post(self, fact: Fact) -> None:
        """Take a fact, to be folded at the next turn."""
        self._inbox.append(fact)
        if not self._turning:
            self._wake()

    def fold(self, facts: Iterable[Fact]) -> None:
        """Fold facts now; `run` wakes only if it has to look earlier than it meant to."""
        before = self.world.deadline()
        self._inbox.extend(facts)
        # A hundred ends at once are all folded. Actions that were left before wait for `run`.
        self.turn(0.0 if self._actions else TURN_S)
        if self.store_error or self.world.deadline() != before:
            self._wake()

    def submit(self, *commands: Command) -> None:
        """Obey commands, now and in one step: they are stored together. Raises NotFound or Precondition if refused.

        A command that can be refused must be alone: what those before it changed would not be stored. Actions that take
        long, such as very many starts, are performed in the turns that follow.
        """
        self._act_until = self._clock.now().mono_s + TURN_S
        self._step(list(commands))
        self.turn()
        # The loop sleeps until a deadline that this may have brought forward.
        self._wake()

    def turn(self, most_s: float = TURN_S) -> None:
        """Fold what was posted and what is due, until nothing is left or it has taken `most_s`."""
        assert not self._turning
        if not self._inbox and not self._actions and not self.store_error and self._patience_s() > 0:
            return
        self._act_until = self._clock.now().mono_s + most_s
        while True:
            self._step([self._inbox.popleft() for _ in range(min(len(self._inbox), MOST_FACTS))])
            if not self._inbox and not self._actions:
                return
            if self._clock.now().mono_s >= self._act_until:
                self._wake()  # `run` continues, and signals are heeded between two turns
                return

    async def until(self, condition: Callable[[Records], bool]) -> None:
        """Wait until the records meet a condition."""
        changed = ChangeEvent()
        subscription = self.hub.subscribe(changed, limit=1)
        try:
            while not condition(self.world.records):
                await changed.wait()
                subscription.take()
        finally:
            self.hub.unsubscribe(subscription)

    async def turned(self) -> None:
        """Wait until `run` has turned once more. A sick process may never get there."""
        self._turned = turned = self._turned or anyio.Event()
        self._wake()
        await turned.wait()

    async def run(self) -> None:
        """Turn whenever there is reason to, until cancelled."""
        while True:
            wake = anyio.Event()
            self._wake = wake.set
            if self._bug is not None:
                raise self._bug  # a client's command caused it: the client has an error, and the process ends
            self.turn()
            if self._turned is not None:
                self._turned.set()
                self._turned = None
            with anyio.move_on_after(self._patience_s()):
                await wake.wait()

    def _patience_s(self) -> float:
        """How long `run` may sleep."""
        at = self.world.deadline()
        patience_s = math.inf if at is None else max(0.0, at - self._clock.now().mono_s)
        return min(patience_s, 1.0) if self.store_error else patience_s

    def _step(self, inputs: list[Command] | list[Fact]) -> None:
        if self._bug is not None:
            raise self._bug  # what the records mean is not known now
        self._recent.extend(map(_brief, inputs))
        self._turning = True
        try:
            outcome = self.world.step(inputs, self._clock.now())
            self._save(outcome)
            self._publish(outcome)
            self._act(outcome.actions)
        except SupervisorError:
            raise
        except Exception as error:
            # A bug. The process ends, its children live on, and the next supervisor finds them.
            error.add_note(
                "recent inputs, newest last:\n" + "\n".join(f"  {item!r}" for item in self._recent)
            )
            self._bug = error
            self._wake()
            raise
        finally:
            self._turning = False

    def _act(self, actions: Iterable[Action]) -> None:
        """Do what there is to do, in order, and of what takes long at least a part."""
        for action in actions:
            match action:
                case Spawn(run_id):
                    self._to_start.add(run_id)
                case Terminate(run_id) | Kill(run_id) if run_id in self._to_start:
                    self._not_to_start.add(run_id)
                    continue
                case _:
                    pass
            self._actions.append(action)
        while self._actions:
            self._perform(self._actions.popleft())
            if self._clock.now().mono_s >= self._act_until:
                return

    def _perform(self, action: Action) -> None:
        """Have it done. What does not succeed is no bug of the core, where that leaves no doubt about what lives.

        A signal that was not sent is made up for by the next supervisor alone, so that ends this one.
        """
        perform = partial(self.performer.perform, action)
        match action:
            case Spawn(run_id=run_id, kind=RunKind.OPERATION) if self.store_error:
                # Its command is to run once, and nobody would know of it if this process died now.
                self._to_start.discard(run_id)
                why = f"it cannot be written down that it runs: {self.store_error}"
                self.post(Exited(run_id, NotStarted(why, errno.ENOSPC)))
            case Spawn(run_id=run_id):
                self._to_start.discard(run_id)
                if run_id in self._not_to_start:
                    self._not_to_start.discard(run_id)
                    self.post(Exited(run_id, NotStarted("it was stopped before it could start")))
                elif not contained(f"what starts run {run_id}", perform):
                    self.post(Exited(run_id, NotStarted("the supervisor met a bug, which its log has")))
            case Discard() | Note():
                contained("removing what is left of runs", perform)
            case Terminate() | Kill():
                perform()
            case _:
                assert_never(action)

    def _save(self, outcome: Outcome) -> None:
        unsaved = self._unsaved
        unsaved.update((record.id, (record, False)) for record in outcome.changed)
        unsaved.update((record.id, (record, True)) for record in outcome.removed)
        if not unsaved:
            return
        changed = [record for record, is_removed in unsaved.values() if not is_removed]
        removed = [record for record, is_removed in unsaved.values() if is_removed]
        try:
            self._store.save(changed, removed)
        except StoreError as error:
            self._set_store_error(str(error))
        else:
            unsaved.clear()
            self._set_store_error("")

    def _set_store_error(self, error: str) -> None:
        if error != self.store_error:
            self.store_error = error
            if self._problems is not None:
                contained(
                    "the report of a store problem", partial(self._problems.on_problem, "records", error)
                )

    def _publish(self, outcome: Outcome) -> None:
        changes = [Change(self._published.get(record.id), record) for record in outcome.changed]
        self._published.update((record.id, record) for record in outcome.changed)
        for record in outcome.removed:
            self._published.pop(record.id, None)
            changes.append(Change(record, None))
        self.hub.publish(changes)


def _brief(item: Command | Fact) -> object:
    """An input as it is reported: of what may be large, or hold a secret, only what it is of."""
    match item:
        case OutputRead(run_id, output):
            return f"OutputRead({run_id!r}, {len(output)} outputs)"
        case ProbeEnded(run_id, end, count=count):
            return f"ProbeEnded({run_id!r}, {end!r}, count={count})"
        case Exited(run_id, end, output=output) if output:
            return f"Exited({run_id!r}, {end!r}, {len(output)} outputs)"
        case ApplyFile(file) | UpsertFile(file):
            return f"{type(item).__name__}({len(file.services)} services, {len(file.tasks)} tasks)"
        case CreateService(created) | CreateTask(created):
            return f"{type(item).__name__}({created.reference!r})"
        case UpdateService(id_) | UpdateTask(id_):
            return f"{type(item).__name__}({id_!r})"
        case UpdateEnvironment():
            return "UpdateEnvironment()"
        case FileRead(presence, path, session):
            return f"FileRead({presence!r}, {path!r}, {session!r})"
        case _:
            return item
