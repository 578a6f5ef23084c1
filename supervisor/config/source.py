"""Reading the file's bytes, whatever stands at its path, without ever waiting for a peer or reading without end."""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from supervisor.config.problem import Problem
from supervisor.config.text import LIMIT_BYTES

STDIN = "-"

_KINDS = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
    (stat.S_ISSOCK, "it is a socket"),
)


def read(path: Path | str) -> bytes | Problem:
    """The bytes of the file, of standard input for `-`; one byte over the limit shows that there are more."""
    if str(path) == STDIN:
        return _read_stdin()
    try:
        # O_NONBLOCK: a named pipe without a writer would hold the open for ever. It changes nothing for a file.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                return _not_a_file(path, mode)
            return _read_bounded(functools.partial(os.read, descriptor))
        finally:
            os.close(descriptor)
    except OSError as error:
        return Problem(f"cannot read the file: {_reason(error)}")
    except ValueError:
        return Problem("cannot read the file: its name holds a NUL character")


def _read_stdin() -> bytes | Problem:
    try:
        return _read_bounded(sys.stdin.buffer.read)
    except (OSError, ValueError, AttributeError):
        # Closed by the caller: None, a file object that says so, or a number that nothing stands behind.
        return Problem("cannot read the file: standard input is closed")


def _read_bounded(read_some: Callable[[int], bytes]) -> bytes:
    parts: list[bytes] = []
    left = LIMIT_BYTES + 1
    while left > 0 and (part := read_some(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _not_a_file(path: Path | str, mode: int) -> Problem:
    reason = next((reason for is_kind, reason in _KINDS if is_kind(mode)), "it is no file")
    hint = f"to read what it gives, use: cat {path} | supervisor ... -" if stat.S_ISFIFO(mode) else ""
    return Problem(f"cannot read the file: {reason}", hint=hint)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
