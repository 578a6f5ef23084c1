"""What a service does on each event: the functions that the table in `core.service` names.

Each takes the record, its state, what came with the event, and the time; it returns the new record and what is to be
done. Its first sentence is what `docs/states.md` says of the event.
"""

from __future__ import annotations

from supervisor.lean.frozen import replace
from supervisor.model.action import Action, Discard, Kill, Note, RunKind, Spawn, Terminate
from supervisor.model.exit import SUCCESS, Exit, exit_text
from supervisor.model.fact import Exited, MainExited, OutputRead, ProbeEnded
from supervisor.model.ids import RunId
from supervisor.model.moment import Now
from supervisor.model.phase import Want
from supervisor.model.record import LastProbe, Service
from supervisor.model.states import (
    AtRest,
    Deleted,
    ProbeRun,
    Running,
    ServiceSession,
    ServiceState,
    Starting,
    Stopping,
    StopStage,
)

STOP_GRACE_S = 120.0
KEPT_RUNS = 20
"""Runs of a service's start command whose logs are kept; of its stop command the newest one is."""
_LAST_LINE = 200

Decision = tuple[Service, tuple[Action, ...]]


def is_due(at: float | None, now: Now) -> bool:
    """Whether a deadline has come; None never does."""
    return at is not None and at <= now.mono_s


def spawn_of(service: Service, kind: RunKind, run_id: RunId) -> Spawn:
    """How a run of the session that lives is started."""
    session = service.live_session
    assert session is not None
    return _spawn_of(service, session, kind, run_id)


# At rest --------------------------------------------------------------------------------------------------------------


def delete(service: Service, state: AtRest, _given: None, now: Now) -> Decision:
    """Forget it."""
    return enter(service, Deleted(state), now), ()


def begin(service: Service, _state: AtRest, _given: None, now: Now) -> Decision:
    """Begin the session: run the start command."""
    spec = service.item.spec
    ready_by = now.mono_s + spec.readiness_timeout_s if spec.ready and spec.readiness_timeout_s else None
    run_id, service, discard = new_run(service, RunKind.START)
    session = ServiceSession(service.session, spec, run_id)
    service = enter(service, Starting(session, ready_by), now)
    return service, (_spawn_of(service, session, RunKind.START, run_id), *discard)


# Starting and running -------------------------------------------------------------------------------------------------


def stop(service: Service, state: Starting | Running, kill_by: float | None, now: Now) -> Decision:
    """Run the stop command, or send SIGTERM if there is none; send SIGKILL if the kill deadline has come."""
    return stop_session(service, state, now, kill_by)


def end_tree(service: Service, state: Starting | Running, fact: MainExited, now: Now) -> Decision:
    """Send SIGTERM to the others."""
    stopping = _stopping(state, now, failure=_failure_of(fact), tail=fact.tail, exit=fact.exit)
    return enter(service, stopping, now), (*_kill_probe_of(state), Terminate(state.session.run))


def end(service: Service, state: Starting | Running, fact: Exited, now: Now) -> Decision:
    """It failed if it did not exit 0; kill a probe that lives before it is at rest."""
    failure = _survivors_of(fact) or _failure_of(fact)
    stopping = _stopping(state, now, start_lives=False, failure=failure, tail=fact.tail, exit=fact.exit)
    stopping = replace(stopping, session=_with_last_output(state.session, fact))
    return _stopped(service, stopping, now, _kill_probe_of(state))


# Stopping -------------------------------------------------------------------------------------------------------------


def hurry(service: Service, state: Stopping, kill_by: float, now: Now) -> Decision:
    """Keep the earlier of two kill deadlines; if it has come, send SIGKILL to what lives."""
    if is_due(kill_by, now):
        return kill(service, state, None, now)
    if state.kill_at is None or state.kill_at <= kill_by:
        return service, ()
    return replace(service, state=replace(state, kill_at=kill_by)), ()


