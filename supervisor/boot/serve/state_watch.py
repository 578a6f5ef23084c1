"""Checks every few seconds that what the supervisor relies on is still what it opened.

| what | is gone | something else is in its place |
|---|---|---|
| the state directory, its lock, `runs` | is made again, and held | is held if it is free and ours; else shown |
| the database | is written anew | shown: it may be another user's |
| `api.sock` | is bound anew | the same, unless another process answers there; else shown |
| `shim.sock` | the shim is asked to listen again | the same |
| the socket of terminals | the process that holds them is asked to listen again | the same |
| the journal of facts | what is known of live runs is written again | the shim keeps what it cannot write |
| a live run's directory | is made again, with what is known of the run | shown |
| a live run's log | shown, in a new log as well: what was written is lost | shown |

The lines of runs are the machine's (`host.runs.upkeep`), which looks at each of them anyway.

Shown: in the status, as the condition `state`. Where it lasts until the end, the exit status is 1: records may be lost.
`host.state.exclusion` keeps out a supervisor that takes the directory's name meanwhile. Only the look itself may meet a
filesystem that does not answer, so it happens in a thread, and there is never a second look while the first hangs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from supervisor.boot.conditions import Conditions
from supervisor.boot.report import Report
from supervisor.host.proc import worker_threads
from supervisor.model.errors import SupervisorError

INTERVAL_S = 5.0
ANSWER_S = 5.0
"""A look that takes longer is shown as a filesystem that does not answer."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A line of the table."""

    what: str
    is_whole: Callable[[], bool]
    """Looks, in a thread. Raises OSError."""
    restore: Callable[[], Awaitable[None]]
    """Puts it right, on the loop. Raises SupervisorError, OSError."""


class StateWatch:
    """Looks at the lines of the table, in their order, and restores what can be."""

    def __init__(self, lines: Sequence[Watched], conditions: Conditions, report: Report) -> None:
        """`conditions` shows what could not be restored, `report` what was."""
        self._lines = lines
        self._conditions = conditions
        self._report = report
        self._looking = False
        self.wrong = ""
        """What is not whole and could not be restored."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await anyio.sleep(INTERVAL_S)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        broken: list[Watched] | None = None
        if not self._looking:
            with anyio.move_on_after(ANSWER_S):
                broken = await worker_threads.run(self._broken, abandon_on_cancel=True)
        if broken is None:
            self._show(f"its filesystem does not answer for {ANSWER_S:g} s")
            return
        failed = [why for line in broken if (why := await self._restored(line))]
        self._show("; ".join(failed))

    def _broken(self) -> list[Watched]:
        self._looking = True  # not earlier: a look that finds no thread in time has not begun
        try:
            return [line for line in self._lines if not _is_whole(line)]
        finally:
            self._looking = False

    async def _restored(self, line: Watched) -> str:
        """Restore. Returns why that is impossible, or nothing."""
        try:
            await line.restore()
        except SupervisorError as error:
            return f"{line.what}: {error}"
        except OSError as error:
            return f"{line.what}: {error.filename or ''}: {error.strerror or error}"
        self._report.notice(
            f"{line.what} was removed or replaced while the supervisor ran: it is there again"
        )
        return ""

    def _show(self, wrong: str) -> None:
        self.wrong = wrong
        self._conditions.on_problem("state", wrong)


def _is_whole(line: Watched) -> bool:
    try:
        return line.is_whole()
    except OSError:
        return False  # restoring it says why
