"""The pulse: looks what is active, and tells the management plane when it is time.

One task, one signal at a time. It turns when something began, when a signal is due, and every few seconds, since nobody
announces an SSH session or a new token. A signal that fails, in whatever way, is one more verdict for the machine in
`heartbeat`; nothing that a plane does ends the pulse.
"""

from __future__ import annotations

import importlib
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import assert_never

import anyio

from supervisor.activity.heartbeat import Pace, Send, Wait, conclude, decide, resumed
from supervisor.activity.persisted import Kept
from supervisor.activity.plane import Plane
from supervisor.activity.sighting import Signal, signal_of
from supervisor.activity.signal_result import Declined, Delivered, Failed, TokenRefused, Verdict
from supervisor.activity.sources import Sources
from supervisor.host.proc import worker_threads
from supervisor.hub import Change, Hub
from supervisor.lean.frozen import dataclass
from supervisor.model.errors import SupervisorError
from supervisor.model.fact import ActivitySeen
from supervisor.model.moment import Instant
from supervisor.model.record import Execution

LOOK_S = 10.0
"""An SSH session and a new token are noticed within this."""
_GATHER_S = 0.05
"""What begins within this is one turn."""
_KEPT_SIGNALS = 20
_KEY = "heartbeat_due"
_PATIENT_FAILURES = 3
"""So many failures in a row are nobody's concern."""

_log = logging.getLogger(__name__)

Tell = Callable[[str, float, str], Awaitable[Verdict]]
"""Tells a plane: source, when (wall clock), token. See `PlaneClient.tell`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal that was sent, and what became of it."""

    signal: Signal
    at_wall_s: float
    verdict: Verdict


class Pulse:
    """One plane's heartbeat."""

    def __init__(
        self,
        sources: Sources,
        plane: Plane,
        kept: Kept,
        clock: Callable[[], Instant],
        *,
        post: Callable[[ActivitySeen], None],
        notice: Callable[[str], None],
        jitter: Callable[[], float] = random.random,
        tell: Tell | None = None,
    ) -> None:
        """Nothing happens before `run`.

        Args:
            sources: what is active.
            plane: whom to tell.
            kept: knows when the next signal is due, so that a supervisor started again and again makes no burst.
            clock: the present moment.
            post: notes in the environment's record what the plane is told.
            notice: tells a person what is wrong, and that it is no longer.
            jitter: chance, from 0 up to but not 1.
            tell: how the plane is told; None: by `PlaneClient`, imported when the first signal is due.
        """
        self.plane = plane
        self.pace = Pace(interval_s=plane.interval_s)
        self.signals: deque[Sent] = deque(maxlen=_KEPT_SIGNALS)
        """The last ones, newest last."""
        self.delivered = self.failed = 0
        self.late_s = 0.0
        """How much later than asked for the event loop woke this task last: for whoever wonders about a late signal.
        It is shown and never sent: that the loop turns says nothing of whether the environment is in use."""
        self.beat = resumed(kept.get(_KEY), self.pace, clock().boot_s)
        self.why = ""
        """Why there is nothing to send, as of the last look; empty: it is not due yet."""
        self.token_problem = ""
        """Why there is no token; empty: there is one."""
        self._sources = sources
        self._kept = kept
        self._clock = clock
        self._post = post
        self._notice = notice
        self._jitter = jitter
        self._tell = tell
        self._trouble = ""
        self._woken = anyio.Event()

    async def run(self, hub: Hub) -> None:
        """Go on until cancelled. `hub`: announces executions."""
        self._sources.news = self._wake

        def changed() -> None:
            records = (change.record for change in subscription.take() if isinstance(change, Change))
            if any(isinstance(record, Execution) for record in records):
                self._wake()

        subscription = hub.subscribe(changed)
        try:
            while True:
                self._woken = anyio.Event()
                wait_s = await self._turn_safely()
                wake_s = self._clock().boot_s + wait_s
                with anyio.move_on_after(wait_s) as waiting:
                    await self._woken.wait()
                    await anyio.sleep(_GATHER_S)
                if waiting.cancelled_caught:
                    self.late_s = max(0.0, self._clock().boot_s - wake_s)
        finally:
            hub.unsubscribe(subscription)

    async def _turn_safely(self) -> float:
        try:
            return await self.turn()
        except Exception:
            # A bug, and nothing that is worth ending commands for: what is supervised goes on, and so does this.
            _log.exception("looking after activity failed")
            return LOOK_S

    async def turn(self) -> float:
        """Look, and tell if it is time. Returns after how many seconds there is something to do again."""
        look_s = min(LOOK_S, self.pace.interval_s / 2)
        signal = signal_of(await self._sources.look(look_s))
        now_s = self._clock().boot_s
        self.beat, todo = decide(self.beat, signal, self._token(), now_s)
        match todo:
            case Send():
                await self._send(todo)
                return 0.0
            case Wait(until_s, why):
                self.why = why
                return look_s if until_s is None else min(look_s, max(0.0, until_s - now_s))

    def _wake(self) -> None:
        self._woken.set()

    def _token(self) -> str | None:
        try:
            token = self.plane.token()
        except SupervisorError as error:
            if str(error) != self.token_problem:
                self.token_problem = str(error)
                self._notice(f"{error}; the management plane is told of activity once there is a token")
            return None
        self.token_problem = ""
        return token

    async def _send(self, sent: Send) -> None:
        began = self._clock()
        seen_wall_s = began.wall_s - (began.boot_s - sent.signal.seen_s)
        self._post(ActivitySeen(sent.signal.source, seen_wall_s))
        verdict = await self._told(sent, seen_wall_s)
        self.beat = conclude(self.beat, sent, verdict, self.pace, self._jitter(), self._clock().boot_s)
        self._kept.put(_KEY, self.beat.due_s)
        self.signals.append(Sent(sent.signal, began.wall_s, verdict))
        if isinstance(verdict, Delivered):
            self.delivered += 1
        else:
            self.failed += 1
        self._report(verdict)

    async def _told(self, sent: Send, seen_wall_s: float) -> Verdict:
        try:
            if self._tell is None:
                module = await worker_threads.run(importlib.import_module, "supervisor.activity.plane_client")
                client = module.PlaneClient(self.plane.url, self.plane.environment_id)
                self._tell = client.tell
            assert self._tell is not None
            return await self._tell(sent.signal.source, seen_wall_s, sent.token)
        except Exception as error:
            _log.exception("telling the management plane failed")
            return Failed(f"an error inside the supervisor: {error!r}")

    def _report(self, verdict: Verdict) -> None:
        """Tell a person what changed for the worse or the better, once."""
        trouble, text = _trouble(verdict)
        if trouble == self._trouble or (
            isinstance(verdict, Failed) and self.beat.failures < _PATIENT_FAILURES
        ):
            return
        self._trouble = trouble
        self._notice(text)


def _trouble(verdict: Verdict) -> tuple[str, str]:
    """What kind of trouble a verdict is, empty for none, and the sentence about it."""
    match verdict:
        case Delivered():
            return "", "the management plane is told again that the environment is in use"
        case TokenRefused(why):
            then = "it is told of activity again once there is another token"
            return "token", f"the management plane refuses the environment's token ({why}): {then}"
        case Declined(why):
            then = "it is asked again once in an interval"
            return "declined", f"the management plane does not want to know of activity ({why}): {then}"
        case Failed(why):
            return "failed", f"the management plane cannot be told of activity ({why}): trying again"
        case _:
            assert_never(verdict)
