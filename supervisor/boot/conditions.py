"""What the machine refuses at the moment, and since when: told when it begins and when it is over, shown by `status`.

Who meets a trouble goes on without what was refused, tries again, and says here when that began to fail and when it did
no more. Nothing is decided by what stands here.

| what | began | is over |
|---|---|---|
| records | the store could not write | what was kept in memory is written |
| disk | no room where the logs are | there is room |
| commands | there is no process, memory or descriptor to start one | those that waited were started, or given up |
| threads | there is no thread for what would hold up the event loop | there are some again |
| clients | there is no descriptor to accept one | none had to wait for some seconds |
| state | something that we rely on is gone or replaced (`statewatch`) | all is there again |
| logs | a command's log was removed or replaced while it ran | that command has ended |
"""

from __future__ import annotations

import time
from collections.abc import Callable

from supervisor.boot.run_settings import Report
from supervisor.lean.frozen import dataclass

BEGINNING = {
    "records": "records cannot be written ({}): they are kept in memory, commands and their logs go on",
    "disk": "the disk that holds the logs is full ({}): what commands print now is lost",
    "commands": "commands wait to be started: {}",
    "threads": "the machine has no more threads or processes ({}): what needs one waits",
    "clients": "clients wait to be accepted: {}; raise the limit of open files (ulimit -n)",
    "state": "what the supervisor relies on was taken away: {}; until that is put right, it may not outlive a restart",
    "logs": "what some commands print is lost, since their logs were taken away: {}; restart them",
}
END = {
    "records": "records are written again, none was lost",
    "disk": "there is room on the disk again; what commands printed meanwhile is lost",
    "commands": "commands do not wait to be started any more",
    "threads": "there are threads and processes again",
    "clients": "clients do not wait to be accepted any more",
    "state": "what the supervisor relies on is all there again",
    "logs": "no command runs any more whose log was taken away",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is refused."""

    why: str
    since_mono_s: float


class Troubles:
    """Those of one supervisor."""

    def __init__(self, report: Report, mono_s: Callable[[], float] = time.monotonic) -> None:
        """`mono_s`: the monotonic clock."""
        self._report = report
        self._mono_s = mono_s
        self._present: dict[str, Trouble] = {}

    def met(self, what: str, why: str) -> None:
        """It is so, for the reason given; an empty one: it is not, or no more."""
        before = self._present.get(what)
        if why and before is None:
            self._present[what] = Trouble(why, self._mono_s())
            self._report.notice(BEGINNING[what].format(why))
        elif not why and before is not None:
            del self._present[what]
            lasted_s = self._mono_s() - before.since_mono_s
            self._report.notice(f"{END[what]}, after {lasted_s:.1f} s")

    def sentences(self) -> list[dict[str, object]]:
        """Those of now, for the status: `{"what", "why", "seconds"}`."""
        now_s = self._mono_s()
        return [
            {
                "what": what,
                "why": BEGINNING[what].format(trouble.why),
                "seconds": round(now_s - trouble.since_mono_s, 3),
            }
            for what, trouble in self._present.items()
        ]
