"""The state machine of an operation: a command that a client has run.

It ends by itself when its shell has ended. The supervisor ends it when its limit is over, when a client cancels it, and
in a drain: SIGTERM to its whole process tree, SIGKILL after a grace period; then it is over once nothing of that tree
lives. The first reason counts: it decides what callers get (`Operation.status`), whatever the command makes of SIGTERM.

An event is a fact of the run, a wish or a deadline. `TABLE` says what each does in each state. `docs/states.md` shows
the table and a diagram. That a command runs changes nothing in the record: each change is written to the disk, and
there are two for an operation that ends by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisor.core.state_machines.transitions import IGNORED, NEVER, step_of
from supervisor.lean.frozen import replace
from supervisor.lean.typing import Any, assert_never
from supervisor.model.action import Action, Kill, Note, RunKind, Spawn, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, NotStarted
from supervisor.model.fact import Exited, MainExited, OutputRead, ProbeEnded, RunFact, Started
from supervisor.model.moment import Now
from supervisor.model.operation_record import (
    SHOWN_COMMAND_CHARACTERS,
    EndReason,
    Operation,
    OperationEnded,
    OperationEnding,
    OperationLive,
    OperationState,
)
from supervisor.model.phase import RunPhase

GRACE_S = 10.0
"""Between SIGTERM and SIGKILL."""
LIVE, STOPPING, ENDED = RunPhase.LIVE, RunPhase.STOPPING, RunPhase.ENDED
Decision = tuple[Operation, tuple[Action, ...]]


def _run_out(operation: Operation, _state: OperationLive, _given: None, now: Now) -> Decision:
    """Send SIGTERM, because of the limit; the kill deadline comes after 10 s."""
    return _ending(operation, EndReason.LIMIT, now.mono_s + GRACE_S)


def _cancel(operation: Operation, _state: OperationLive, _given: None, now: Now) -> Decision:
    """Send SIGTERM, because a client wants it; the kill deadline comes after 10 s."""
    return _ending(operation, EndReason.CANCEL, now.mono_s + GRACE_S)


def _drain(operation: Operation, _state: OperationLive, kill_by: float, now: Now) -> Decision:
    """Send SIGTERM; the kill deadline comes after 10 s, or when the drain ends if that is earlier."""
    return _ending(operation, EndReason.DRAIN, min(now.mono_s + GRACE_S, kill_by))


def _ending(operation: Operation, why: str, kill_at: float) -> Decision:
    return replace(operation, state=OperationEnding(why, kill_at)), (Terminate(operation.id),)


def _hurry(operation: Operation, state: OperationEnding, kill_by: float, _now: Now) -> Decision:
    """Keep the earlier of two kill deadlines, unless SIGKILL was sent."""
    if state.kill_at is None or state.kill_at <= kill_by:
        return operation, ()
    return replace(operation, state=OperationEnding(state.why, kill_by)), ()


def _kill(operation: Operation, state: OperationEnding, _given: None, _now: Now) -> Decision:
    """Send SIGKILL."""
    return replace(operation, state=OperationEnding(state.why, None)), (Kill(operation.id),)


def _end(operation: Operation, state: OperationLive | OperationEnding, fact: Exited, now: Now) -> Decision:
    """Keep how it ended and how much it wrote; of the command keep the beginning; say why it was ended, if so."""
    asked = isinstance(state, OperationEnding) and not fact.unasked
    why = state.why if isinstance(state, OperationEnding) and asked else ""
    ended = replace(
        operation,
        command=operation.command[:SHOWN_COMMAND_CHARACTERS],
        state=OperationEnded(fact.exit, now.wall_s, why, fact.written, fact.lost),
    )
    text = note(ended)
    # One that never began has no file that a line could be added to.
    return ended, (Note(operation.id, text),) if text and not isinstance(fact.exit, NotStarted) else ()


class OperationEvent:
    """What may happen to an operation, in the words of `docs/states.md`."""

    CANCELLED = "a client cancels it"
    DRAINED = "a drain sets a kill deadline"
    OTHER_FACT = "another fact of its run"
    OVER = "its shell ended, or after SIGTERM its process tree"
    LIMIT_DUE = "its limit is over"
    KILL_DUE = "the kill deadline has come"


_Step = Callable[[Operation, Any, Any, Now], Decision]
"""Called with the state of the row and what came with the event of the cell."""
Cell = tuple[_Step, tuple[RunPhase, ...]] | str
E = OperationEvent

TABLE: Mapping[type[OperationState], Mapping[str, Cell]] = {
    OperationLive: {
        E.CANCELLED: (_cancel, (STOPPING,)),
        E.DRAINED: (_drain, (STOPPING,)),
        E.OTHER_FACT: IGNORED,
        E.OVER: (_end, (ENDED,)),
        E.LIMIT_DUE: (_run_out, (STOPPING,)),
        E.KILL_DUE: NEVER,
    },
    OperationEnding: {
        E.CANCELLED: IGNORED,
        E.DRAINED: (_hurry, (STOPPING,)),
        E.OTHER_FACT: IGNORED,
        E.OVER: (_end, (ENDED,)),
        E.LIMIT_DUE: NEVER,
        E.KILL_DUE: (_kill, (STOPPING,)),
    },
    OperationEnded: {
        E.CANCELLED: IGNORED,
        E.DRAINED: NEVER,
        E.OTHER_FACT: IGNORED,
        E.OVER: IGNORED,
        E.LIMIT_DUE: NEVER,
        E.KILL_DUE: NEVER,
    },
}


def spawn_of(operation: Operation) -> Spawn:
    """How it is started."""
    return Spawn(
        operation.id,
        RunKind.OPERATION,
        operation.operation_id,
        operation.operation_id,
        operation.command,
        runs_on=None,
        env=(),
        working_directory=operation.working_directory,
    )


def observe(operation: Operation, fact: RunFact, now: Now) -> Decision:
    """The record with a fact of this run folded in."""
    return take(operation, _event_of(fact), fact, now)


def cancel(operation: Operation, now: Now) -> Decision:
    """A client wants it stopped."""
    return take(operation, OperationEvent.CANCELLED, None, now)


def drain(operation: Operation, kill_by: float, now: Now) -> Decision:
    """Everything is being stopped; what is not over is killed at `kill_by`. It must not have ended."""
    return take(operation, OperationEvent.DRAINED, kill_by, now)


def decide(operation: Operation, now: Now) -> Decision:
    """End it, or kill it, when the deadline has come."""
    at = deadline(operation)
    if at is None or at > now.mono_s:
        return operation, ()
    due = E.LIMIT_DUE if isinstance(operation.state, OperationLive) else E.KILL_DUE
    return take(operation, due, None, now)


def take(operation: Operation, event: str, given: RunFact | float | None, now: Now) -> Decision:
    """What `TABLE` says of an event. `given` is what came with it."""
    step = step_of(TABLE[type(operation.state)], event)
    return (operation, ()) if step is None else step(operation, operation.state, given, now)


def deadline(operation: Operation) -> float | None:
    """When `decide` must look again although nothing came, on the monotonic clock; None: never."""
    match operation.state:
        case OperationLive(at) | OperationEnding(kill_at=at):
            return at
        case OperationEnded():
            return None
        case _:
            assert_never(operation.state)


def note(operation: Operation) -> str:
    """What the supervisor says after the last line of its stderr, without "supervisor: "; empty: nothing."""
    match operation.state:
        case OperationEnded(why=EndReason.LIMIT):
            return f"ended because its limit of {operation.limit_s:g} s was over"
        case OperationEnded(why=EndReason.CANCEL):
            return "ended because a client cancelled it"
        case OperationEnded(exit=ExitCode(out_of_memory=True) | ExitSignal(out_of_memory=True)):
            return "the kernel killed it, or a process of it, because memory had run out"
        case _:
            return ""


def _event_of(fact: RunFact) -> str:
    match fact:
        case Exited():
            return OperationEvent.OVER
        case Started() | MainExited() | OutputRead() | ProbeEnded():
            return OperationEvent.OTHER_FACT
        case _:
            assert_never(fact)
