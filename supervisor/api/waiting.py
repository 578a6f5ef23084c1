"""Waits for logs to grow and for records to change, for all readers together.

A log file tells nobody that it grew, so one timer looks at each file that somebody waits for, once however many do.
The hub makes it look at once when a record changed whose log is waited for: a run's end is not waited for. Without a
reader there is neither timer nor subscription.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from supervisor.api.logpiece import Look, look
from supervisor.hub import Hub, Resync, Subscription

_INTERVAL_S = 0.02
_CROWD = 100
_CROWD_INTERVAL_S = 0.035
"""For more readers fewer, larger pieces: what costs is not the bytes but the sends."""
_BATCH = 50
"""Readers woken within one turn of the loop; others of its work come in between."""


@dataclass(slots=True, eq=False)
class _Waiter:
    record_id: str
    path: str | None
    seen: Look
    ready: Callable[[], bool]
    woken: asyncio.Future[None]


class Waiting:
    """All who wait. Used on the event loop's thread, which is the engine's."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiters: dict[_Waiter, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._subscription: Subscription | None = None

    async def until(
        self, ready: Callable[[], bool], record_id: str, path: str | None = None, seen: Look = None
    ) -> None:
        """Wait until the file at `path` looks other than `seen`, or `ready` says so.

        `ready` is asked at each look at the file, and at once when the record has changed.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter(record_id, path, seen, ready, loop.create_future())
        self._waiters[waiter] = None
        if self._timer is None:
            self._subscription = self._hub.subscribe(partial(_soon, loop, self._changed))
            self._timer = loop.call_later(self._interval_s(), self._tick, loop)
        try:
            await waiter.woken
        finally:
            del self._waiters[waiter]
            if not self._waiters:
                self._rest()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        looks: dict[str, Look] = {}
        woken = []
        for waiter in self._waiters:
            if waiter.path is not None:
                if waiter.path not in looks:
                    looks[waiter.path] = look(waiter.path)
                if looks[waiter.path] != waiter.seen:
                    woken.append(waiter)
                    continue
            if waiter.ready():
                woken.append(waiter)
        self._wake(loop, woken)
        self._timer = loop.call_later(self._interval_s(), self._tick, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop, waiters: list[_Waiter]) -> None:
        for waiter in waiters[:_BATCH]:
            if not waiter.woken.done():
                waiter.woken.set_result(None)
        if len(waiters) > _BATCH:
            loop.call_soon(self._wake, loop, waiters[_BATCH:])

    def _changed(self) -> None:
        """Records changed: wake those for whom that decides something."""
        if self._subscription is None:
            return
        changes = self._subscription.take()
        ids = {change.record.id for change in changes if not isinstance(change, Resync)}
        everyone = any(isinstance(change, Resync) for change in changes)
        woken = [
            waiter for waiter in self._waiters if (everyone or waiter.record_id in ids) and waiter.ready()
        ]
        self._wake(asyncio.get_running_loop(), woken)

    def _interval_s(self) -> float:
        return _INTERVAL_S if len(self._waiters) <= _CROWD else _CROWD_INTERVAL_S

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon(call)
