"""Waiting for logs and records: what one reader meets is nothing to the others, who wait on the same timer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supervisor.api.logs.chunks import FileVersion, file_version
from supervisor.api.logs.waiters import LogWaiters
from supervisor.core.plans.leaders import Leaders
from supervisor.hub import Hub
from tests.api.logs.logscene import within_deadline


class Patient:
    """A reader that waits for its file alone."""

    def ready(self) -> bool:
        return False

    def take(self, version: FileVersion) -> FileVersion:
        return None


class BrokenAtTake(Patient):
    def take(self, version: FileVersion) -> FileVersion:
        raise LookupError("a bug")


class BrokenWhenAsked(Patient):
    def ready(self) -> bool:
        raise LookupError("a bug")


def test_reader_that_fails_stops_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()

    async def body() -> None:
        waiters = LogWaiters(Hub(), Leaders())
        seen = file_version(str(log))
        takes = asyncio.create_task(waiters.until(BrokenAtTake(), "a", str(log), seen))
        asks = asyncio.create_task(waiters.until(BrokenWhenAsked(), "a"))
        other = asyncio.create_task(waiters.until(Patient(), "b", str(log), seen))
        with pytest.raises(LookupError):
            await asks
        log.write_bytes(b"more")
        with pytest.raises(LookupError):
            await takes
        await other

    within_deadline(body)