def kill(service: Service, state: Stopping, _given: None, now: Now) -> Decision:
    """Send SIGKILL to what lives."""
    kills = tuple(Kill(run_id) for run_id in service.live_runs)
    return replace(service, state=replace(state, kill_at=None)), kills


def note_exit(service: Service, state: Stopping, fact: MainExited, now: Now) -> Decision:
    """Keep how it ended."""
    return replace(service, state=replace(state, exit=fact.exit, tail=fact.tail)), ()


def see_end(service: Service, state: Stopping, fact: Exited, now: Now) -> Decision:
    """It is at rest if nothing else lives."""
    failures = (state.failure, _survivors_of(fact))
    state = replace(
        state,
        session=_with_last_output(state.session, fact),
        start_lives=False,
        exit=state.exit or fact.exit,
        tail=state.tail or fact.tail,
        failure="; ".join(text for text in failures if text),
    )
    return _stopped(service, state, now)


def see_probe(service: Service, state: Stopping, fact: ProbeEnded, now: Now) -> Decision:
    """Keep how it ended."""
    return with_probe(service, fact, now), ()


def see_probe_end(service: Service, state: Stopping, _fact: Exited, now: Now) -> Decision:
    """It is at rest if nothing else lives."""
    return _stopped(service, replace(state, probe=None), now)


def see_stop_end(service: Service, state: Stopping, fact: Exited, now: Now) -> Decision:
    """Note it in the log if it failed; send SIGKILL to the start command if it lives, else it may be at rest."""
    reason = _stop_failure(state, fact)
    notes = (Note(state.session.run, last_words(reason, fact.tail)),) if reason else ()
    state = replace(state, stop=None, failure=state.failure or reason, tail=state.tail or fact.tail)
    if state.start_lives and state.kill_at is not None:
        return replace(service, state=replace(state, kill_at=None)), (*notes, Kill(state.session.run))
    return _stopped(service, state, now, notes)


# Any state ------------------------------------------------------------------------------------------------------------


def read_output(
    service: Service, state: Starting | Running | Stopping, fact: OutputRead, now: Now
) -> Decision:
    """Keep them."""
    return replace(service, state=_with_session(state, replace(state.session, output=fact.output))), ()


# Parts ----------------------------------------------------------------------------------------------------------------


def enter(service: Service, state: ServiceState, now: Now) -> Service:
    """The record in another phase."""
    return replace(service, state=state, since_s=now.wall_s)


def _with_session(state: Starting | Running | Stopping, session: ServiceSession) -> ServiceState:
    return replace(state, session=session)


def _with_last_output(session: ServiceSession, fact: Exited) -> ServiceSession:
    return session if fact.output is None else replace(session, output=fact.output)


def _failure_of(fact: MainExited | Exited) -> str:
    return "" if fact.exit == SUCCESS else exit_text(fact.exit)


def _stop_failure(state: Stopping, fact: Exited) -> str:
    """Why a stop command failed, with the last line that it printed; empty: it exited 0."""
    if fact.exit == SUCCESS:
        return ""
    late = state.stage is StopStage.KILLED
    ended = "did not end in time and was killed" if late else exit_text(fact.exit)
    return with_last_line(f"stop command {ended}", fact.tail)


def _survivors_of(fact: Exited) -> str:
    names = ", ".join(map(str, fact.survivors))
    return f"processes that SIGKILL does not end: {names}" if names else ""


def stop_session(
    service: Service,
    state: Starting | Running,
    now: Now,
    kill_by: float | None = None,
    failure: str = "",
    tail: str = "",
) -> Decision:
    """Begin to stop a session whose start command lives."""
    start, kills = state.session.run, _kill_probe_of(state)
    stopping = _stopping(state, now, failure=failure, tail=tail)
    if kill_by is not None:
        stopping = replace(stopping, kill_at=kill_by)
    if is_due(kill_by, now):
        return enter(service, replace(stopping, kill_at=None), now), (*kills, Kill(start))
    if not state.session.spec.stop:
        return enter(service, stopping, now), (*kills, Terminate(start))
    run_id, service, discard = new_run(service, RunKind.STOP)
    service = enter(service, replace(stopping, stop=run_id), now)
    return service, (*kills, _spawn_of(service, state.session, RunKind.STOP, run_id), *discard)


