"""Lines of a log by their times and by what stands in them, and with their times before them."""

import re
from pathlib import Path

import pytest

from supervisor.shim.logs.log_times import NAME, RECORD, key
from tests.api.logs.logscene import Scene, serving, within_deadline

SSE = {"Accept": "text/event-stream"}
PARTS = {"Accept": "application/vnd.supervisor.log-parts"}
BEGAN_MS = 1_796_077_620_000
"""2026-11-30T22:27:00Z."""
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")


class TimedScene(Scene):
    """Output is written at given times, as the pump does it: first the record, then the bytes."""

    def print(self, run_id: str, at_ms: int, data: bytes) -> None:
        log = self.log(run_id)
        offset = log.stat().st_size if log.exists() else 0
        with open(self.state / NAME, "ab") as journal:
            journal.write(RECORD.pack(key(run_id), offset, (BEGAN_MS + at_ms) * 1_000_000))
        self.write(run_id, data)

    def four_lines(self, live: bool = False) -> str:
        """Lines at 0, 1, 1.5 and 3 s; the second one is written in two pieces."""
        run_id = self.service(live=live)
        self.print(run_id, 0, b"one\n")
        self.print(run_id, 1000, b"tw")
        self.print(run_id, 1400, b"o\n")
        self.print(run_id, 1500, b"three\n")
        self.print(run_id, 3000, b"four\n")
        return run_id


@pytest.fixture
def scene(tmp_path: Path) -> TimedScene:
    return TimedScene(tmp_path)


def at(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"2026-11-30T22:27:{seconds:02}.{rest:03}Z"


STAMPED = f"{at(0)} one\n{at(1000)} two\n{at(1500)} three\n{at(3000)} four\n".encode()


# Times before lines ---------------------------------------------------------------------------------------------------


def test_timestamps_stand_before_each_line(scene: TimedScene) -> None:
    scene.four_lines()

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(f"{site.web}?timestamps=true") == STAMPED
            assert await site.get(f"{site.web}?timestamps=1&tail=2") == b"".join(STAMPED.splitlines(True)[2:])
            assert await site.get(f"{site.web}?timestamps=true", Range="bytes=4-") == STAMPED

    within_deadline(body)
