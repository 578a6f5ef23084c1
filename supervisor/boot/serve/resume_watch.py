"""Fires postEnvironmentStart when the machine resumes from a suspend, once for each resume.

`core.resume_detector` decides what counts as one. Here the clocks are read, and the runner may report a resume.
"""

from __future__ import annotations

from typing import Protocol

import anyio

from supervisor.boot.report import Report
from supervisor.core import resume_detector
from supervisor.core.plans.triggers import RESUME
from supervisor.engine import Engine
from supervisor.model.command import FireTrigger
from supervisor.model.ids import fresh

LOOK_S = 5.0
"""Nothing wakes the processes of a machine that resumes, so the clocks are read this often; that takes 2 us."""


class SuspendClock(Protocol):
    """Reads what a suspend shows in. `host.proc.clock` does."""

    def ahead_s(self) -> float:
        """How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC, in seconds."""


class ResumeWatch:
    """Notices that the machine was suspended, by its clocks or by the runner's report."""

    def __init__(self, engine: Engine, report: Report, clock: SuspendClock) -> None:
        """Suspends count from now on."""
        self._engine = engine
        self._report = report
        self._clock = clock
        self._suspends = resume_detector.Suspends(clock.ahead_s())

    async def run(self) -> None:
        """Read the clocks now and then, until cancelled."""
        while True:
            await anyio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Read the clocks once."""
        now = self._engine.now()
        self._suspends, slept_s = resume_detector.after_look(
            self._suspends, self._clock.ahead_s(), now.mono_s
        )
        if slept_s:
            self._resumed(f"the machine was suspended for {slept_s:.0f} s")

    def on_report(self) -> bool:
        """The runner reports a resume. Returns whether it was not known yet."""
        now = self._engine.now()
        self._suspends, is_new = resume_detector.after_report(
            self._suspends, self._clock.ahead_s(), now.mono_s
        )
        if is_new:
            self._resumed("the machine was resumed, as a client reported")
        return is_new

    def _resumed(self, how: str) -> None:
        if self._engine.world.records.draining:
            return
        self._report.notice(f"{how}: firing {', '.join(trigger.value for trigger in RESUME)}")
        for trigger in RESUME:
            self._engine.submit(FireTrigger(trigger, fresh()))
