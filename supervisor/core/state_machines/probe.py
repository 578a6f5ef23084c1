"""What a service does while it starts: the functions that the table in `core.service` names for `Starting`.

Probes run one after the other until one exits 0. What the last one said is in the record, and what is new of it in the
service's log. See `core.service_steps` for the form of these functions.
"""

from __future__ import annotations

from supervisor.core.state_machines import service_steps as steps
from supervisor.core.state_machines.service_steps import Decision
from supervisor.lean.frozen import replace
from supervisor.model.action import Action, Kill, Note, RunKind
from supervisor.model.exit import exit_text
from supervisor.model.fact import Exited
from supervisor.model.moment import Now
from supervisor.model.record import Service
from supervisor.model.states import ProbePause, ProbeReport, ProbeRun, Running, Starting

INTERVAL_S = 1.0
TIMEOUT_S = 10.0
NOTE_INTERVAL_S = 30.0
"""The log gets a new reason at most this often, and the last one when readiness is given up."""


def see_start(service: Service, state: Starting, _given: None, now: Now) -> Decision:
    """It is ready if there is no ready command; else begin to probe."""
    if state.probe is not None:
        return service, ()
    if not state.session.spec.ready:
        return steps.enter(service, Running(state.session), now), ()
    return replace(service, state=replace(state, probe=ProbePause(now.mono_s))), ()


def be_ready(service: Service, state: Starting, _fact: Exited, now: Now) -> Decision:
    """It is ready."""
    return steps.enter(service, Running(state.session), now), ()


def probe_again(service: Service, state: Starting, fact: Exited, now: Now) -> Decision:
    """Probe again 1 s later."""
    assert isinstance(state.probe, ProbeRun)
    report = _report_of(state.report, state.probe, fact)
    pause = ProbePause(now.mono_s + INTERVAL_S)
    return replace(service, state=replace(state, probe=pause, report=report)), ()


def note_probe(service: Service, state: Starting, _given: None, now: Now) -> Decision:
    """Write it to the service's log."""
    report, note = _noted(state, now)
    return replace(service, state=replace(state, report=report)), (note,)


def start_probe(service: Service, state: Starting, _given: None, now: Now) -> Decision:
    """Run the ready command."""
    run_id, service, discard = steps.new_run(service, RunKind.READY)
    service = replace(service, state=replace(state, probe=ProbeRun(run_id, now.mono_s + TIMEOUT_S)))
    return service, (steps.spawn_of(service, RunKind.READY, run_id), *discard)


def kill_probe(service: Service, state: Starting, _given: None, now: Now) -> Decision:
    """Send it SIGKILL."""
    assert isinstance(state.probe, ProbeRun)
    probe = replace(state.probe, kill_at=None)
    return replace(service, state=replace(state, probe=probe)), (Kill(probe.id),)


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


def _report_of(before: ProbeReport, probe: ProbeRun, fact: Exited) -> ProbeReport:
    """What is known once a probe has ended that did not exit 0 in time."""
    late = probe.kill_at is None
    ended = f"did not end within {TIMEOUT_S:g} s" if late else exit_text(fact.exit)
    reason = steps.with_last_line(f"probe {ended}", fact.tail)
    # A test that fails without a word is how most services become ready, and clients read the log as the service's own.
    silent = not late and not fact.tail.strip()
    return replace(before, reason=reason, tail=fact.tail, noted=reason if silent else before.noted)


def is_to_note(state: Starting, now: Now) -> bool:
    """Whether the log is to say how the last probe ended."""
    report = state.report
    if not report.reason or report.reason == report.noted or not isinstance(state.probe, ProbePause):
        return False
    return report.noted_at is None or now.mono_s - report.noted_at >= NOTE_INTERVAL_S


def _noted(state: Starting, now: Now) -> tuple[ProbeReport, Note]:
    """Tell the log how the last probe ended, with its last words. Returns the report as it is then, and the lines."""
    report = state.report
    text = steps.last_words(report.reason, report.tail)
    return replace(report, noted=report.reason, noted_at=now.mono_s), Note(state.session.run, text)
