"""Hides the values of secrets in a log, wherever in it somebody reads.

A byte is hidden if it lies within any occurrence of any value; overlapping occurrences hide all they cover, and each
run of hidden bytes shows as one `***` at its first byte. So whether a byte is hidden depends only on the bytes around
it, as many as the longest value has: every reader masks what it reads, from any offset, and all together show what
masking the whole text would. No state, nothing to resume.

At the end of what was read, bytes that could be the beginning of a value are not settled: they are read again with
what comes after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HIDDEN = b"***"


@dataclass(frozen=True, slots=True)
class Masked:
    """What to show of the bytes up to `settled`, an index into what was masked."""

    shown: bytes
    settled: int
    steps: tuple[tuple[int, int], ...] = ()
    """Where what is shown goes on after hidden bytes: the index there, and the one into what was masked."""


class Mask:
    """The values to hide, as bytes. Line ends around a value do not count: shells strip them, files have them."""

    __slots__ = ("_values", "longest")

    def __init__(self, secrets: Iterable[str]) -> None:
        """Blank values hide nothing."""
        self._values = tuple({value for secret in secrets if (value := _bytes(secret)).strip()})
        self.longest = max(map(len, self._values), default=0)

    def apply(self, data: bytes, skip: int, final: bool, more: Iterable[tuple[int, int]] = ()) -> Masked:
        """Mask `data` from `skip` on. The bytes before it were shown earlier; `longest` of them are needed.

        `final`: no byte will follow, so nothing can be a value's beginning. `more`: other spans to hide.
        """
        settled = len(data) if final else max(skip, self._unsettled(data))
        shown: list[bytes] = []
        steps: list[tuple[int, int]] = []
        at, length = skip, 0
        for start, end in self._hidden(data, more):
            if start >= settled:
                break
            if start >= skip:
                shown += (data[at:start], HIDDEN)
                length += start - at + len(HIDDEN)
            if end > skip:
                at = min(end, settled)
                steps.append((length, at))
        shown.append(data[at:settled])
        return Masked(b"".join(shown), settled, tuple(steps))

    def _hidden(self, data: bytes, more: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The runs of hidden bytes, in order."""
        start = end = 0
        for first, after in sorted([*self._occurrences(data), *more]):
            if first > end:
                if end:
                    yield start, end
                start = first
            end = max(end, after)
        if end:
            yield start, end

    def _occurrences(self, data: bytes) -> Iterator[tuple[int, int]]:
        for value in self._values:
            at = data.find(value)
            while at != -1:
                yield at, at + len(value)
                at = data.find(value, at + 1)

    def _unsettled(self, data: bytes) -> int:
        """Where the first value begins that may go on after the end."""
        return min((_beginning(data, value) for value in self._values), default=len(data))


def _beginning(data: bytes, value: bytes) -> int:
    """Where the longest end of `data` begins that `value`, which is longer, begins with."""
    at = data.find(value[:1], max(0, len(data) - len(value) + 1))
    while at != -1 and not value.startswith(data[at:]):
        at = data.find(value[:1], at + 1)
    return len(data) if at == -1 else at


def _bytes(secret: str) -> bytes:
    try:
        return secret.strip("\r\n").encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no command's environment can hold it either
        return b""
