"""What `run` and `run-task --standalone` show: changes of phases, log lines, what is waited for, why something failed.

The printer formats; `follower` decides what is printed when.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import islice

from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.visible import style
from supervisor.config import Loaded, Severity
from supervisor.core import queries
from supervisor.core.items.diff import Changes
from supervisor.core.records import Records
from supervisor.core.state_machines.execution import is_over
from supervisor.hub import Change
from supervisor.lean.typing import TYPE_CHECKING, Any, assert_never
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Execution, PlanStep, Service, TaskStep
from supervisor.model.step_states import NO_STEPS, NOT_BEGUN, NOT_RUN, StepState, StepStates

if TYPE_CHECKING:
    from supervisor.cli.terminal.follower import Follower

COLOURS = {
    "running": "green",
    "succeeded": "green",
    "failed": "red",
    "stopped": "yellow",
    "deleted": "yellow",
}
MOST_NOT_RUN = 20
"""How many steps are named that were not run."""
NAME_WIDTH = 12
"""The width of the column in which a run's name stands before its output."""
PATIENCE_S = 5.0
"""How long a wait lasts before it is worth a line, and then until the next line."""


class Event(dict[str, Any]):
    """One thing to print: the keys of its JSON form."""


class Printer:
    """Prints events as lines for people, or as one JSON object a line."""

    def __init__(self, outlet: Outlet, as_json: bool = False) -> None:
        """Print to `outlet`."""
        self._outlet = outlet
        self._json = as_json
        self._follower: Follower | None = None
        self._since: dict[str, float] = {}
        """When each thing got to its present phase, by id."""
        self._reported: dict[str, float] = {}
        """When each wait was last reported, by id."""

    def use(self, follower: Follower) -> None:
        """Have this follower print what happened before a notice, and know which output has been printed."""
        self._follower = follower

    # The file and the supervisor itself (boot.Report)

    def loaded(self, name: str, loaded: Loaded) -> None:
        """The file was read: print its problems."""
        for problem in loaded.problems:
            word = "warning" if problem.severity is Severity.WARNING else "error"
            self._event(Event(kind="file", severity=word, text=problem.render(name)))

    def applied(self, changes: Changes) -> None:
        """An edit was carried out: print what it did."""
        done = {name: list(getattr(changes, name)) for name in ("added", "removed", "restarted", "updated")}
        not_started = {"added": " (not started)"}
        text = "; ".join(
            f"{name} {', '.join(items)}{not_started.get(name, '')}" for name, items in done.items() if items
        )
        if text:
            self._event(Event(kind="edit", text=f"file edited: {text}", **done))

    def notice(self, text: str) -> None:
        """Print something else that a person should know, after what happened before it."""
        if self._follower is not None:
            self._follower.catch_up()
        self._event(Event(kind="notice", text=text))

    def warning(self, text: str) -> None:
        """Print a module's warning. Called in any thread."""
        self._event(Event(kind="notice", text=text))

    # Changes

    def change(self, change: Change) -> None:
        """Print a change if people want to know of it. Changes of deadlines, for example, they do not."""
        match change.after:
            case Service() as service:
                before = change.before if isinstance(change.before, Service) else None
                self._service(before, service)
            case Execution() as execution:
                before_execution = change.before if isinstance(change.before, Execution) else None
                self._execution(before_execution, execution)
            case _:
                pass

    def waiting(self, records: Records) -> bool:
        """Print what the supervisor has been waiting for for a while. Returns whether it waits for anything."""
        now = time.monotonic()
        waits = list(queries.waits(records))
        for wait in waits:
            match wait:
                case queries.ServiceWait(service):
                    self._patience(service.id, f"service {service.item.reference}", wait.why, now)
                case queries.ExecutionWait(execution, steps, follows):
                    for step in steps:
                        if isinstance(step, TaskStep) and not follows:
                            id_ = f"{execution.id}/{step.id}"
                            self._patience(id_, f"step {step.reference}", "to end", now, factor=6)
                case queries.OperationWait(operation):
                    self._since.setdefault(operation.id, now)
                    self._patience(operation.id, f"operation {operation.name}", "to end", now)
                case _:
                    assert_never(wait)
        return bool(waits)

    def _patience(self, id_: str, name: str, why: str, now: float, factor: int = 1) -> None:
        waited = now - self._since.get(id_, now)
        if waited >= PATIENCE_S * factor and now - self._reported.get(id_, 0.0) >= PATIENCE_S * factor:
            self._reported[id_] = now
            colon = "" if why.startswith("to ") else ":"
            text = f"waiting for {name}{colon} {why}, {waited:.0f} s"
            self._event(Event(kind="waiting", text=text))

    def _service(self, before: Service | None, service: Service) -> None:
        if before is None or before.phase is service.phase:
            return
        detail = self._took(service.id, service.phase.value)
        if service.at_rest:
            detail = service.reason or detail
        self._phase("service", service.item.reference, service.phase.value, detail)
        if service.phase is ServicePhase.FAILED:
            self._tail(service.tail)

    def _execution(self, before: Execution | None, execution: Execution) -> None:
        if (before is None or before.phase is not execution.phase) and not is_over(execution):
            self._took(execution.id, execution.phase.value)
            self._phase(
                "task", execution.reference, execution.phase.value, f"started by {execution.started_by}"
            )
        for reference, id_, state in _changed_steps(execution, before):
            detail = self._took(f"{execution.id}/{id_}", state.phase.value)
            self._phase("step", reference, state.phase.value, state.reason or detail)
        if is_over(execution) and (before is None or not is_over(before)):
            detail = execution.reason or self._took(execution.id, execution.phase.value)
            self._phase("task", execution.reference, execution.phase.value, detail)
            self._tail(execution.tail if execution.phase is ExecutionPhase.FAILED else "")

    def _took(self, id_: str, phase: str) -> str:
        """How long the phase before lasted; empty if there was none."""
        now = time.monotonic()
        began = self._since.get(id_)
        if phase in ("starting", "pending", "running", "stopping"):
            self._since[id_] = now
        self._reported.pop(id_, None)
        return f"after {now - began:.1f} s" if began is not None else ""

    # Lines

    def log(self, name: str, line: str) -> None:
        """Print one line of a command's output as JSON. People get it from `run_output.PrefixedOutput`."""
        self._write(json.dumps({"time": _stamp(), "kind": "log", "reference": name, "line": line}))

    def _phase(self, kind: str, reference: str, phase: str, detail: str) -> None:
        self._event(Event(kind=kind, reference=reference, phase=phase, detail=detail))

    def _tail(self, tail: str) -> None:
        if tail and not self._json and not self._is_shown(tail):
            for line in tail.splitlines():
                self._write(f"{'':>{NAME_WIDTH}} | {line}")

    def _is_shown(self, words: str) -> bool:
        return self._follower is not None and self._follower.was_shown(words)

    def _event(self, event: Event) -> None:
        if self._json:
            self._write(json.dumps({"time": _stamp()} | event))
        elif "phase" in event:
            phase = f"{event['phase']:<9}"
            if colour := COLOURS.get(event["phase"]):
                phase = style(phase, colour)
            line = f"{time.strftime('%H:%M:%S')}  {event['kind']:<8}{event['reference']:<16} {phase}  {event['detail']}"
            self._write(line.rstrip())
        else:
            self._write(f"{time.strftime('%H:%M:%S')}  {event['text']}")

    def _write(self, line: str) -> None:
        self._outlet.put(line)


