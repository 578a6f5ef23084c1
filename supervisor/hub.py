"""The hub: hands every change to its subscribers, in the order of revisions.

Each subscription is a bounded queue. A queue that is not read in time is emptied, and begins with `Resync`: the reader
looks at the records again, then continues. So a slow reader delays neither the writer nor another reader, and always
knows that it missed something. A reader subscribes and looks at the records on the writer's thread, between two steps,
so that it misses no change.

A reader whose `wake` raises is logged and unsubscribed: it ends neither the writer nor another reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from supervisor.lean.frozen import dataclass
from supervisor.model.record import Record

QUEUE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Change:
    """One record before and after a step. `before` is None for a new record, `after` for a removed one."""

    before: Record | None
    after: Record | None

    @property
    def record(self) -> Record:
        """The record as it is, or was last."""
        record = self.after or self.before
        assert record is not None
        return record


class Resync:
    """Stands for changes that were dropped because the reader was too slow."""

    __slots__ = ()


class Subscription:
    """A reader's queue. `wake` is called, on the writer's thread, when the empty queue gets its first entry."""

    def __init__(self, wake: Callable[[], None], limit: int = QUEUE_LIMIT) -> None:
        """`limit`: how many changes wait for a slow reader before it has to resync."""
        self._queue: deque[Change] = deque()
        self._wake = wake
        self._limit = limit
        self._missed = False

    def take(self) -> list[Change | Resync]:
        """Everything that has come since the last call, oldest first."""
        taken: list[Change | Resync] = [Resync()] if self._missed else []
        taken.extend(self._queue)
        self._queue.clear()
        self._missed = False
        return taken

    def offer(self, change: Change) -> None:
        """Add a change; called by the hub."""
        quiet = not self._queue and not self._missed
        if len(self._queue) >= self._limit:
            self._queue.clear()
            self._missed = True
        self._queue.append(change)
        if quiet:
            self._wake()


class Hub:
    """All subscriptions. Used on the engine's thread only."""

    def __init__(self) -> None:
        """There is no subscription yet."""
        self._subscriptions: list[Subscription] = []

    @property
    def readers(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def subscribe(self, wake: Callable[[], None], limit: int = QUEUE_LIMIT) -> Subscription:
        """Begin a subscription, which gets every change from now on. `wake`: see `Subscription`."""
        subscription = Subscription(wake, limit)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription, if it has not ended because its reader failed."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def publish(self, changes: Iterable[Change]) -> None:
        """Hand out changes, in order."""
        for change in changes:
            # A reader may unsubscribe when it is woken, and another subscribe.
            for subscription in tuple(self._subscriptions):
                if not contained("a reader of changes", partial(subscription.offer, change)):
                    self.unsubscribe(subscription)


def contained(what: str, call: Callable[[], object]) -> bool:
    """Call what is at an edge: its bugs must not end the caller. Returns whether it succeeded; logs if not."""
    try:
        call()
    except Exception:
        import logging  # the first command does not wait for it

        logging.getLogger(__name__).exception("%s met a bug; everything else goes on", what)
        return False
    return True
