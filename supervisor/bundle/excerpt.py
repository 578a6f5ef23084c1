"""The ends of a file, as much as the bundle has room for, cut so that no part of a secret shows."""

from __future__ import annotations

import os
from pathlib import Path

from supervisor.bundle.archive import LeftOut
from supervisor.bundle.masker import Masker
from supervisor.host.runs import log_file
from supervisor.shim.regular_file import Replaced, open_regular, why_replaced


def masked_both_ends(path: Path, longest_bytes: int, masker: Masker) -> bytes:
    """A file of independent lines, masked. Of a longer one: the first and the last half of `longest_bytes`.

    A line that does not fit is left out whole, since only its beginning may show which part of it is a secret. Raises
    LeftOut, OSError.
    """
    with open(_opened(path), "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size <= longest_bytes:
            return masker.text(file.read(longest_bytes))
        half = longest_bytes // 2
        head = file.read(half)
        file.seek(status.st_size - half)
        tail = file.read(half)
    head = head[: head.rfind(b"\n") + 1]
    begin = tail.find(b"\n") + 1 or len(tail)
    missing = status.st_size - len(head) - (len(tail) - begin)
    between = f"[{missing} bytes in between are not in the bundle]\n".encode()
    return masker.text(head) + between + masker.text(tail, begin)


def _opened(path: Path) -> int:
    try:
        return open_regular(path, os.O_RDONLY)
    except Replaced as error:
        raise LeftOut(error.strerror) from error


def masked_end(path: Path, longest_bytes: int, masker: Masker) -> bytes:
    """The last `longest_bytes` of a file, masked, after a line that says how much is missing.

    The bytes before the cut are read as well, so that a secret across the cut is recognized. Raises LeftOut, OSError.
    """
    if why := why_replaced(os.lstat(path)):
        raise LeftOut(why)
    first, end = log_file.first_kept(str(path)), log_file.size(str(path))
    end = min(end, log_file.find_tail(str(path), 1, 1).end)  # without the hole at its end
    cut = max(first, end - longest_bytes)
    begin = max(first, cut - masker.overlap)
    offset, data = _between(str(path), begin, end)
    skip = max(0, cut - offset)  # the log may have dropped its head meanwhile
    if offset and skip < masker.overlap:
        # The log has dropped what stood before this, so it may begin within a secret. The next line does not, nor does
        # what is further away than the longest secret.
        line = data.find(b"\n") + 1 or masker.overlap
        skip = max(skip, min(line, masker.overlap))
    missing = f"[{offset + skip} bytes before this are not in the bundle]\n".encode() if skip else b""
    return missing + masker.text(data, skip, final=False)


def _between(path: str, begin: int, end: int) -> tuple[int, bytes]:
    """Where a log's data between two offsets begins, and the data, with a line for each hole. Raises OSError."""
    start, data = begin, b""
    for chunk in log_file.chunks(path, begin, end):
        if not data:
            start = chunk.offset
        elif chunk.dropped:
            data += f"\n[{log_file.missing(chunk.dropped, chunk.head)}]\n".encode()
        data += chunk.data
    return start, data
