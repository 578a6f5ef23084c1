"""How often live runs are looked at, and what is noted about their output files."""

import os
import time
from pathlib import Path

from supervisor.host.runs.run import Run
from supervisor.host.runs.run_directory import NOTED_S, RunDir
from supervisor.host.runs.upkeep import LookPace, output
from supervisor.model.action import RunKind
from supervisor.model.ids import RunId

MEGABYTE = 1 << 20


def looks(pace: LookPace, for_s: float, free_bytes: int = 0) -> list[float]:
    """When the runs were looked at, in seconds from now, while none of them writes."""
    at_s, times = 0.0, []
    while at_s < for_s:
        at_s += pace.interval_s
        if pace.is_due(free_bytes):
            times.append(at_s)
            pace.note(quiet=True)
    return times


def test_runs_that_stay_quiet_are_looked_at_ever_more_seldom() -> None:
    assert looks(LookPace(), 50) == [1, 3, 7, 13, 21, 29, 37, 45]


def test_while_one_writes_all_are_looked_at_each_second() -> None:
    pace = LookPace()
    looks(pace, 50)
    pace.note(quiet=False)
    assert pace.interval_s == 1
    assert pace.is_due(0)


def test_a_new_run_is_looked_at_soon() -> None:
    pace = LookPace()
    looks(pace, 50)
    pace.begin()
    assert looks(pace, 10) == [1, 3, 7]


def test_a_disk_that_fills_has_the_runs_looked_at_at_once() -> None:
    pace = LookPace()
    looks(pace, 45, free_bytes=1000 * MEGABYTE)
    assert not pace.is_due(1000 * MEGABYTE)
    assert not pace.is_due(990 * MEGABYTE), "a little is no reason"
    assert pace.is_due(900 * MEGABYTE)


def test_many_complaints_at_the_end_hold_the_event_loop_up_once(tmp_path: Path) -> None:
    folder = RunDir(tmp_path, "r")
    folder.create()
    run = Run(RunId("r"), RunKind.TASK, "build", folder)
    assert run.output_file is not None
    Path(run.output_file).write_text("no value\n" * 12)
    os.mkfifo(folder.fifo)
    reader = os.open(folder.fifo, os.O_RDONLY | os.O_NONBLOCK)  # and nobody empties it
    try:
        began = time.monotonic()
        output(run, final=True)
        assert time.monotonic() - began < 6 * NOTED_S
        assert os.read(reader, 1 << 16).count(b"is ignored") == 12
    finally:
        os.close(reader)
