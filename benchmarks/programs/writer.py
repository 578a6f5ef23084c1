"""A writer for `logs`: `writer.py GO DONE SIZE COUNT` writes COUNT pieces of SIZE bytes to standard output.

A byte in the FIFO DONE says that it is there. It begins once somebody has opened the FIFO GO for writing and closed
it; a second byte says that it is through. Then it sleeps, so that no logger has a process' end to deal with meanwhile.
"""

import os
import sys
import time

LINE_BYTES = 64


def main(go: str, done: str, size: int, count: int) -> None:
    """Write."""
    line = b"x" * (min(size, LINE_BYTES) - 1) + b"\n"
    piece = line * (size // len(line))
    _say(done)
    with open(go, "rb") as gate:
        gate.read()
    write = os.write
    for _ in range(count):
        left = piece
        while (written := write(1, left)) < len(left):
            left = left[written:]
    _say(done)
    time.sleep(100_000)


def _say(path: str) -> None:
    with open(path, "wb", buffering=0) as fifo:
        fifo.write(b"\0")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
