"""The service state machine.

A service record holds what is wanted (`want`, `session`, `item.spec`) and what is observed (`phase`, the live runs by
slot, deadlines). Facts only fold into the record (`observe`); `decide` then compares wanted with observed and takes one
step; the world repeats it until nothing changes. Both are plain functions of their arguments. The owner of all records
is the world; nothing else replaces them.

| phase | on | then |
|---|---|---|
| STOPPED, FAILED | want UP, session not yet run | STARTING, spawn start |
| STOPPED, FAILED | want GONE | DELETED |
| STARTING | start runs, no ready command | RUNNING |
| STARTING | a probe exited 0 | RUNNING |
| STARTING | a probe ended otherwise | probe again 1 s after it ended; the log tells what it said, where that is new |
| STARTING | a probe runs for 10 s | kill it |
| STARTING | readiness deadline | STOPPING, to end FAILED |
| STARTING, RUNNING | start's tree ended: exit 0 / other / unknown | STOPPED / FAILED with the reason |
| STARTING, RUNNING | start's main process ended, others of its tree live | STOPPING: TERM; kill deadline |
| STARTING, RUNNING | not wanted UP, or another session is | STOPPING: stop command, else TERM; kill deadline |
| STOPPING | stop command ended | KILL start |
| STOPPING | kill deadline | KILL what lives |
| STOPPING | nothing lives | STOPPED, or FAILED if there is something to blame; then the first row |
| DELETED | anything | ignored |
| any | fact of a run that is in no slot | ignored |

A session is run at most once: a service that ended by itself stays ended until somebody asks for a new session.
"""

from __future__ import annotations

from supervisor.core import probe as probes
from supervisor.lean.frozen import replace
from supervisor.lean.typing import assert_never
from supervisor.model.action import Action, Discard, Kill, RunKind, Spawn, Terminate
from supervisor.model.exit import SUCCESS, exit_text
from supervisor.model.fact import Exited, MainExited, OutputRead, RunFact, Started
from supervisor.model.moment import Now
from supervisor.model.phase import ServicePhase, Want
from supervisor.model.record import Service, StopStage

STOP_GRACE_S = 120.0
KEPT_RUNS = 20
"""Runs of a service (start and stop commands) whose logs are kept."""

Decision = tuple[Service, tuple[Action, ...]]


def observe(service: Service, fact: RunFact, now: Now) -> Service:
    """The record with `fact` folded in; the same object if the fact is of no run that lives here."""
    if fact.run_id == service.start:
        return _observe_start(service, fact)
    if fact.run_id == service.probe and isinstance(fact, Exited):
        return probes.ended(service, fact, now)
    if fact.run_id == service.stop and isinstance(fact, Exited):
        late = service.stop_stage is StopStage.KILLED
        ended = "did not end in time and was killed" if late else exit_text(fact.exit)
        blame = service.blame or ("" if fact.exit == SUCCESS else f"stop command {ended}")
        return replace(service, stop=None, blame=blame, tail=service.tail or fact.tail)
    return service


def decide(service: Service, now: Now) -> Decision:
    """One step towards what is wanted, and what to do for it; the same object and nothing if there is none to take."""
    match service.phase:
        case ServicePhase.STOPPED | ServicePhase.FAILED:
            return _at_rest(service, now)
        case ServicePhase.STARTING:
            return _up(service, now) or _starting(service, now)
        case ServicePhase.RUNNING:
            return _up(service, now) or (service, ())
        case ServicePhase.STOPPING:
            return _stopping(service, now)
        case ServicePhase.DELETED:
            return service, ()
        case _:
            assert_never(service.phase)


def deadline(service: Service) -> float | None:
    """When `decide` must look again although no fact came, on the monotonic clock; None: never."""
    due = (service.probe_at, service.probe_kill_at, service.ready_by, service.kill_at)
    return min((at for at in due if at is not None), default=None)


def live_runs(service: Service) -> tuple[str, ...]:
    """The ids of the runs that live in its slots."""
    return tuple(run for run in (service.start, service.probe, service.stop) if run is not None)