def _stopping(
    state: Starting | Running,
    now: Now,
    start_lives: bool = True,
    failure: str = "",
    tail: str = "",
    exit: Exit | None = None,
) -> Stopping:
    probe = state.probe.id if isinstance(state, Starting) and isinstance(state.probe, ProbeRun) else None
    kill_at, ready = now.mono_s + STOP_GRACE_S, isinstance(state, Running)
    return Stopping(state.session, kill_at, start_lives, probe, None, failure, tail, exit, ready)


def _kill_probe_of(state: Starting | Running) -> tuple[Action, ...]:
    return (
        (Kill(state.probe.id),) if isinstance(state, Starting) and isinstance(state.probe, ProbeRun) else ()
    )


def _stopped(service: Service, state: Stopping, now: Now, actions: tuple[Action, ...] = ()) -> Decision:
    """At rest if nothing lives any more, else STOPPING."""
    if state.start_lives or state.probe is not None or state.stop is not None:
        changed = replace(service, state=state)
        return (changed if isinstance(service.state, Stopping) else enter(service, state, now)), actions
    note = "exited 0 before it was ready" if _ended_unready(service, state) else ""
    tail = state.tail if state.failure or note else ""
    rest = AtRest(state.session, state.failure, "" if state.failure else note, tail, state.exit)
    return enter(service, rest, now), actions


def _ended_unready(service: Service, state: Stopping) -> bool:
    """Whether it ended by itself, and before a probe exited 0."""
    wanted = service.want is Want.UP and service.session == state.session.id
    return bool(state.session.spec.ready) and not state.ready and wanted and state.exit == SUCCESS


def new_run(service: Service, kind: RunKind) -> tuple[RunId, Service, tuple[Discard, ...]]:
    """The id of a new run, which is kept, and the discarding of one too many of its kind."""
    run_id = RunId(f"{service.id}.{service.runs + 1}")
    service = replace(service, runs=service.runs + 1)
    discarded: tuple[RunId, ...]
    match kind:
        case RunKind.READY:
            discarded = () if service.last_probe is None else (service.last_probe,)
            service = replace(service, last_probe=run_id, probed=None)
        case RunKind.STOP:
            discarded = () if service.last_stop is None else (service.last_stop,)
            service = replace(service, last_stop=run_id)
        case _:
            kept = (*service.kept_runs, run_id)
            discarded = kept[:-KEPT_RUNS]
            service = replace(service, kept_runs=kept[-KEPT_RUNS:])
    return run_id, service, (Discard(discarded),) if discarded else ()


def with_probe(service: Service, fact: ProbeEnded, now: Now) -> Service:
    """The record once one more of the probes has ended."""
    before = service.probed.failed if service.probed else 0
    failed = before + fact.count - (fact.exit == SUCCESS)
    probed = LastProbe(fact.run_id, fact.exit, fact.output, now.wall_s, fact.took_s, failed)
    return replace(service, probed=probed)


def with_last_line(text: str, tail: str) -> str:
    """How a run ended, with the last line that it printed, if any."""
    last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
    return f"{text}: {last[:_LAST_LINE]}" if last else text


def last_words(reason: str, tail: str) -> str:
    """The last lines of a run for the log of its service; `reason` has the last of them already."""
    *before, _ = tail.strip().splitlines() or [""]
    return "\n".join([*before, reason])


def _spawn_of(service: Service, session: ServiceSession, kind: RunKind, run_id: RunId) -> Spawn:
    spec = session.spec
    script = {RunKind.START: spec.start, RunKind.READY: spec.ready, RunKind.STOP: spec.stop}[kind]
    return Spawn(run_id, kind, service.id, service.item.reference, script, spec.runs_on, spec.env)
