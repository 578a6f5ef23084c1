"""The end of a file, as much as the bundle has room for, with no secret shown in part where it is cut."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from supervisor.bundle.masking import Masking
from supervisor.bundle.part import LeftOut
from supervisor.host import logs


def masked_end(path: Path, longest_bytes: int, masking: Masking) -> bytes:
    """The last `longest_bytes` of a file, after a line that says how much is missing. Raises LeftOut, OSError."""
    status = os.stat(path, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise LeftOut("it is no file")
    first, end = logs.first_kept(str(path)), logs.size(str(path))
    cut = max(first, end - longest_bytes)
    begin = max(first, cut - masking.overlap)
    chunk = logs.read(str(path), begin, end - begin)
    skip = max(0, cut - chunk.offset)  # the head may have been dropped meanwhile
    if chunk.offset and skip < masking.overlap:
        # What stood before this is gone, and so it may begin within a secret; a line does not, nor what is far enough.
        line = chunk.data.find(b"\n") + 1 or masking.overlap
        skip = max(skip, min(line, masking.overlap))
    missing = f"[{chunk.offset + skip} bytes before this are not in the bundle]\n".encode() if skip else b""
    return missing + masking.text(chunk.data, skip, final=False)