def spawn_of(service: Service, kind: RunKind, run_id: str) -> Spawn:
    """How a run of the session that `ran_spec` describes is started."""
    spec = service.ran_spec
    assert spec is not None
    script = {RunKind.START: spec.start, RunKind.READY: spec.ready, RunKind.STOP: spec.stop}[kind]
    return Spawn(run_id, kind, service.id, service.item.reference, script, spec.runs_on, spec.env)


# Facts ----------------------------------------------------------------------------------------------------------------


def _observe_start(service: Service, fact: RunFact) -> Service:
    match fact:
        case Started():
            return replace(service, started=True)
        case OutputRead(output=output):
            return replace(service, output=output)
        case MainExited():
            return replace(service, main_exit=fact.exit, tail=fact.tail)
        case Exited():
            blame = service.blame
            if fact.survivors:
                stuck = f"processes that SIGKILL does not end: {', '.join(map(str, fact.survivors))}"
                blame = f"{blame}; {stuck}" if blame else stuck
            return replace(
                service,
                start=None,
                main_exit=service.main_exit or fact.exit,
                tail=service.tail or fact.tail,
                output=service.output if fact.output is None else fact.output,
                blame=blame,
            )
        case _:
            assert_never(fact)


# Phases ---------------------------------------------------------------------------------------------------------------


def _at_rest(service: Service, now: Now) -> Decision:
    if service.want is Want.GONE:
        return _enter(service, ServicePhase.DELETED, now), ()
    if service.want is Want.UP and service.session != service.ran_session:
        return _start(service, now)
    return service, ()


def _start(service: Service, now: Now) -> Decision:
    spec = service.item.spec
    service, spawn, discard = _spawn(replace(service, ran_spec=spec), RunKind.START)
    service = replace(
        _enter(service, ServicePhase.STARTING, now),
        start=spawn.run_id,
        log_run=spawn.run_id,
        ran_session=service.session,
        started=False,
        ready=False,
        main_exit=None,
        stop_stage=StopStage.NONE,
        ready_by=now.mono_s + spec.readiness_timeout_s if spec.readiness_timeout_s else None,
        blame="",
        reason="",
        tail="",
        probe_tail="",
        noted="",
        noted_at=None,
        output={},
    )
    return service, (spawn, *discard)


def _up(service: Service, now: Now) -> Decision | None:
    """What STARTING and RUNNING have in common: start ended, or its session is no longer wanted."""
    if service.main_exit is not None:
        blame = "" if service.main_exit == SUCCESS else exit_text(service.main_exit)
        return _wind_down(replace(service, blame=service.blame or blame), now, StopStage.TERMINATED)
    if service.want is not Want.UP or service.session != service.ran_session:
        return _stop(service, now)
    return None


def _starting(service: Service, now: Now) -> Decision:
    spec = service.ran_spec
    assert spec is not None
    if not service.started:
        return service, ()
    if service.ready or not spec.ready:
        return replace(_enter(service, ServicePhase.RUNNING, now), ready_by=None, probe_at=None), ()
    if _due(service.ready_by, now):
        return _never_ready(service, now)
    if service.probe is None and service.reason and probes.is_news(service, now):
        return probes.note(service, now)
    if service.probe is not None:
        return _watch_probe(service, service.probe, now)
    if service.probe_at is None or _due(service.probe_at, now):
        service, spawn, _ = _spawn(service, RunKind.READY)
        kill_at = now.mono_s + probes.TIMEOUT_S
        return replace(service, probe=spawn.run_id, probe_at=None, probe_kill_at=kill_at), (spawn,)
    return service, ()


def _never_ready(service: Service, now: Now) -> Decision:
    spec = service.ran_spec
    assert spec is not None
    last = f" ({service.reason})" if service.reason else ""
    notes: tuple[Action, ...] = ()
    if service.reason and (service.reason != service.noted or not service.probe_tail):
        service, notes = probes.note(service, now)
    blame = f"not ready after {spec.readiness_timeout_s:g} s{last}"
    service, actions = _stop(replace(service, blame=blame, tail=service.probe_tail), now)
    return service, (*notes, *actions)