def _changed_steps(execution: Execution, before: Execution | None) -> Iterator[tuple[str, str, StepState]]:
    """Reference, id and state of the steps in another phase than before. A plan of one step is shown by its task alone.

    Steps that the execution takes over from the one that it followed were shown as that one's.
    """
    old = before.current if before is not None else NO_STEPS
    if len(execution.plan) == 1 or (is_over(execution) and not old):
        return
    first = before.group if before is not None and old else execution.group
    for index in range(first, execution.group + 1):
        was = old if index == first else NO_STEPS
        for step, state in _states(execution, index, was):
            if state.phase is not was.get(step.id, NOT_BEGUN).phase:
                yield step.reference, step.id, state
    if is_over(execution):
        yield from ((step.reference, step.id, NOT_RUN) for step in islice(_not_run(execution), MOST_NOT_RUN))


def _not_run(execution: Execution) -> Iterator[PlanStep]:
    begun = execution.group + bool(execution.current)
    groups = [part.last for part in execution.plan.down_to(begun)]
    return (step for group in reversed(groups) for step in group)


def _states(execution: Execution, index: int, was: StepStates) -> Iterator[tuple[PlanStep, StepState]]:
    """The steps of a group that has begun, with their states; of the group that runs those not as in `was`."""
    group = execution.plan[index] if index < len(execution.plan) else ()
    if index < execution.group:
        return zip(group, execution.passed.cut(index + 1).last, strict=True)
    return ((group[place], state) for place, _, state in execution.current.changed_since(was))


def _stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
