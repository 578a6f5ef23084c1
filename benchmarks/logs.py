"""The output of commands on its way into logs, beside `cat > file`, s6-log, supervisord and no pipe at all.

Time counts from the moment when all writers may begin until the last byte is in the logs; processor time, besides,
until REST_S later. It is that of the logger: cat, s6-log, supervisord, or supervisor and shim. On the filesystem of the
disk, and with a sync between turns: what one left to be written back must not cost the next one.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loggers import LOGGERS, Logger
from benchmarks.measure import TIMEOUT_S, workspace

ROUNDS = 7
REST_S = 0.3
_WRITER = Path(__file__).parent / "programs" / "writer.py"


@dataclass(frozen=True, slots=True)
class Load:
    """What is written."""

    title: str
    writers: int
    size: int
    count: int


LOADS = (
    Load("1 GiB by one, 64 KiB writes", 1, 1 << 16, 1 << 14),
    Load("1 GiB by one, 8 KiB writes", 1, 1 << 13, 1 << 17),
    Load("2,000,000 lines of 60 bytes by one", 1, 60, 2_000_000),
    Load("100,000 lines of 60 bytes by each of 20", 20, 60, 100_000),
    Load("20,000 lines of 60 bytes by each of 100", 100, 60, 20_000),
)


def tables(loads: Sequence[Load] = LOADS, rounds: int = ROUNDS) -> str:
    """Measure all; a table a load."""
    return "\n\n".join(_table(load, rounds) for load in loads)


def _table(load: Load, rounds: int) -> str:
    results: dict[str, list[tuple[float, float]]] = {logger.title: [] for logger in LOGGERS}
    for turn in range(rounds + 1):
        print(f"\rbenchmarks: {load.title}, turn {turn} of {rounds} ", end="", file=sys.stderr, flush=True)
        for logger in LOGGERS:
            result = _turn(logger, load)
            if turn:  # the first of each warms the caches
                results[logger.title].append(result)
    print(file=sys.stderr)
    medians = {
        title: tuple(statistics.median(values) for values in zip(*times, strict=True))
        for title, times in results.items()
    }
    cat_s = medians["`cat > file`"][0]
    lines = [f"| {load.title} | time | beside cat | CPU of the logger |", "|---|---:|---:|---:|"]
    for title, (took, cpu) in medians.items():
        lines.append(f"| {title} | {took * 1e3:.0f} ms | {took / cat_s:.2f} | {cpu * 1e3:.0f} ms |")
    return "\n".join(lines)


def _turn(logger: Logger, load: Load) -> tuple[float, float]:
    """Seconds of wall time, and of the logger's processor time."""
    os.sync()
    with workspace(on_disk=True) as folder:
        go, done = folder / "go", folder / "done"
        os.mkfifo(go)
        os.mkfifo(done)
        words = (_WRITER, go, done, load.size, load.count)
        # For reading and writing: so that it can be opened before there is a writer.
        answers = os.open(done, os.O_RDWR)
        try:
            with contextmanager(logger.run)(
                folder, [sys.executable, "-I", "-S", *map(str, words)], load.writers
            ) as pids:
                _read_from(answers, load.writers)
                time.sleep(logger.settle_s)
                before, began = _cpu_s(pids), time.perf_counter()
                os.close(os.open(go, os.O_WRONLY))
                _read_from(answers, load.writers)
                _wait_for(logger.logs(folder), load.writers * load.size * load.count)
                took = time.perf_counter() - began
                time.sleep(REST_S)
                return took, _cpu_s(pids) - before
        finally:
            os.close(answers)


def _read_from(answers: int, count: int) -> None:
    while count:
        count -= len(os.read(answers, count))


def _wait_for(logs: Sequence[Path], size: int) -> None:
    """Wait until the logs have that size together."""
    deadline = time.monotonic() + TIMEOUT_S
    while (there := sum(map(_size, logs))) < size:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{there} of {size} bytes are in the logs")
        time.sleep(0.002)


def _size(log: Path) -> int:
    if log.is_dir():
        return sum(file.stat().st_size for file in log.iterdir())
    return log.stat().st_size


def _cpu_s(pids: Sequence[int]) -> float:
    """As `cpu_s`, but in nanoseconds: the first field of schedstat, of each thread that lives."""
    files = (file for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9
