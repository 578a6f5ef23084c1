"""A clock that tests turn, and an environment's activity and plane as scripts on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from supervisor.activity.heartbeat import Heartbeat, HeartbeatPace, Send, Wait, conclude, decide
from supervisor.activity.persisted import Persisted
from supervisor.activity.plane import Delivered, Plane, SignalResult
from supervisor.activity.plane_client import PlaneClient
from supervisor.activity.reporter import Reporter
from supervisor.activity.sighting import Sighting, Signal, SourceKind
from supervisor.activity.sources import ActivitySources
from supervisor.core.records import Records
from supervisor.model.errors import StoreError, SupervisorError
from supervisor.model.fact import ActivitySeen
from supervisor.model.ids import ExecutionId, TaskId
from supervisor.model.moment import Instant
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import Execution
from supervisor.model.shared_sequence import EMPTY
from tests.activity.plane import ENVIRONMENT

NO_SCRIPT: Mapping[float, Callable[[], None]] = MappingProxyType({})
PACE = HeartbeatPace()
MORNING_S = 1_700_000_000.0
"""Wall clock at boot."""


class Clock:
    """Both clocks of an `Instant`, turned by hand."""

    def __init__(self, boot_s: float = 1000.0) -> None:
        self.boot_s = boot_s
        self.wall_s = MORNING_S + boot_s

    def instant(self) -> Instant:
        return Instant(self.boot_s, self.wall_s)

    def set_wall(self, by_s: float) -> None:
        """Somebody sets the wall clock."""
        self.wall_s += by_s

    def turn(self, seconds: float) -> None:
        self.boot_s += seconds
        self.wall_s += seconds


@dataclass
class Scene:
    """The machine of heartbeats, run second by second."""

    active: Callable[[float], bool]
    """Whether the environment is in use at a moment."""
    answer: Callable[[float], SignalResult] = lambda _now_s: Delivered()
    token: Callable[[float], str | None] = lambda _now_s: "token"
    pace: HeartbeatPace = PACE
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
                result = self.answer(now_s)
                self.beat = conclude(self.beat, sent, result, self.pace, self.jitter, now_s)
                if isinstance(result, Delivered):
                    self.got_through.append(now_s)
            signal = Signal("SSH", now_s) if self.active(now_s) else None
            self.beat, todo = decide(self.beat, signal, self.token(now_s), now_s)
            if isinstance(todo, Wait):
                continue
            sent = todo
            self.tried.append(now_s)
            self.told.append(todo.signal)
            if not self.takes_s:
                result = self.answer(now_s)
                self.beat = conclude(self.beat, sent, result, self.pace, self.jitter, now_s)
                if isinstance(result, Delivered):
                    self.got_through.append(now_s)
        return self


def always(_now_s: float) -> bool:
    return True


class Memory:
    """Keeps texts for as long as a test, or fails to."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.full = False

    def get(self, key: str) -> str | None:
        return self.texts.get(key)

    def put(self, key: str, value: str) -> None:
        if self.full:
            raise StoreError("database or disk is full")
        self.texts[key] = value


class Stage:
    """A reporter and its sources on a clock that the test turns. It sends to a plane on a real socket."""

    def __init__(
        self,
        url: str,
        interval_s: float = 300.0,
        timeout_s: float = 20.0,
        memory: Memory | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.begun_s = self.clock.boot_s
        self.records = Records()
        self.sessions: list[Sighting] = []
        self.token: str | None = "first token"
        self.posted: list[ActivitySeen] = []
        self.notices: list[tuple[float, str]] = []
        self.tried: list[float] = []
        """When, in seconds from the beginning."""
        persisted = Persisted(memory or Memory(), "a boot")
        self.sources = ActivitySources(self, persisted, self.clock, interval_s, self)
        self._client = PlaneClient(url, ENVIRONMENT, timeout_s, {})
        self.reporter = Reporter(
            self.sources,
            Plane(url, ENVIRONMENT, self, interval_s),
            persisted,
            self.clock,
            self,
            self,
            chance=self,
            sender=self,
        )

    # HasRecords, SessionLook, TokenSource, Inbox, Notices, Chance and Sender

    def open_sessions(self, now: Instant) -> Iterator[Sighting]:
        return (replace(session, seen_s=now.boot_s) for session in self.sessions)

    def read(self) -> str:
        if self.token is None:
            raise SupervisorError("cannot use the environment's token in /token: there is no such file")
        return self.token

    def post(self, fact: ActivitySeen) -> None:
        self.posted.append(fact)

    def notice(self, text: str) -> None:
        self.notices.append((self.now_s, text))

    def random(self) -> float:
        return 0.5

    async def send(self, source: str, seen_wall_s: float, token: str) -> SignalResult:
        self.tried.append(self.now_s)
        return await self._client.send(source, seen_wall_s, token)

    @property
    def now_s(self) -> float:
        """Seconds from the beginning."""
        return self.clock.boot_s - self.begun_s

    async def play(self, until_s: float, script: Mapping[float, Callable[[], None]] = NO_SCRIPT) -> None:
        """Let the time pass. `script`: what happens when, in seconds from the beginning."""
        moments = sorted(at for at in script if at >= self.now_s)
        while self.now_s < until_s:
            while moments and moments[0] <= self.now_s:
                script[moments.pop(0)]()
            wait_s = await self.reporter.turn()
            next_s = min([self.now_s + wait_s, until_s, *moments[:1]])
            self.clock.turn(next_s - self.now_s)

    def execute(self, reference: str) -> Callable[[], None]:
        """A task begins to run, as the records tell."""

        def begin() -> None:
            execution = Execution(
                ExecutionId(reference), TaskId("t"), reference, "manual", "f", EMPTY, self.clock.wall_s,
                phase=ExecutionPhase.RUNNING, started_s=self.clock.wall_s, born=1,
            )  # fmt: skip
            self.records = Records([*self.records.executions.values(), execution])

        return begin

    def finish(self) -> None:
        """All tasks end."""
        self.records = Records()

    def log_in(self, detail: str) -> None:
        """An SSH session begins."""
        self.sessions.append(Sighting(SourceKind.SSH, "SSH", detail, self.clock.boot_s, self.clock.boot_s))
