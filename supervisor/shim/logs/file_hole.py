"""fallocate(2), which Python does not have: blocks in the middle of a file are given back to the filesystem."""

from __future__ import annotations

import os
from collections.abc import Callable

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # linux/falloc.h


def head_to_give_back(first: int, end: int, limit_bytes: int, block_bytes: int) -> int:
    """How much of a log goes from `first`, its first byte, for three quarters of its limit to stay; 0: nothing.

    `end`: the log's size. A hole ends on a block.
    """
    keep_from = end - limit_bytes * 3 // 4
    return max(0, keep_from - keep_from % block_bytes - first)


def middle_to_give_back(first: int, end: int, tail_bytes: int, block_bytes: int) -> int:
    """How much of a log goes from `first`, behind its head, for its last `tail_bytes` to stay; 0: nothing, or little.

    `end`: the log's size. A hole ends on a block. To make one costs the same whether it is large or small.
    """
    if end - tail_bytes - first < tail_bytes // 16:
        return 0
    keep_from = end - tail_bytes
    return max(0, keep_from - keep_from % block_bytes - first)


_call: Callable[[int, int, int, int], None] | None = None


def punch(fd: int, offset: int, length: int) -> None:
    """Make a hole; the file keeps its size. Raises OSError: EOPNOTSUPP where the filesystem has no holes."""
    call = _fallocate()
    while True:
        try:
            call(fd, _PUNCH_HOLE | _KEEP_SIZE, offset, length)
            return
        except InterruptedError:  # only what Python calls itself is begun again after a signal
            continue


def _fallocate() -> Callable[[int, int, int, int], None]:
    """The function. ctypes is loaded when the first log is full, which is usually never."""
    global _call
    if _call is None:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        # Where off_t has 32 bits, the call with 64 has a name of its own.
        function = getattr(libc, "fallocate64", None) or libc.fallocate
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

        def call(fd: int, mode: int, offset: int, length: int) -> None:
            if function(fd, mode, offset, length) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))

        _call = call
    return _call
