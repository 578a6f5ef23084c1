"""Fires postEnvironmentStart when the machine resumes from a suspend, once for each resume.

What counts as one is decided in `core.suspend`; here the clocks are looked at, and the runner may tell.
"""

from __future__ import annotations

from collections.abc import Callable

from supervisor.boot.report import Report
from supervisor.core import resume_detector
from supervisor.core.plans.triggers import RESUME
from supervisor.engine import Engine
from supervisor.model.command import FireTrigger
from supervisor.model.ids import fresh

LOOK_S = 5.0
"""Nothing wakes a process of a machine that resumes, so the clocks are looked at this often; a look takes 2 us."""


class ResumeWatch:
    """Notices that the machine was suspended, by its clocks or by the runner's report."""

    def __init__(self, engine: Engine, report: Report, ahead_s: Callable[[], float]) -> None:
        """`ahead_s`: how far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC."""
        self._engine = engine
        self._report = report
        self._ahead_s = ahead_s
        self._suspends = resume_detector.Suspends(ahead_s())

    async def run(self) -> None:
        """Look at the clocks now and then, until cancelled."""
        import anyio

        while True:
            await anyio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Look at the clocks once."""
        now = self._engine.now()
        self._suspends, slept_s = resume_detector.looked(self._suspends, self._ahead_s(), now.mono_s)
        if slept_s:
            self._resumed(f"the machine was suspended for {slept_s:.0f} s")

    def on_report(self) -> bool:
        """The runner reports a resume. Returns whether it was not known yet."""
        now = self._engine.now()
        self._suspends, news = resume_detector.told(self._suspends, self._ahead_s(), now.mono_s)
        if news:
            self._resumed("the machine was resumed, as somebody told")
        return news

    def _resumed(self, how: str) -> None:
        if self._engine.world.records.draining:
            return
        self._report.notice(f"{how}: firing {', '.join(trigger.value for trigger in RESUME)}")
        for trigger in RESUME:
            self._engine.submit(FireTrigger(trigger, fresh()))
