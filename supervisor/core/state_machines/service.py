"""The service state machine.

A service record holds what is wanted (`want`, `session`, `item.spec`) and where the service stands (`state`, a union:
`model.service_state`). An event is a fact of one of its runs, a wish that the state does not fulfil, or a deadline that
has come. `TABLE` says what each event does in each state; nothing else changes the state, but for a restart of the
machine (`core.recovery`). `observe` takes a fact; `decide` takes one step for a wish or a deadline, and the world
repeats it until there is none. All are plain functions of their arguments. The owner of all records is the world.

A session is run at most once: a service that ended by itself stays ended until somebody asks for a new session.
A fact of a run that does not live is ignored.

`docs/states.md` shows the table and a diagram.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisor.core.state_machines import probe as probes
from supervisor.core.state_machines import service_steps as steps
from supervisor.core.state_machines.service_steps import Decision, is_due
from supervisor.core.state_machines.transitions import IGNORED, NEVER, step_of
from supervisor.lean.frozen import replace
from supervisor.lean.typing import Any, assert_never
from supervisor.model.exit import SUCCESS
from supervisor.model.fact import Exited, MainExited, OutputRead, ProbeEnded, RunFact, Started
from supervisor.model.moment import Now
from supervisor.model.phase import ServicePhase, Want
from supervisor.model.record import Service
from supervisor.model.states import (
    AtRest,
    Deleted,
    ProbeRun,
    Running,
    ServiceState,
    Starting,
    Stopping,
)

STARTING, RUNNING, STOPPING = ServicePhase.STARTING, ServicePhase.RUNNING, ServicePhase.STOPPING
STOPPED, FAILED, DELETED = ServicePhase.STOPPED, ServicePhase.FAILED, ServicePhase.DELETED


class ServiceEvent:
    """What may happen to a service, in the words of `docs/states.md`."""

    WANTED_DOWN = "wanted DOWN"
    WANTED_GONE = "wanted GONE"
    WANTED_ANEW = "wanted UP in a session that has not run"
    HURRIED = "a kill deadline is set by who wants it down"
    STARTED = "the start command runs"
    OUTPUT = "the start command wrote outputs"
    MAIN_ENDED = "the start command ended, others of its process tree live"
    START_ENDED = "the process tree of the start command ended"
    PROBE_ENDED = "the shim says how a probe ended"
    PROBE_SUCCEEDED = "the probes are over: one exited 0"
    PROBES_LOST = "the probes are over, and none exited 0"
    STOP_ENDED = "the stop command ended"
    OTHER_FACT = "any other fact"
    READY_LATE = "the readiness deadline has come"
    PROBE_SAID = "the last probe said something new, and the log is to have it"
    KILL_DUE = "the kill deadline has come"


_Step = Callable[[Service, Any, Any, Now], Decision]
"""Called with the state of the row and what came with the event of the cell."""
Cell = tuple[_Step, tuple[ServicePhase, ...]] | str
E = ServiceEvent

TABLE: Mapping[type[ServiceState], Mapping[str, Cell]] = {
    AtRest: {
        E.WANTED_DOWN: IGNORED,
        E.WANTED_GONE: (steps.delete, (DELETED,)),
        E.WANTED_ANEW: (steps.begin, (STARTING,)),
        E.HURRIED: IGNORED,
        E.STARTED: NEVER,
        E.OUTPUT: NEVER,
        E.MAIN_ENDED: NEVER,
        E.START_ENDED: NEVER,
        E.PROBE_ENDED: NEVER,
        E.PROBE_SUCCEEDED: NEVER,
        E.PROBES_LOST: NEVER,
        E.STOP_ENDED: NEVER,
        E.OTHER_FACT: IGNORED,
        E.READY_LATE: NEVER,
        E.PROBE_SAID: NEVER,
        E.KILL_DUE: NEVER,
    },
    Starting: {
        E.WANTED_DOWN: (steps.stop, (STOPPING,)),
        E.WANTED_GONE: (steps.stop, (STOPPING,)),
        E.WANTED_ANEW: (steps.stop, (STOPPING,)),
        E.HURRIED: (steps.stop, (STOPPING,)),
        E.STARTED: (probes.see_start, (STARTING, RUNNING)),
        E.OUTPUT: (steps.read_output, (STARTING,)),
        E.MAIN_ENDED: (steps.end_tree, (STOPPING,)),
        E.START_ENDED: (steps.end, (STOPPED, FAILED, STOPPING)),
        E.PROBE_ENDED: (probes.see_probe, (STARTING,)),
        E.PROBE_SUCCEEDED: (probes.be_ready, (RUNNING,)),
        E.PROBES_LOST: (probes.lose_probes, (STOPPING,)),
        E.STOP_ENDED: NEVER,
        E.OTHER_FACT: IGNORED,
        E.READY_LATE: (probes.give_up_readiness, (STOPPING,)),
        E.PROBE_SAID: (probes.note_probe, (STARTING,)),
        E.KILL_DUE: NEVER,
    },
    Running: {
        E.WANTED_DOWN: (steps.stop, (STOPPING,)),
        E.WANTED_GONE: (steps.stop, (STOPPING,)),
        E.WANTED_ANEW: (steps.stop, (STOPPING,)),
        E.HURRIED: (steps.stop, (STOPPING,)),
        E.STARTED: IGNORED,
        E.OUTPUT: (steps.read_output, (RUNNING,)),
        E.MAIN_ENDED: (steps.end_tree, (STOPPING,)),
        E.START_ENDED: (steps.end, (STOPPED, FAILED)),
        E.PROBE_ENDED: NEVER,
        E.PROBE_SUCCEEDED: NEVER,
        E.PROBES_LOST: NEVER,
        E.STOP_ENDED: NEVER,
        E.OTHER_FACT: IGNORED,
        E.READY_LATE: NEVER,
        E.PROBE_SAID: NEVER,
        E.KILL_DUE: NEVER,
    },
    Stopping: {
        E.WANTED_DOWN: IGNORED,
        E.WANTED_GONE: IGNORED,
        E.WANTED_ANEW: IGNORED,
        E.HURRIED: (steps.hurry, (STOPPING,)),
        E.STARTED: IGNORED,
        E.OUTPUT: (steps.read_output, (STOPPING,)),
        E.MAIN_ENDED: (steps.note_exit, (STOPPING,)),
        E.START_ENDED: (steps.see_end, (STOPPED, FAILED, STOPPING)),
        E.PROBE_ENDED: (steps.see_probe, (STOPPING,)),
        E.PROBE_SUCCEEDED: (steps.see_probe_end, (STOPPED, FAILED, STOPPING)),
        E.PROBES_LOST: (steps.see_probe_end, (STOPPED, FAILED, STOPPING)),
        E.STOP_ENDED: (steps.see_stop_end, (STOPPED, FAILED, STOPPING)),
        E.OTHER_FACT: IGNORED,
        E.READY_LATE: NEVER,
        E.PROBE_SAID: NEVER,
        E.KILL_DUE: (steps.kill, (STOPPING,)),
    },
    Deleted: {
        E.WANTED_DOWN: NEVER,
        E.WANTED_GONE: IGNORED,
        E.WANTED_ANEW: NEVER,
        E.HURRIED: NEVER,
        E.STARTED: NEVER,
        E.OUTPUT: NEVER,
        E.MAIN_ENDED: NEVER,
        E.START_ENDED: NEVER,
        E.PROBE_ENDED: NEVER,
        E.PROBE_SUCCEEDED: NEVER,
        E.PROBES_LOST: NEVER,
        E.STOP_ENDED: NEVER,
        E.OTHER_FACT: NEVER,
        E.READY_LATE: NEVER,
        E.PROBE_SAID: NEVER,
        E.KILL_DUE: NEVER,
    },
}


def observe(service: Service, fact: RunFact, now: Now) -> Decision:
    """The record with `fact` folded in, and what is to be done; the same object and nothing if it changes nothing."""
    return take(service, _event_of(service, fact), fact, now)


def decide(service: Service, now: Now) -> Decision:
    """One step towards what is wanted, and what to do for it; the same object and nothing if there is none to take."""
    wish = _wish(service)
    if wish is not None:
        decided, actions = take(service, wish, None, now)
        if decided is not service:
            return decided, actions
    due = _due(service.state, now)
    return (service, ()) if due is None else take(service, due, None, now)


def end_by(service: Service, want: Want, kill_by: float, now: Now) -> Decision:
    """Have a service wanted DOWN or GONE, and what lives of it killed at `kill_by` at the latest."""
    wanted = service if service.want is want else replace(service, want=want)
    return take(wanted, ServiceEvent.HURRIED, kill_by, now)


def take(service: Service, event: str, given: RunFact | float | None, now: Now) -> Decision:
    """What `TABLE` says of an event. `given` is what came with it."""
    step = step_of(TABLE[type(service.state)], event)
    return (service, ()) if step is None else step(service, service.state, given, now)


def deadline(service: Service) -> float | None:
    """When `decide` must look again although no fact came, on the monotonic clock; None: never."""
    match service.state:
        case Starting(ready_by=ready_by, probe=ProbeRun()):
            moments = (ready_by, probes.note_at(service.state))
            return min((due for due in moments if due is not None), default=None)
        case Stopping(kill_at=at):
            return at
        case _:
            return None


def _event_of(service: Service, fact: RunFact) -> str:
    """Which event a fact is depends on the slot that its run has."""
    run_id = fact.run_id
    if run_id == service.start:
        match fact:
            case Started():
                return ServiceEvent.STARTED
            case OutputRead():
                return ServiceEvent.OUTPUT
            case MainExited():
                return ServiceEvent.MAIN_ENDED
            case Exited():
                return ServiceEvent.START_ENDED
            case ProbeEnded():
                return ServiceEvent.OTHER_FACT
            case _:
                assert_never(fact)
    if run_id == service.probe and isinstance(fact, ProbeEnded):
        return ServiceEvent.PROBE_ENDED
    if run_id == service.probe and isinstance(fact, Exited):
        return ServiceEvent.PROBE_SUCCEEDED if fact.exit == SUCCESS else ServiceEvent.PROBES_LOST
    if run_id == service.stop and isinstance(fact, Exited):
        return ServiceEvent.STOP_ENDED
    return ServiceEvent.OTHER_FACT


def _wish(service: Service) -> str | None:
    """The wish that comes to nothing but a step; None: the session that is wanted runs, or has run."""
    if service.want is Want.GONE:
        return ServiceEvent.WANTED_GONE
    if service.want is Want.DOWN:
        return ServiceEvent.WANTED_DOWN
    return None if service.session == service.ran_session else ServiceEvent.WANTED_ANEW


def _due(state: ServiceState, now: Now) -> str | None:
    """The deadline that has come; of several, the one that counts."""
    match state:
        case Stopping():
            return ServiceEvent.KILL_DUE if is_due(state.kill_at, now) else None
        case Starting(probe=ProbeRun()):
            if is_due(state.ready_by, now):
                return ServiceEvent.READY_LATE
            return ServiceEvent.PROBE_SAID if is_due(probes.note_at(state), now) else None
        case _:
            return None
