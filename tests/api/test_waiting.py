"""Waiting for logs and records: what one reader meets is nothing to the others, who wait on the same timer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supervisor.api.logs.chunks import Look, look
from supervisor.api.logs.waiters import Waiting
from supervisor.hub import Hub
from tests.api.logscene import within_deadline


def test_reader_that_fails_stops_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()

    def broken(_: Look = None) -> Look:
        raise LookupError("a bug")

    async def body() -> None:
        waiting = Waiting(Hub(), lambda _: ())
        seen = look(str(log))
        never = lambda: False  # noqa: E731
        takes = asyncio.create_task(waiting.until(never, "a", str(log), seen, broken))
        asks = asyncio.create_task(waiting.until(lambda: bool(broken()), "a"))
        other = asyncio.create_task(waiting.until(never, "b", str(log), seen))
        with pytest.raises(LookupError):
            await asks
        log.write_bytes(b"more")
        with pytest.raises(LookupError):
            await takes
        await other

    within_deadline(body)
