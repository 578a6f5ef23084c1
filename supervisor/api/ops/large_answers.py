"""Large answers take turns: one is built at a time, so that many callers at once cost the memory of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

LARGE_ANSWER_BYTES = 8 << 20
"""Up to this size an answer is built beside others."""


class LargeAnswers:
    """The turns of one server. Used on the event loop alone."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(1)

    @asynccontextmanager
    async def turn(self, size_bytes: int) -> AsyncGenerator[None]:
        """Inside, an answer of about this size is built."""
        if size_bytes <= LARGE_ANSWER_BYTES:
            yield
        else:
            async with self._turns:
                yield
