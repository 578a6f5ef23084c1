"""What an operation has written to standard output and standard error, as its result: a beginning and an end of each.

    0         head_bytes        tail_from         size_bytes
    |  head       |    missing      |     tail        |  what processes that it left behind wrote later

Of each stream the first and the last `OUTPUT_BYTES` before its end are kept, whatever is written later; what is between
them is given back (`shim/logs/log_pipe`). So what a result lacks follows from its size alone, and is the same each
time. An answer may have less room than that: then each stream gets its share, the larger one what the other leaves.

Reading blocks: call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from supervisor.host.runs.run import OUTPUT_BYTES
from supervisor.host.runs.run_directory import RunDir
from supervisor.shim.regular_file import open_regular

MOST_BYTES = 2 * OUTPUT_BYTES
"""How much of both streams together an answer takes."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StreamOutput:
    """One stream of an operation's result, open for reading."""

    path: str
    size_bytes: int
    """How many bytes were written to it until the end of the operation was reported."""
    head_bytes: int
    """How many of the first ones there are."""
    tail_from: int
    """Where the last ones begin that there are; `head_bytes` if all are there."""
    fd: int

    @property
    def missing_bytes(self) -> int:
        """How many bytes are missing between head and tail."""
        return self.tail_from - self.head_bytes

    @property
    def shown_bytes(self) -> int:
        """How many bytes `chunks` gives."""
        return self.size_bytes - self.missing_bytes

    def chunks(self) -> Iterator[bytes]:
        """The head, then the tail, in pieces. Raises OSError."""
        yield from self._read(0, self.head_bytes)
        yield from self._read(self.tail_from, self.size_bytes)

    def head(self) -> bytes:
        """What comes before the missing bytes; all, if none are missing. Raises OSError."""
        return b"".join(self._read(0, self.head_bytes if self.missing_bytes else self.size_bytes))

    def tail(self) -> bytes:
        """What comes after the missing bytes; empty, if none are missing. Raises OSError."""
        return b"".join(self._read(self.tail_from, self.size_bytes)) if self.missing_bytes else b""

    def _read(self, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            data = os.pread(self.fd, min(_CHUNK_BYTES, end - at), at)
            if not data:
                raise FileNotFoundError(f"{self.path} was cut off")
            yield data
            at += len(data)


@contextmanager
def opened(
    run: RunDir, written: tuple[int, int], most_bytes: int = MOST_BYTES, kept_bytes: int = OUTPUT_BYTES
) -> Iterator[tuple[StreamOutput, StreamOutput]]:
    """Standard output and standard error of an operation. Raises FileNotFoundError if they are not kept, OSError.

    `written`: as `Exited` told. `most_bytes`: how much of both together there is room for. `kept_bytes`: how much of
    each end of each stream is kept.
    """
    with ExitStack() as stack:
        files = []
        for path, size_bytes in zip((run.stdout, run.stderr), written, strict=True):
            fd = open_regular(path, os.O_RDONLY)
            stack.callback(os.close, fd)
            if os.fstat(fd).st_size < size_bytes:
                raise FileNotFoundError(f"{path} was cut off")
            files.append((path, size_bytes, fd))
        out, err = (
            _stream(path, size_bytes, fd, kept_bytes, room_bytes)
            for (path, size_bytes, fd), room_bytes in zip(
                files, _rooms(written, most_bytes, kept_bytes), strict=True
            )
        )
        yield out, err


def _rooms(written: tuple[int, int], most_bytes: int, kept_bytes: int) -> tuple[int, int]:
    """How many bytes of each stream are shown: a half of what there is room for, and what the other one leaves."""
    out, err = (min(size_bytes, 2 * kept_bytes) for size_bytes in written)
    half = most_bytes // 2
    room_of_out = min(out, max(half, most_bytes - err))
    return room_of_out, min(err, most_bytes - room_of_out)


def _stream(path: str, size_bytes: int, fd: int, kept_bytes: int, room_bytes: int) -> StreamOutput:
    if size_bytes <= room_bytes:
        return StreamOutput(path, size_bytes, size_bytes, size_bytes, fd)
    head_bytes = min(kept_bytes, (room_bytes + 1) // 2)
    return StreamOutput(path, size_bytes, head_bytes, size_bytes - (room_bytes - head_bytes), fd)
