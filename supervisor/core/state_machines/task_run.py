"""The state machine of a task run: one run of a task's command, as one or several executions use it.

An event is a fact of the run, that no execution needs it, or its kill deadline. `TABLE` says what each does in each
state. `docs/states.md` shows the table and a diagram.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisor.core.state_machines.transitions import IGNORED, NEVER, step_of
from supervisor.lean.frozen import replace
from supervisor.lean.typing import Any, assert_never
from supervisor.model.action import Action, Kill, RunKind, Spawn, Terminate
from supervisor.model.fact import Exited, MainExited, OutputRead, ProbeEnded, RunFact, Started
from supervisor.model.moment import Now
from supervisor.model.phase import RunPhase
from supervisor.model.record import TaskRun
from supervisor.model.states import RunEnded, RunLive, RunState, RunStopping

STOP_GRACE_S = 10.0
LIVE, STOPPING, ENDED = RunPhase.LIVE, RunPhase.STOPPING, RunPhase.ENDED
Decision = tuple[TaskRun, tuple[Action, ...]]


def _read_output(run: TaskRun, _state: RunLive | RunStopping, fact: OutputRead, _now: Now) -> Decision:
    """Keep them."""
    return replace(run, output=fact.output), ()


def _end(run: TaskRun, state: RunLive | RunStopping, fact: Exited, _now: Now) -> Decision:
    """Keep how it ended."""
    stopped = isinstance(state, RunStopping)
    killed = isinstance(state, RunStopping) and state.kill_at is None
    output = run.output if fact.output is None else fact.output
    return replace(run, state=RunEnded(fact.exit, fact.tail, stopped, killed), output=output), ()


def _terminate(run: TaskRun, _state: RunLive, kill_by: float | None, now: Now) -> Decision:
    """Send SIGTERM; the kill deadline comes after 10 s, or when a drain ends if that is earlier."""
    kill_at = now.mono_s + STOP_GRACE_S
    kill_at = kill_at if kill_by is None else min(kill_at, kill_by)
    return replace(run, state=RunStopping(kill_at)), (Terminate(run.id),)


def _hurry(run: TaskRun, state: RunStopping, kill_by: float, _now: Now) -> Decision:
    """Keep the earlier of two kill deadlines, unless SIGKILL was sent."""
    if state.kill_at is None or state.kill_at <= kill_by:
        return run, ()
    return replace(run, state=RunStopping(kill_by)), ()


def _kill(run: TaskRun, _state: RunStopping, _given: None, _now: Now) -> Decision:
    """Send SIGKILL."""
    return replace(run, state=RunStopping(None)), (Kill(run.id),)


class TaskRunEvent:
    """What may happen to a task run, in the words of `docs/states.md`."""

    UNNEEDED = "no execution needs it any more"
    HURRIED = "a drain sets a kill deadline"
    STARTED = "the command runs"
    OUTPUT = "the command wrote outputs"
    MAIN_ENDED = "the command ended, others of its process tree live"
    TREE_ENDED = "its process tree ended"
    KILL_DUE = "the kill deadline has come"


_Step = Callable[[TaskRun, Any, Any, Now], Decision]
"""Called with the state of the row and what came with the event of the cell."""
Cell = tuple[_Step, tuple[RunPhase, ...]] | str
E = TaskRunEvent

TABLE: Mapping[type[RunState], Mapping[str, Cell]] = {
    RunLive: {
        E.UNNEEDED: (_terminate, (STOPPING,)),
        E.HURRIED: IGNORED,
        E.STARTED: IGNORED,
        E.OUTPUT: (_read_output, (LIVE,)),
        E.MAIN_ENDED: IGNORED,
        E.TREE_ENDED: (_end, (ENDED,)),
        E.KILL_DUE: NEVER,
    },
    RunStopping: {
        E.UNNEEDED: NEVER,
        E.HURRIED: (_hurry, (STOPPING,)),
        E.STARTED: IGNORED,
        E.OUTPUT: (_read_output, (STOPPING,)),
        E.MAIN_ENDED: IGNORED,
        E.TREE_ENDED: (_end, (ENDED,)),
        E.KILL_DUE: (_kill, (STOPPING,)),
    },
    RunEnded: {
        E.UNNEEDED: NEVER,
        E.HURRIED: IGNORED,
        E.STARTED: IGNORED,
        E.OUTPUT: IGNORED,
        E.MAIN_ENDED: IGNORED,
        E.TREE_ENDED: IGNORED,
        E.KILL_DUE: NEVER,
    },
}


def spawn_of(run: TaskRun) -> Spawn:
    """How it is started."""
    spec = run.spec
    return Spawn(run.id, RunKind.TASK, run.task_id, run.reference, spec.command, spec.runs_on, spec.env)


def observe(run: TaskRun, fact: RunFact, now: Now) -> Decision:
    """The record with a fact of this run folded in."""
    if isinstance(fact, ProbeEnded):
        return run, ()  # only services have probes
    return take(run, _event_of(fact), fact, now)


def stop(run: TaskRun, now: Now, kill_by: float | None = None) -> Decision:
    """No execution needs it any more. It gets its grace period, but none beyond `kill_by`."""
    return take(run, TaskRunEvent.UNNEEDED, kill_by, now)


def hurry(run: TaskRun, kill_by: float, now: Now) -> Decision:
    """A drain ends at `kill_by`."""
    return take(run, TaskRunEvent.HURRIED, kill_by, now)


def decide(run: TaskRun, now: Now) -> Decision:
    """Kill it when its deadline has come."""
    at = deadline(run)
    return take(run, TaskRunEvent.KILL_DUE, None, now) if at is not None and at <= now.mono_s else (run, ())


def take(run: TaskRun, event: str, given: RunFact | float | None, now: Now) -> Decision:
    """What `TABLE` says of an event. `given` is what came with it."""
    step = step_of(TABLE[type(run.state)], event)
    return (run, ()) if step is None else step(run, run.state, given, now)


def deadline(run: TaskRun) -> float | None:
    """When `decide` must look again although no fact came, on the monotonic clock; None: never."""
    return run.state.kill_at if isinstance(run.state, RunStopping) else None


def _event_of(fact: Started | OutputRead | MainExited | Exited) -> str:
    match fact:
        case Started():
            return TaskRunEvent.STARTED
        case OutputRead():
            return TaskRunEvent.OUTPUT
        case MainExited():
            return TaskRunEvent.MAIN_ENDED
        case Exited():
            return TaskRunEvent.TREE_ENDED
        case _:
            assert_never(fact)
