"""What a service does while it starts: the functions that the table in `core.service` names for `Starting`.

The shim runs probes one after the other until one exits 0, and reports an end that differs from the one before. What
the last one said is in the record, and what is new of it in the service's log. See `core.service_steps` for the form of
these functions.
"""

from __future__ import annotations

from supervisor.core.state_machines import service_steps as steps
from supervisor.core.state_machines.service_steps import Decision
from supervisor.lean.frozen import replace
from supervisor.model.action import PROBE_TIMEOUT_S, Action, Note, RunKind
from supervisor.model.exit import SUCCESS, exit_text
from supervisor.model.fact import Exited, ProbeEnded
from supervisor.model.moment import Now
from supervisor.model.record import Service
from supervisor.model.states import ProbeReport, ProbeRun, Running, Starting

NOTE_INTERVAL_S = 30.0
"""The log gets a new reason at most this often, and the last one when readiness is given up."""


def see_start(service: Service, state: Starting, _given: None, now: Now) -> Decision:
    """It is ready if there is no ready command; else run that again and again."""
    if state.probe is not None:
        return service, ()
    if not state.session.spec.ready:
        return steps.enter(service, Running(state.session), now), ()
    run_id, service, discard = steps.new_run(service, RunKind.READY)
    service = replace(service, state=replace(state, probe=ProbeRun(run_id)))
    return service, (steps.spawn_of(service, RunKind.READY, run_id), *discard)


def see_probe(service: Service, state: Starting, fact: ProbeEnded, now: Now) -> Decision:
    """Keep how it ended."""
    if fact.exit != SUCCESS:
        state = replace(state, report=_report_of(state.report, fact))
    return replace(steps.with_probe(service, fact, now), state=state), ()


def be_ready(service: Service, state: Starting, _fact: Exited, now: Now) -> Decision:
    """It is ready."""
    return steps.enter(service, Running(state.session), now), ()


def note_probe(service: Service, state: Starting, _given: None, now: Now) -> Decision:
    """Write it to the service's log."""
    report, note = _noted(state, now)
    return replace(service, state=replace(state, report=report)), (note,)


def lose_probes(service: Service, state: Starting, fact: Exited, now: Now) -> Decision:
    """Stop the service, to end FAILED."""
    state = replace(state, probe=None)
    failure = f"not ready: the probe {exit_text(fact.exit)}"
    return steps.stop_session(service, state, now, failure=failure, tail=state.report.tail)


def give_up_readiness(service: Service, state: Starting, _given: None, now: Now) -> Decision:
    """Stop the service, to end FAILED."""
    report = state.report
    notes: tuple[Action, ...] = ()
    if report.reason and (report.reason != report.noted or not report.tail):
        notes = (_noted(state, now)[1],)
    last = f" ({report.reason})" if report.reason else ""
    failure = f"not ready after {state.session.spec.readiness_timeout_s:g} s{last}"
    service, actions = steps.stop_session(service, state, now, failure=failure, tail=report.tail)
    return service, (*notes, *actions)


def note_at(state: Starting) -> float | None:
    """When the log is to say how the last probe ended, on the monotonic clock; None: it has nothing new to say."""
    report = state.report
    if not report.reason or report.reason == report.noted:
        return None
    return 0.0 if report.noted_at is None else report.noted_at + NOTE_INTERVAL_S


def _report_of(before: ProbeReport, fact: ProbeEnded) -> ProbeReport:
    """What is known once a probe has ended that did not exit 0 in time."""
    ended = f"did not end within {PROBE_TIMEOUT_S:g} s" if fact.is_late else exit_text(fact.exit)
    reason = steps.with_last_line(f"probe {ended}", fact.tail)
    # A test that fails without a word is how most services become ready, and clients read the log as the service's own.
    silent = not fact.is_late and not fact.tail.strip()
    return replace(before, reason=reason, tail=fact.tail, noted=reason if silent else before.noted)


def _noted(state: Starting, now: Now) -> tuple[ProbeReport, Note]:
    """Tell the log how the last probe ended, with its last words. Returns the report as it is then, and the lines."""
    report = state.report
    text = steps.last_words(report.reason, report.tail)
    return replace(report, noted=report.reason, noted_at=now.mono_s), Note(state.session.run, text)
