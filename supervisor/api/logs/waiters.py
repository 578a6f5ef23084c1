"""Waits for logs to grow and for records to change, for all readers together.

A log file tells nobody that it grew, so one timer looks at each file that a reader waits for, once however many do. The
hub makes it look at once when the record of a log changed that somebody waits for: so nobody waits for a run's end.
Without a reader there is neither timer nor subscription.

The race: a log may grow, or a record change, between a reader's last look and its wait. A growth is not lost because
the reader brings the version that it has seen, and the timer compares the file with that. A change that came before the
subscription is found at the next tick, which asks every reader whether it is ready.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

from supervisor.api.logs.chunks import FileVersion, file_version
from supervisor.core.plans.leaders import Leaders
from supervisor.hub import Hub, Resync, Subscription
from supervisor.model.record import Execution

_INTERVAL_S = 0.015
_CROWD_INTERVAL_S = 0.03
_REST = 1.5
"""So many times as long as serving all readers took, no look is taken: a crowd gets fewer and larger chunks."""
_BATCH = 50
"""Readers served within one turn of the loop; its other work comes in between."""


class Waiter(Protocol):
    """A reader that waits."""

    def ready(self) -> bool:
        """Whether it has waited long enough. Asked at each look at the file, and at once when the record changed."""

    def take(self, version: FileVersion) -> FileVersion:
        """Deal with a changed file on the spot. Returns the version that was dealt with; None: wake the reader."""


@dataclass(slots=True, eq=False)
class _Waiting:
    record_id: str
    path: str | None
    seen: FileVersion
    waiter: Waiter
    woken: asyncio.Future[None]


class LogWaiters:
    """All readers that wait. Used on the event loop's thread, which is the engine's."""

    def __init__(self, hub: Hub, leaders: Leaders) -> None:
        """`leaders`: says which records are shown as another one stands, and so change with it."""
        self._hub = hub
        self._leaders = leaders
        self._waiting: dict[_Waiting, None] = {}
        self._next: asyncio.Handle | None = None
        self._subscription: Subscription | None = None

    async def until(
        self, waiter: Waiter, record_id: str, path: str | None = None, seen: FileVersion = None
    ) -> None:
        """Wait until the waiter is ready, or has not taken a change of the file at `path` from `seen` on.

        Raises what the waiter raises.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(record_id, path, seen, waiter, loop.create_future())
        self._waiting[waiting] = None
        if self._next is None:
            self._subscription = self._hub.subscribe(self)
            self._next = loop.call_later(_INTERVAL_S, self._tick, loop)
        try:
            await waiting.woken
        finally:
            del self._waiting[waiting]
            if not self._waiting:
                self._rest()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        paths = {waiting.path for waiting in self._waiting}
        versions = {path: file_version(path) for path in paths if path is not None}
        grown = [
            (waiting, versions[waiting.path])
            for waiting in self._waiting
            if waiting.path is not None and versions[waiting.path] != waiting.seen
        ]
        self._deal(loop, grown, time.monotonic())
        for waiting in self._waiting:
            _wake_if_ready(waiting)

    def _deal(
        self, loop: asyncio.AbstractEventLoop, grown: list[tuple[_Waiting, FileVersion]], began: float
    ) -> None:
        """Give readers what their logs have grown by; then plan the next look."""
        for waiting, version in grown[:_BATCH]:
            if waiting in self._waiting and not waiting.woken.done():
                try:
                    waiting.seen = waiting.waiter.take(version)
                except Exception as error:  # its log cannot be read; other readers go on
                    _wake(waiting, error)
                    continue
                if waiting.seen is None:
                    _wake(waiting)
        if len(grown) > _BATCH:
            self._next = loop.call_soon(self._deal, loop, grown[_BATCH:], began)
        else:
            spent_s = time.monotonic() - began
            rest_s = min(max(_INTERVAL_S, spent_s * _REST), _CROWD_INTERVAL_S)
            self._next = loop.call_later(rest_s, self._tick, loop)

    def on_changes(self) -> None:
        """Look soon: what is ready is found once the engine's step is over."""
        asyncio.get_running_loop().call_soon(self._changed)

    def _changed(self) -> None:
        """Records changed: wake the readers that wait for one of them and are ready."""
        if self._subscription is None:
            return
        changes = self._subscription.take()
        records = [change.record for change in changes if not isinstance(change, Resync)]
        ids: set[str] = {record.id for record in records}
        for record in records:
            if isinstance(record, Execution):
                ids.update(self._leaders.heirs(record.id))
        everyone = any(isinstance(change, Resync) for change in changes)
        for waiting in self._waiting:
            if everyone or waiting.record_id in ids:
                _wake_if_ready(waiting)

    def _rest(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None


def _wake_if_ready(waiting: _Waiting) -> None:
    try:
        if waiting.waiter.ready():
            _wake(waiting)
    except Exception as error:
        _wake(waiting, error)


def _wake(waiting: _Waiting, error: Exception | None = None) -> None:
    """Have `until` return, or raise an error of its waiter's."""
    if waiting.woken.done():
        return
    if error is None:
        waiting.woken.set_result(None)
    else:
        waiting.woken.set_exception(error)
