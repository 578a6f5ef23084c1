"""A clock that tests turn, and an environment's activity and plane as scripts on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from supervisor.activity.heartbeat import Heartbeat, Pace, Send, Wait, conclude, decide
from supervisor.activity.sighting import Signal
from supervisor.activity.verdict import Delivered, Verdict
from supervisor.model.moment import Instant

PACE = Pace()
MORNING_S = 1_700_000_000.0
"""Wall clock at boot."""


class Clock:
    """Both clocks of an `Instant`, turned by hand."""

    def __init__(self, boot_s: float = 1000.0) -> None:
        self.boot_s = boot_s
        self.wall_s = MORNING_S + boot_s

    def __call__(self) -> Instant:
        return Instant(self.boot_s, self.wall_s)

    def turn(self, seconds: float) -> None:
        self.boot_s += seconds
        self.wall_s += seconds


@dataclass
class Scene:
    """The machine of heartbeats, run second by second."""

    active: Callable[[float], bool]
    """Whether the environment is in use at a moment."""
    answer: Callable[[float], Verdict] = lambda _now_s: Delivered()
    token: Callable[[float], str | None] = lambda _now_s: "token"
    pace: Pace = PACE
    jitter: float = 0.5
    takes_s: int = 0
    """How long the plane takes to answer."""
    asleep: tuple[int, int] = (0, 0)
    """While the machine is suspended nothing is looked at."""
    beat: Heartbeat = field(default_factory=Heartbeat)
    tried: list[float] = field(default_factory=list)
    got_through: list[float] = field(default_factory=list)
    told: list[Signal] = field(default_factory=list)

    def run(self, until_s: int, step_s: int = 1) -> Scene:
        sent: Send | None = None
        for now_s in map(float, range(0, until_s + 1, step_s)):
            if self.asleep[0] <= now_s < self.asleep[1]:
                continue
            if sent is not None and self.beat.begun_s is not None:
                if now_s < self.beat.begun_s + self.takes_s:
                    continue
                verdict = self.answer(now_s)
                self.beat = conclude(self.beat, sent, verdict, self.pace, self.jitter, now_s)
                if isinstance(verdict, Delivered):
                    self.got_through.append(now_s)
            signal = Signal("SSH", now_s) if self.active(now_s) else None
            self.beat, todo = decide(self.beat, signal, self.token(now_s), now_s)
            if isinstance(todo, Wait):
                continue
            sent = todo
            self.tried.append(now_s)
            self.told.append(todo.signal)
            if not self.takes_s:
                verdict = self.answer(now_s)
                self.beat = conclude(self.beat, sent, verdict, self.pace, self.jitter, now_s)
                if isinstance(verdict, Delivered):
                    self.got_through.append(now_s)
        return self


def always(_now_s: float) -> bool:
    return True
