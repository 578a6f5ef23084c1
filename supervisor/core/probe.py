"""Ready probes: what the end of one means, and what a service's log says of it."""

from __future__ import annotations

from supervisor.lean.frozen import replace
from supervisor.model.action import Note
from supervisor.model.exit import exit_text
from supervisor.model.fact import Exited
from supervisor.model.moment import Now
from supervisor.model.service_state import ProbePause, ProbeReport, ProbeRun, Starting

INTERVAL_S = 1.0
TIMEOUT_S = 10.0
NOTE_INTERVAL_S = 30.0
"""The log gets a new reason at most this often, and the last one when readiness is given up."""
_LAST_LINE = 200


def report_of(before: ProbeReport, probe: ProbeRun, fact: Exited) -> ProbeReport:
    """What is known once a probe has ended that did not exit 0 in time."""
    late = probe.kill_at is None
    ended = f"did not end within {TIMEOUT_S:g} s" if late else exit_text(fact.exit)
    reason = _with_last_line(f"probe {ended}", fact.tail)
    # A test that fails without a word is how most services become ready, and clients read the log as the service's own.
    silent = not late and not fact.tail.strip()
    return replace(before, reason=reason, tail=fact.tail, noted=reason if silent else before.noted)


def _with_last_line(text: str, tail: str) -> str:
    last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
    return f"{text}: {last[:_LAST_LINE]}" if last else text


def is_to_note(state: Starting, now: Now) -> bool:
    """Whether the log is to say how the last probe ended."""
    report = state.report
    if not report.reason or report.reason == report.noted or not isinstance(state.probe, ProbePause):
        return False
    return report.noted_at is None or now.mono_s - report.noted_at >= NOTE_INTERVAL_S


def noted(state: Starting, now: Now) -> tuple[ProbeReport, Note]:
    """Tell the log how the last probe ended, with its last words. Returns the report as it is then, and the lines."""
    report = state.report
    *before, _ = report.tail.strip().splitlines() or [""]
    text = "\n".join([*before, report.reason])
    return replace(report, noted=report.reason, noted_at=now.mono_s), Note(state.session.run, text)
