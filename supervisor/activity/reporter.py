"""The reporter: looks what is active, and sends signals to the management plane when it is time.

One task, one signal at a time. It turns when something began, when a signal is due, and every few seconds, since
nothing announces an SSH session or a new token. A signal that fails, in whatever way, is one more result for the state
machine in `heartbeat`; nothing that a plane does ends the reporter.
"""

from __future__ import annotations

import importlib
import logging
import random
from collections import deque
from dataclasses import dataclass
from typing import Protocol, assert_never

import anyio

from supervisor.activity.heartbeat import HeartbeatPace, Send, Wait, conclude, decide, restored
from supervisor.activity.persisted import Persisted
from supervisor.activity.plane import (
    Declined,
    Delivered,
    Plane,
    SignalResult,
    TokenRefused,
    Undelivered,
)
from supervisor.activity.sighting import Signal, signal_of
from supervisor.activity.sources import ActivitySources
from supervisor.host.proc import worker_threads
from supervisor.hub import Change, Hub, Subscription
from supervisor.model.errors import SupervisorError
from supervisor.model.fact import ActivitySeen
from supervisor.model.moment import InstantClock
from supervisor.model.operation_record import Operation
from supervisor.model.record import Execution

LOOK_S = 10.0
"""An SSH session and a new token are noticed within this."""
_GATHER_S = 0.05
"""What begins within this is one turn."""
_KEPT_SIGNALS = 20
_KEY = "heartbeat_due"
_PATIENT_FAILURES = 3
"""Fewer failures in a row are not reported."""

_log = logging.getLogger(__name__)


class Sender(Protocol):
    """Sends signals to a plane. `PlaneClient` does."""

    async def send(self, source: str, seen_wall_s: float, token: str) -> SignalResult:
        """Send one signal: `source` was active last at this moment."""


class Inbox(Protocol):
    """Takes facts. The engine does."""

    def post(self, fact: ActivitySeen) -> None:
        """Note in the environment's record what was sent."""


class Notices(Protocol):
    """Shows people what is wrong."""

    def notice(self, text: str) -> None:
        """A sentence."""


class Chance(Protocol):
    """Draws numbers. The module `random` does."""

    def random(self) -> float:
        """From 0 up to but not 1."""


@dataclass(frozen=True, slots=True)
class SentSignal:
    """A signal that was sent, and what became of it."""

    signal: Signal
    at_wall_s: float
    result: SignalResult


