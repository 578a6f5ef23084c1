"""A world under a test's hand: commands and facts in, actions out, a clock that moves only when told.

Every step checks all invariants, so every test of the core is also a test of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from supervisor.core import queries
from supervisor.core.invariants import violations
from supervisor.core.world import Outcome, World
from supervisor.model.action import Action, Discard, Kill, Note, RunKind, Spawn, Terminate
from supervisor.model.command import ApplyFile, Command
from supervisor.model.exit import SUCCESS, Exit, ExitCode
from supervisor.model.fact import Exited, Fact, MainExited, OutputRead, ProbeEnded, Started
from supervisor.model.ids import OperationId, RunId, derived
from supervisor.model.moment import Now
from supervisor.model.operation_record import Operation, RunOperation
from supervisor.model.phase import ServicePhase
from supervisor.model.record import Execution, Service, Task
from supervisor.model.spec import AutomationsFile, ServiceItem, ServiceSpec, TaskItem, TaskSpec, Trigger
from supervisor.model.states import (
    AtRest,
    Deleted,
    Running,
    ServiceSession,
    ServiceState,
    Starting,
    Stopping,
)

SESSION = ServiceSession("session", ServiceSpec("serve"), RunId("s.1"))
STATES: Mapping[ServicePhase, ServiceState] = {
    ServicePhase.STOPPED: AtRest(SESSION),
    ServicePhase.FAILED: AtRest(SESSION, failure="exited 1"),
    ServicePhase.STARTING: Starting(SESSION),
    ServicePhase.RUNNING: Running(SESSION),
    ServicePhase.STOPPING: Stopping(SESSION, kill_at=7.0),
    ServicePhase.DELETED: Deleted(AtRest(SESSION)),
}
"""A state for each phase of a service."""
SEED = "00000000-0000-4000-8000-000000000000"


def service(reference: str, start: str = "serve", **fields: Any) -> ServiceItem:
    """A service item; `ready`, `stop`, `readiness_timeout_s` go to its spec, the rest to the item."""
    spec = {key: fields.pop(key) for key in ("ready", "stop", "readiness_timeout_s") if key in fields}
    return ServiceItem(reference, fields.pop("name", reference), ServiceSpec(start, **spec), **fields)


def task(
    reference: str, *depends_on: str, command: str = "work", triggers: Iterable[Trigger] = ()
) -> TaskItem:
    return TaskItem(reference, reference, TaskSpec(command), triggers=tuple(triggers), depends_on=depends_on)


def file(*items: ServiceItem | TaskItem) -> AutomationsFile:
    return AutomationsFile(
        {item.reference: item for item in items if isinstance(item, ServiceItem)},
        {item.reference: item for item in items if isinstance(item, TaskItem)},
    )


class Playbook:
    """Drives a world and remembers what it wants done. Runs are named by what they are: `web`, `web.ready`, `build`."""

    def __init__(self, *items: ServiceItem | TaskItem) -> None:
        self.world = World()
        self.mono_s = 1000.0
        self.stamps = 0
        self.runs: dict[str, RunId] = {}
        """{name: the run id of its newest spawn}"""
        self.outcome = Outcome((), (), ())
        self._checked: list[Execution] = []
        """The executions after the last step, which broke no rule."""
        self.pids = 0
        self.discarded: list[str] = []
        """The run ids whose directories were to be removed so far."""
        if items:
            self.apply(*items)

    # In

    def do(self, *inputs: Command | Fact) -> list[str]:
        """One step. Returns the actions as words: `spawn web`, `terminate build`, `kill web.stop`."""
        self.outcome = self.world.step(inputs, Now(self.mono_s, self.mono_s + 1e9))
        records = self.world.records
        assert list(violations(records, self._checked)) == []
        self._checked = [*records.executions.values()]
        return [word for action in self.outcome.actions if (word := self._word(action))]

    def apply(self, *items: ServiceItem | TaskItem) -> list[str]:
        return self.do(ApplyFile(file(*items), self.stamp()))

    def operate(self, name: str, command: str = "work", limit_s: float = 0.0) -> list[str]:
        """Have a command run as the operation `name`."""
        return self.do(RunOperation(OperationId(name), command, "", limit_s, self.stamp()))

    def started(self, name: str) -> list[str]:
        self.pids += 1
        return self.do(Started(self.runs[name], self.pids))

    def exited(self, name: str, end: Exit | int = SUCCESS, **fields: object) -> list[str]:
        end = ExitCode(end) if isinstance(end, int) else end
        return self.do(Exited(self.runs[name], end, **fields))  # type: ignore[arg-type]

    def probed(self, name: str, end: Exit | int, tail: str = "", **fields: object) -> list[str]:
        """A probe has ended that did not exit 0, in another way than the one before."""
        end = ExitCode(end) if isinstance(end, int) else end
        return self.do(ProbeEnded(self.runs[f"{name}.ready"], end, tail, tail, **fields))  # type: ignore[arg-type]

    def ready(self, name: str, tail: str = "") -> list[str]:
        """A probe has exited 0."""
        run_id = self.runs[f"{name}.ready"]
        return self.do(ProbeEnded(run_id, SUCCESS, "", tail), Exited(run_id, SUCCESS))

    def main_exited(self, name: str, end: Exit | int = SUCCESS) -> list[str]:
        return self.do(MainExited(self.runs[name], ExitCode(end) if isinstance(end, int) else end))

    def wrote(self, name: str, **output: str) -> list[str]:
        return self.do(OutputRead(self.runs[name], output))

    def after(self, seconds: float) -> list[str]:
        """Let time pass, with a step at every deadline on the way."""
        end = self.mono_s + seconds
        words: list[str] = []
        while (at := self.world.deadline()) is not None and at <= end:
            self.mono_s = at
            words += self.do()
        self.mono_s = end
        return words + self.do()

    # Out

    def service(self, reference: str) -> Service:
        return next(s for s in self.world.records.services.values() if s.item.reference == reference)

    def task(self, reference: str) -> Task:
        return next(t for t in self.world.records.tasks.values() if t.item.reference == reference)

    def executions(self, reference: str) -> list[Execution]:
        mine = [x for x in self.world.records.executions.values() if x.reference == reference]
        return sorted(mine, key=lambda execution: execution.created_s)

    def execution(self, reference: str) -> Execution:
        return self.executions(reference)[-1]

    def operation(self, name: str) -> Operation | None:
        return queries.operation(self.world.records, OperationId(name))

    def phases(self, reference: str) -> dict[str, str]:
        """{step's reference: its phase} of the newest execution."""
        execution = queries.shown(self.world.records, self.execution(reference))
        return {s.reference: execution.steps[s.id].phase.value for group in execution.plan for s in group}

    def stamp(self) -> str:
        self.stamps += 1
        return derived(SEED, str(self.stamps))

    def _word(self, action: Action) -> str:
        match action:
            case Spawn(run_id, kind, _, reference):
                name = (
                    reference
                    if kind in (RunKind.START, RunKind.TASK, RunKind.OPERATION)
                    else f"{reference}.{kind.value}"
                )
                self.runs[name] = run_id
                return f"spawn {name}"
            case Terminate(run_id):
                return f"terminate {self._name(run_id)}"
            case Kill(run_id):
                return f"kill {self._name(run_id)}"
            case Note(run_id, text):
                return f"note {self._name(run_id)}: {text}"
            case Discard(run_ids):
                self.discarded += run_ids
                return ""

    def _name(self, run_id: str) -> str:
        return next(name for name, id_ in self.runs.items() if id_ == run_id)
