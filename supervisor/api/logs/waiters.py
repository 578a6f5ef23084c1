"""Waits for logs to grow and for records to change, for all readers together.

A log file tells nobody that it grew, so one timer looks at each file that somebody waits for, once however many do.
The hub makes it look at once when a record changed whose log is waited for: a run's end is not waited for. Without a
reader there is neither timer nor subscription.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from supervisor.api.logs.chunks import Look, look
from supervisor.hub import Hub, Resync, Subscription

_INTERVAL_S = 0.02
_CROWD_INTERVAL_S = 0.03
_REST = 1.5
"""So many times as long as serving all readers took, no look is taken: a crowd gets fewer and larger pieces."""
_BATCH = 50
"""Readers served within one turn of the loop; others of its work come in between."""


@dataclass(slots=True, eq=False)
class _Waiter:
    record_id: str
    path: str | None
    seen: Look
    ready: Callable[[], bool]
    take: Callable[[Look], Look]
    woken: asyncio.Future[None]


class Waiting:
    """All who wait. Used on the event loop's thread, which is the engine's."""

    def __init__(self, hub: Hub, heirs: Callable[[str], Iterable[str]]) -> None:
        """`heirs`: the records that are shown as another one stands, and so change with it."""
        self._hub = hub
        self._heirs = heirs
        self._waiters: dict[_Waiter, None] = {}
        self._next: asyncio.Handle | None = None
        self._subscription: Subscription | None = None

    async def until(
        self,
        ready: Callable[[], bool],
        record_id: str,
        path: str | None = None,
        seen: Look = None,
        take: Callable[[Look], Look] = lambda _: None,
    ) -> None:
        """Wait until the file at `path` looks other than `seen`, or `ready` says so.

        `ready` is asked at each look at the file, and at once when the record has changed. `take` may deal with a
        changed file on the spot and wait on: it is told how the file looks and returns that, or None to be woken.
        Raises what these raise.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter(record_id, path, seen, ready, take, loop.create_future())
        self._waiters[waiter] = None
        if self._next is None:
            self._subscription = self._hub.subscribe(partial(_soon, loop, self._changed))
            self._next = loop.call_later(_INTERVAL_S, self._tick, loop)
        try:
            await waiter.woken
        finally:
            del self._waiters[waiter]
            if not self._waiters:
                self._rest()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        looks = {path: look(path) for path in {waiter.path for waiter in self._waiters} if path is not None}
        grown = [
            (waiter, looks[waiter.path])
            for waiter in self._waiters
            if waiter.path is not None and looks[waiter.path] != waiter.seen
        ]
        self._deal(loop, grown, time.monotonic())
        for waiter in self._waiters:
            _wake_if_ready(waiter)

    def _deal(self, loop: asyncio.AbstractEventLoop, grown: list[tuple[_Waiter, Look]], began: float) -> None:
        """Let readers have what their logs have grown by; then plan the next look."""
        for waiter, seen in grown[:_BATCH]:
            if waiter in self._waiters and not waiter.woken.done():
                try:
                    waiter.seen = waiter.take(seen)
                except Exception as error:  # its log cannot be read, which is nothing to the others
                    _wake(waiter, error)
                    continue
                if waiter.seen is None:
                    _wake(waiter)
        if len(grown) > _BATCH:
            self._next = loop.call_soon(self._deal, loop, grown[_BATCH:], began)
        else:
            spent_s = time.monotonic() - began
            rest_s = min(max(_INTERVAL_S, spent_s * _REST), _CROWD_INTERVAL_S)
            self._next = loop.call_later(rest_s, self._tick, loop)

    def _changed(self) -> None:
        """Records changed: wake those for whom that decides something."""
        if self._subscription is None:
            return
        changes = self._subscription.take()
        ids = {change.record.id for change in changes if not isinstance(change, Resync)}
        ids.update([heir for id_ in ids for heir in self._heirs(id_)])
        everyone = any(isinstance(change, Resync) for change in changes)
        for waiter in self._waiters:
            if everyone or waiter.record_id in ids:
                _wake_if_ready(waiter)

    def _rest(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon(call)


def _wake_if_ready(waiter: _Waiter) -> None:
    try:
        if waiter.ready():
            _wake(waiter)
    except Exception as error:
        _wake(waiter, error)


def _wake(waiter: _Waiter, error: Exception | None = None) -> None:
    """Have `until` return, or raise an error of what it was given."""
    if waiter.woken.done():
        return
    if error is None:
        waiter.woken.set_result(None)
    else:
        waiter.woken.set_exception(error)
