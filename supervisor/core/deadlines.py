"""When each record must decide without an input: a heap, so that the earliest of thousands is found at once.

A deadline that moved or was dropped stays in the heap until it comes up there, or until most of the heap is such: so
to move one costs what to add one does.
"""

from __future__ import annotations

from supervisor.lean.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heapq import heapify, heappop, heappush
else:
    try:  # as `heapq` does, whose own code nobody needs here and each start would wait for
        from _heapq import heapify, heappop, heappush
    except ImportError:
        from heapq import heapify, heappop, heappush

_SPARE = 64
"""So many entries that count no more may always stay."""


class Deadlines:
    """The deadlines of records, on the monotonic clock."""

    def __init__(self) -> None:
        """There are none yet."""
        self._entries: dict[str, tuple[float, int, str]] = {}
        """{record id: its entry in the heap that counts}"""
        self._heap: list[tuple[float, int, str]] = []
        """(when, number of the entry, record id); the number keeps those of one moment in order."""
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, id_: str, at: float | None) -> None:
        """A record must decide at `at`; None: not before an input."""
        if at is None:
            self.drop(id_)
            return
        known = self._entries.get(id_)
        if known is not None and known[0] == at:
            return
        self._number += 1
        self._entries[id_] = entry = (at, self._number, id_)
        heappush(self._heap, entry)
        self._tidy()

    def drop(self, id_: str) -> None:
        """A record has no deadline any more, if it had one."""
        if self._entries.pop(id_, None) is not None:
            self._tidy()

    def earliest(self) -> float | None:
        """The next deadline; None: there is none."""
        heap = self._heap
        while heap and self._entries.get(heap[0][2]) is not heap[0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> list[str]:
        """The records whose deadline has come, the earliest first. They keep it until it is set anew."""
        due: list[tuple[float, int, str]] = []
        while (at := self.earliest()) is not None and at <= now:
            due.append(heappop(self._heap))
        for entry in due:
            heappush(self._heap, entry)
        return [id_ for _, _, id_ in due]

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._entries) + _SPARE:
            self._heap = list(self._entries.values())
            heapify(self._heap)