def _watch_probe(service: Service, probe: str, now: Now) -> Decision:
    if not _due(service.probe_kill_at, now):
        return service, ()
    return replace(service, probe_kill_at=None), (Kill(probe),)


def _stop(service: Service, now: Now) -> Decision:
    """Begin to stop a session whose start lives: with its stop command if it has one, else with SIGTERM."""
    if _due(service.kill_at, now):
        return _wind_down(service, now, StopStage.KILLED)
    spec = service.ran_spec
    assert spec is not None
    if not spec.stop:
        return _wind_down(service, now, StopStage.TERMINATED)
    service, actions = _wind_down(service, now, StopStage.COMMAND)
    service, spawn, discard = _spawn(service, RunKind.STOP)
    return replace(service, stop=spawn.run_id), (*actions, spawn, *discard)


def _wind_down(service: Service, now: Now, stage: StopStage) -> Decision:
    """Enter STOPPING: probing ends, and start is told as `stage` says."""
    actions: list[Action] = [Kill(service.probe)] if service.probe else []
    if service.start and stage is StopStage.TERMINATED:
        actions.append(Terminate(service.start))
    if service.start and stage is StopStage.KILLED:
        actions.append(Kill(service.start))
    kill_at = now.mono_s + STOP_GRACE_S if service.kill_at is None else service.kill_at
    service = replace(
        _enter(service, ServicePhase.STOPPING, now),
        stop_stage=stage,
        kill_at=None if stage is StopStage.KILLED else kill_at,
        probe_at=None,
        probe_kill_at=None,
        ready_by=None,
    )
    return service, tuple(actions)


def _stopping(service: Service, now: Now) -> Decision:
    if not live_runs(service):
        return _end(service, now)
    if service.stop_stage is StopStage.COMMAND and service.stop is None and service.start is not None:
        return replace(service, stop_stage=StopStage.KILLED, kill_at=None), (Kill(service.start),)
    if _due(service.kill_at, now):
        kills = tuple(Kill(run) for run in live_runs(service))
        return replace(service, stop_stage=StopStage.KILLED, kill_at=None), kills
    return service, ()


def _end(service: Service, now: Now) -> Decision:
    """Nothing of the session lives any more."""
    phase = ServicePhase.FAILED if service.blame else ServicePhase.STOPPED
    reason = service.blame or ("exited 0 before it was ready" if _ended_unready(service) else "")
    tail = service.tail if reason else ""
    service = replace(_enter(service, phase, now), kill_at=None, started=False, reason=reason, tail=tail)
    return service, ()


def _ended_unready(service: Service) -> bool:
    """Whether it ended by itself, and before a probe exited 0."""
    probed = service.ran_spec is not None and bool(service.ran_spec.ready)
    wanted = service.want is Want.UP and service.session == service.ran_session
    return probed and not service.ready and wanted and service.main_exit == SUCCESS


# Parts ----------------------------------------------------------------------------------------------------------------


def _spawn(service: Service, kind: RunKind) -> tuple[Service, Spawn, tuple[Discard, ...]]:
    """A new run, and the discarding of one too many. Probes are not kept: the machine removes them itself."""
    number = service.runs + 1
    run_id = f"{service.id}.{number}"
    kept = service.kept_runs if kind is RunKind.READY else (*service.kept_runs, run_id)
    service = replace(service, runs=number, kept_runs=kept[-KEPT_RUNS:])
    discarded = kept[:-KEPT_RUNS]
    return service, spawn_of(service, kind, run_id), (Discard(discarded),) if discarded else ()


def _enter(service: Service, phase: ServicePhase, now: Now) -> Service:
    return replace(service, phase=phase, since_s=now.wall_s)


def _due(at: float | None, now: Now) -> bool:
    return at is not None and at <= now.mono_s
