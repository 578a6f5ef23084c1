"""Files with holes: where data is.

A hole is a range that takes no blocks; lseek(2) finds it (SEEK_DATA, SEEK_HOLE); `shim/logs/file_hole` makes it. Holes
end on blocks, so a range that was never written may be zeros at both of its ends.
"""

from __future__ import annotations

import errno
import os

_HOLE = bytes(512)
"""No filesystem has smaller blocks, so no hole is smaller."""
BESIDE = 4095
"""So many zeros beside a hole can be the rest of a block."""


def written(fd: int, at: int, end: int, max_bytes: int) -> tuple[int, bytes, bool] | None:
    """The next data at `at` or after it: where it begins, what comes before a hole, and whether a hole follows.

    `end`: the size before this was called. None: blocks were given back meanwhile. Zeros beside a hole are part of it.
    """
    start = next_data(fd, at, end)
    if start > at:
        beside = os.pread(fd, BESIDE, start)
        start += len(beside) - len(beside.lstrip(b"\0"))
    data = os.pread(fd, max_bytes, start)
    # Looking for zeros takes less time than asking for holes.
    if data[:1] != b"\0" and data[-1:] != b"\0" and _HOLE not in data:
        return start, data, False
    if next_data(fd, start, end) != start:
        return None
    hole_at = next_hole(fd, start, end)
    rest = hole_at - start - len(data)
    hole = hole_at < end and (rest <= 0 or (rest <= BESIDE and _is_zero(fd, hole_at - rest, rest)))
    data = data[: hole_at - start]
    if hole:
        data = data[:-BESIDE] + data[-BESIDE:].rstrip(b"\0")
    return start, data, hole


def _is_zero(fd: int, at: int, length: int) -> bool:
    return not os.pread(fd, length, at).strip(b"\0")


def next_data(fd: int, at: int, end: int) -> int:
    """Where data is, at `at` or after it; `end`, the size before this was called, if there is none."""
    return _seek(fd, at, os.SEEK_DATA, at, end)


def next_hole(fd: int, at: int, end: int) -> int:
    """Where a hole is, at `at` or after it; `end` if there is none before."""
    return _seek(fd, at, os.SEEK_HOLE, end, end)


def _seek(fd: int, at: int, whence: int, unknown: int, end: int) -> int:
    try:
        return os.lseek(fd, at, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:  # at the end, or in a hole that goes on until there
            return end
        if error.errno == errno.EINVAL:  # a filesystem without holes
            return unknown
        raise


def _end_of_data(fd: int, before: int) -> int:
    """Where the last data before an offset ends; 0 if there is none. Found by some 40 halvings."""
    if before == 0 or next_data(fd, before - 1, before) < before:
        return before
    low = next_data(fd, 0, before)
    if low >= before:
        return 0
    high = before - 1
    while high - low > 1:
        middle = (low + high) // 2
        found = next_data(fd, middle, before)
        low, high = (max(middle, min(found, high - 1)), high) if found < before else (low, middle)
    return low + 1


def end_of_written(fd: int, before: int) -> int:
    """Where the last data before an offset ends, without the zeros beside a hole; 0 if there is none."""
    end = _end_of_data(fd, before)
    if end < before:
        beside = os.pread(fd, min(BESIDE, end), max(0, end - BESIDE))
        end -= len(beside) - len(beside.rstrip(b"\0"))
    return end
