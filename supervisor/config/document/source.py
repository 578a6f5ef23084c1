"""Reads the file's bytes. Whatever stands at its path, it neither waits for a peer nor reads without end."""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from supervisor.config.document.text import LIMIT_BYTES
from supervisor.config.problem import Problem

STDIN = "-"

_KINDS = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
    (stat.S_ISSOCK, "it is a socket"),
)


Opener = Callable[["Path | str"], int]
"""Opens a file for reading without blocking. Raises OSError, Unreadable."""


class Unreadable(Exception):
    """A path cannot be read. The message says why; `hint` says how it could be, if that is known."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


def open_file(path: Path | str) -> int:
    """The usual opener."""
    # O_NONBLOCK: a named pipe without a writer would hold the open for ever. It changes nothing for a file.
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)


def read(path: Path | str, opener: Opener = open_file) -> bytes | Problem:
    """The bytes of the file, or of standard input for `-`; one byte over the limit shows that there are more."""
    try:
        return _read_stdin() if str(path) == STDIN else read_file(path, LIMIT_BYTES, opener)
    except Unreadable as error:
        return Problem(f"cannot read the file: {error}", hint=error.hint)


def read_file(path: Path | str, limit_bytes: int, opener: Opener = open_file) -> bytes:
    """The bytes of a regular file, at most one more than the limit. Raises Unreadable."""
    try:
        descriptor = opener(path)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise _not_a_file(path, mode)
            return _read_bounded(functools.partial(os.read, descriptor), limit_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable((error.strerror or str(error)).lower()) from error
    except ValueError:
        raise Unreadable("its name holds a NUL character") from None


def _read_stdin() -> bytes:
    try:
        return _read_bounded(sys.stdin.buffer.read, LIMIT_BYTES)
    except (OSError, ValueError, AttributeError):
        # Closed by the caller: None, a file object that says so, or a number that nothing stands behind.
        raise Unreadable("standard input is closed") from None


def _read_bounded(read_some: Callable[[int], bytes], limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    left = limit_bytes + 1
    while left > 0 and (part := read_some(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _not_a_file(path: Path | str, mode: int) -> Unreadable:
    reason = next((reason for is_kind, reason in _KINDS if is_kind(mode)), "it is not a file")
    hint = f"to read what it gives, use: cat {path} | supervisor ... -" if stat.S_ISFIFO(mode) else ""
    return Unreadable(reason, hint)
