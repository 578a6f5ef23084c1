"""Conditions: what the machine refuses at the moment, and since when.

Each is reported when it begins and when it is over, and shown by `status`. The part of the program that meets a problem
goes on without what was refused, tries again, and says here whether the problem lasts. No decision depends on it.

| kind | begins when | is over when |
|---|---|---|
| records | the store cannot write | what was kept in memory is written |
| disk | there is no room where the logs are | there is room |
| commands | there is no process, memory or descriptor to start one | those that waited were started, or given up |
| threads | there is no thread for what would hold up the event loop | there are threads again |
| clients | there is no descriptor to accept one | no client had to wait for some seconds |
| state | something that the supervisor relies on is gone or replaced (`state_watch`) | all is there again |
| logs | a command's log was removed or replaced while it ran | that command has ended |
"""

from __future__ import annotations

from supervisor.boot.report import Report
from supervisor.lean.frozen import dataclass
from supervisor.model.moment import Clock

BEGINS = {
    "records": "records cannot be written ({}): they are kept in memory, commands and their logs go on",
    "disk": "the disk that holds the logs is full ({}): what commands print now is lost",
    "commands": "commands wait to be started: {}",
    "threads": "the machine has no more threads or processes ({}): what needs one waits",
    "clients": "clients wait to be accepted: {}; raise the limit of open files (ulimit -n)",
    "state": "what the supervisor relies on was taken away: {}; until that is put right, it may not outlive a restart",
    "logs": "what some commands print is lost, since their logs were taken away: {}; restart them",
}
ENDS = {
    "records": "records are written again, none was lost",
    "disk": "there is room on the disk again; what commands printed meanwhile is lost",
    "commands": "commands do not wait to be started any more",
    "threads": "there are threads and processes again",
    "clients": "clients do not wait to be accepted any more",
    "state": "what the supervisor relies on is all there again",
    "logs": "no command runs any more whose log was taken away",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One problem that lasts."""

    reason: str
    since_mono_s: float


class Conditions:
    """The present conditions of one supervisor."""

    def __init__(self, report: Report, clock: Clock) -> None:
        """There is none yet."""
        self._report = report
        self._clock = clock
        self._present: dict[str, Condition] = {}

    def on_problem(self, kind: str, reason: str) -> None:
        """The problem lasts, for this reason. An empty reason: there is no such problem, or it is over."""
        before = self._present.get(kind)
        if reason and before is None:
            self._present[kind] = Condition(reason, self._clock.now().mono_s)
            self._report.notice(BEGINS[kind].format(reason))
        elif not reason and before is not None:
            del self._present[kind]
            lasted_s = self._clock.now().mono_s - before.since_mono_s
            self._report.notice(f"{ENDS[kind]}, after {lasted_s:.1f} s")

    def as_json(self) -> list[dict[str, object]]:
        """The present ones, for the status: `{"what", "why", "seconds"}`."""
        now_s = self._clock.now().mono_s
        return [
            {
                "what": kind,
                "why": BEGINS[kind].format(condition.reason),
                "seconds": round(now_s - condition.since_mono_s, 3),
            }
            for kind, condition in self._present.items()
        ]