class Reporter:
    """The heartbeat of one plane."""

    def __init__(
        self,
        sources: ActivitySources,
        plane: Plane,
        persisted: Persisted,
        clock: InstantClock,
        inbox: Inbox,
        notices: Notices,
        *,
        chance: Chance = random,
        sender: Sender | None = None,
    ) -> None:
        """Nothing happens before `run`.

        `persisted` has when the next signal is due, so that a supervisor started again and again makes no burst;
        `inbox` takes what was sent; `sender`: None is a `PlaneClient`, imported when the first signal is due.
        """
        self.plane = plane
        self.pace = HeartbeatPace(interval_s=plane.interval_s)
        self.signals: deque[SentSignal] = deque(maxlen=_KEPT_SIGNALS)
        """The last ones, newest last."""
        self.delivered = self.failed = 0
        self.late_s = 0.0
        """How much later than asked for the event loop woke this task last: explains a signal that was late."""
        self.beat = restored(persisted.get(_KEY), self.pace, clock.instant().boot_s)
        self.why = ""
        """Why there is nothing to send, as of the last look; empty: it is not due yet."""
        self.token_problem = ""
        """Why there is no token; empty: there is one."""
        self._sources = sources
        self._persisted = persisted
        self._clock = clock
        self._inbox = inbox
        self._notices = notices
        self._chance = chance
        self._sender = sender
        self._problem = ""
        self._woken = anyio.Event()
        self._subscription: Subscription | None = None

    async def run(self, hub: Hub) -> None:
        """Go on until cancelled. `hub`: announces executions."""
        self._sources.listener = self

        subscription = self._subscription = hub.subscribe(self)
        try:
            while True:
                self._woken = anyio.Event()
                wait_s = await self._turn_safely()
                wake_s = self._clock.instant().boot_s + wait_s
                with anyio.move_on_after(wait_s) as waiting:
                    await self._woken.wait()
                    await anyio.sleep(_GATHER_S)
                if waiting.cancelled_caught:
                    self.late_s = max(0.0, self._clock.instant().boot_s - wake_s)
        finally:
            hub.unsubscribe(subscription)

    def on_changes(self) -> None:
        """Turn soon, if an execution or an operation changed."""
        assert self._subscription is not None
        records = (change.record for change in self._subscription.take() if isinstance(change, Change))
        if any(isinstance(record, Execution | Operation) for record in records):
            self.on_activity()

    def on_activity(self) -> None:
        """Turn soon: something began."""
        self._woken.set()

    async def turn(self) -> float:
        """Look, and send if it is time. Returns after how many seconds there is something to do again."""
        look_s = min(LOOK_S, self.pace.interval_s / 2)
        signal = signal_of(await self._sources.look(look_s))
        now_s = self._clock.instant().boot_s
        self.beat, todo = decide(self.beat, signal, self._token(), now_s)
        match todo:
            case Send():
                await self._send(todo)
                return 0.0
            case Wait(until_s, why):
                self.why = why
                return look_s if until_s is None else min(look_s, max(0.0, until_s - now_s))

    async def _turn_safely(self) -> float:
        try:
            return await self.turn()
        except Exception:
            # A bug must not end commands: what is supervised goes on, and so does this.
            _log.exception("looking after activity failed")
            return LOOK_S

    def _token(self) -> str | None:
        try:
            token = self.plane.token.read()
        except SupervisorError as error:
            if str(error) != self.token_problem:
                self.token_problem = str(error)
                self._notices.notice(
                    f"{error}; activity is reported to the management plane once there is a token"
                )
            return None
        self.token_problem = ""
        return token

    async def _send(self, send: Send) -> None:
        began = self._clock.instant()
        seen_wall_s = began.wall_s - (began.boot_s - send.signal.seen_s)
        self._inbox.post(ActivitySeen(send.signal.source, seen_wall_s))
        result = await self._result(send, seen_wall_s)
        ended_s = self._clock.instant().boot_s
        self.beat = conclude(self.beat, send, result, self.pace, self._chance.random(), ended_s)
        self._persisted.put(_KEY, self.beat.due_s)
        self.signals.append(SentSignal(send.signal, began.wall_s, result))
        if isinstance(result, Delivered):
            self.delivered += 1
        else:
            self.failed += 1
        self._report(result)

    async def _result(self, send: Send, seen_wall_s: float) -> SignalResult:
        try:
            sender = self._sender = self._sender or await self._client()
            return await sender.send(send.signal.source, seen_wall_s, send.token)
        except Exception as error:
            _log.exception("telling the management plane failed")
            return Undelivered(f"an error inside the supervisor: {error!r}")

    async def _client(self) -> Sender:
        module = await worker_threads.run(importlib.import_module, "supervisor.activity.plane_client")
        client: Sender = module.PlaneClient(self.plane.url, self.plane.environment_id)
        return client

    def _report(self, result: SignalResult) -> None:
        """Show what changed for the worse or the better, once."""
        problem, text = _problem_of(result)
        is_passing = isinstance(result, Undelivered) and self.beat.failures < _PATIENT_FAILURES
        if problem != self._problem and not is_passing:
            self._problem = problem
            self._notices.notice(text)


def _problem_of(result: SignalResult) -> tuple[str, str]:
    """What kind of problem a result shows, empty for none, and the sentence about it."""
    match result:
        case Delivered():
            return "", "activity is reported to the management plane again"
        case TokenRefused(why):
            then = "activity is reported again once there is another token"
            return "token", f"the management plane refuses the environment's token ({why}): {then}"
        case Declined(why):
            then = "trying again at each interval"
            return "declined", f"the management plane declines the report of activity ({why}): {then}"
        case Undelivered(why):
            return "failed", f"activity cannot be reported to the management plane ({why}): trying again"
        case _:
            assert_never(result)
