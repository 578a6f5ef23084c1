"""Too few descriptors to accept another client.

asyncio then leaves the listening socket alone for a second, and reports each of its attempts as an error with a
traceback, a hundred at once. Clients wait meanwhile: their connections stand in the kernel's queue. What matters is
that somebody is told once, and once it is over.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
QUIET_S = 3.0
"""With no attempt failing for so long it is over: asyncio tries every second."""


class Shortage:
    """Takes these errors out of a loop's, and tells of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, met: Callable[[str], None]) -> None:
        """`met`: told why clients wait, and with an empty text once none does."""
        self._loop = loop
        self._met = met
        self._over: asyncio.TimerHandle | None = None
        loop.set_exception_handler(self._handle)

    def close(self) -> None:
        """Leave the loop's errors alone again."""
        self._loop.set_exception_handler(None)
        if self._over is not None:
            self._over.cancel()

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # Of the loop's own errors only those of accept() name a listening socket.
        if not isinstance(error, OSError) or "socket" not in context or error.errno not in _SHORT:
            loop.default_exception_handler(context)
            return
        if self._over is not None:
            self._over.cancel()
        self._over = loop.call_later(QUIET_S, self._met, "")
        self._met((error.strerror or str(error)).lower())
