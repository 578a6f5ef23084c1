"""What the supervisor and the worker of the workspace say to each other, over a Unix socket.

Both send frames: kind, number of the call, length, data. The worker says first which version it is of (HELLO), then the
supervisor what to work on (SETTINGS), and the worker that it is ready (READY). A call is this, where each side may be
ahead of the other:

| supervisor | worker | data |
|---|---|---|
| CALL | | JSON: method, form (`proto` or `json`) |
| PIECE, any number | | of the request |
| END | | the request is whole |
| ROOM | ROOM | the worker asks for room for a large answer, and gets it |
| | ANSWER | size of the answer (8 bytes), its first piece |
| MORE | PIECE | one piece of the answer for each MORE, until it is whole |
| CANCEL | | nobody waits any more: nothing more comes of this call |
| | FAILED | JSON: code, message, and details for our own log |

In place of ANSWER a stream has BEGUN (the subscription stands), a PIECE for each MORE, which is one message, and DONE.

Requests and answers are the bytes of HTTP: only the worker reads and makes messages, so a large one never stops the
supervisor's event loop. An answer waits in the worker while its client does not read.
"""

from __future__ import annotations

import enum
import struct

VERSION = 1
"""Of this language."""
PIECE_BYTES = 256 * 1024
"""No piece but a message of a stream is larger."""
LARGE_BYTES = 8 * 1024 * 1024
"""Of answers that are larger one is built at a time."""
HEAD = struct.Struct(">BIQ")
"""Of a frame: kind, number of the call, length of the data."""
SIZE = struct.Struct(">Q")


class FrameKind(enum.IntEnum):
    """What a frame says."""

    HELLO = 1
    SETTINGS = 2
    READY = 3
    CALL = 4
    PIECE = 5
    END = 6
    ANSWER = 7
    MORE = 8
    CANCEL = 9
    FAILED = 10
    BEGUN = 11
    DONE = 12
    ROOM = 13


def frame(kind: FrameKind, call: int = 0, data: bytes = b"") -> bytes:
    """A frame as bytes."""
    return HEAD.pack(kind, call, len(data)) + data
