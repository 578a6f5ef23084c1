"""The hub: hands every change to its subscribers, in the order of revisions.

Each subscription is a bounded queue. A queue that is not read in time is emptied, and begins with `Resync`: the reader
looks at the records again, then continues. So a slow reader delays neither the writer nor another reader, and always
knows that it missed something. A reader subscribes and looks at the records on the writer's thread, between two steps,
so that it misses no change.

A reader that raises is logged and unsubscribed: it ends neither the writer nor another reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from supervisor.lean.frozen import dataclass
from supervisor.lean.late import anyio, logging
from supervisor.lean.typing import Protocol
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


class ChangeReader(Protocol):
    """Reads a subscription."""

    def on_changes(self) -> None:
        """The empty queue has its first change. Called on the writer's thread: to be quick, and not to wait."""


class ChangeEvent:
    """A reader that is a task in the event loop: it waits until there is something to take."""

    def __init__(self) -> None:
        """There is nothing yet."""
        self._is_set = False
        self._event: anyio.Event | None = None

    def on_changes(self) -> None:
        """See `ChangeReader`."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Wait for the next change since the last wait ended."""
        if not self._is_set:
            self._event = anyio.Event()
            await self._event.wait()
            self._event = None
        self._is_set = False


class Subscription:
    """A reader's queue."""

    def __init__(self, reader: ChangeReader, limit: int = QUEUE_LIMIT) -> None:
        """`limit`: how many changes wait for a slow reader before it has to resync."""
        self._queue: deque[Change] = deque()
        self._reader = reader
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
            self._reader.on_changes()


class Hub:
    """All subscriptions. Used on the engine's thread only."""

    def __init__(self) -> None:
        """There is no subscription yet."""
        self._subscriptions: list[Subscription] = []

    @property
    def readers(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def subscribe(self, reader: ChangeReader, limit: int = QUEUE_LIMIT) -> Subscription:
        """Begin a subscription, which gets every change from now on."""
        subscription = Subscription(reader, limit)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription, if it has not ended because its reader failed."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def publish(self, changes: Iterable[Change]) -> None:
        """Hand out changes, in order."""
        for change in changes:
            # A reader may unsubscribe in `on_changes`, and another subscribe.
            for subscription in tuple(self._subscriptions):
                if not contained("a reader of changes", partial(subscription.offer, change)):
                    self.unsubscribe(subscription)


def contained(what: str, call: Callable[[], object]) -> bool:
    """Call what is at an edge: its bugs must not end the caller. Returns whether it succeeded; logs if not."""
    try:
        call()
    except Exception:
        logging.getLogger(__name__).exception("%s met a bug; everything else goes on", what)
        return False
    return True
