"""How things are measured: interleaved, by medians, each program in a folder and a HOME of its own.

Machines are noisy and their speed drifts, so what is compared takes turns (A B C A B C ...) and only ratios from one
run of the benchmarks mean anything.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPERVISOR = str(ROOT / "bin" / "supervisor")
HONCHO = str(ROOT / "benchmarks" / ".venv" / "bin" / "honcho")
JUST = str(ROOT / "benchmarks" / ".venv" / "bin" / "just")
GO_TASK = str(ROOT / "benchmarks" / ".venv" / "bin" / "task")
TIMEOUT_S = 60.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Without a target it is there for comparison."""

    what: str
    value: float
    unit: str
    target: float | None = None
    """The value must not be above it."""
    at_least: float | None = None
    """The value must not be below it."""


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, the units in one column."""
    lines = ["| what | measured | target | |", "|---|---:|---:|---|"]
    for row in rows:
        target, verdict = "", ""
        if row.target is not None:
            target, verdict = f"<= {row.target:g}", _verdict(row.value <= row.target)
        elif row.at_least is not None:
            target, verdict = f">= {row.at_least:g}", _verdict(row.value >= row.at_least)
        lines.append(f"| {row.what} | {row.value:.4g} {row.unit} | {target} | {verdict} |")
    return "\n".join(lines)


def _verdict(met: bool) -> str:
    return "met" if met else "**not met**"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of all are below."""
    return statistics.quantiles(values, n=100)[percent - 1]


def interleaved(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """`{name: median}` of the seconds that each takes, by turns, after one turn each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            seconds = contestant()
            if turn:
                times[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


@contextmanager
def workspace(on_disk: bool = False) -> Iterator[Path]:
    """An empty folder for one measure, with the empty folders `home` and `tmp` in it.

    In memory where that can be had: ext4 searches past every inode that was deleted in the last minutes, so that each
    turn would pay for the folders that the turns before it have removed.
    """
    memory = None if on_disk or not os.path.isdir("/dev/shm") else "/dev/shm"
    path = Path(tempfile.mkdtemp(prefix="bench-", dir=memory))
    (path / "home").mkdir()
    (path / "tmp").mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def environment(folder: Path) -> dict[str, str]:
    """The environment of what is measured: as a user's, with an empty HOME."""
    names = ("PATH", "LANG", "TZ")
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
    }


def wall_s(argv: Sequence[str], folder: Path, attempts: int = 1) -> float:
    """How long a program takes that has to succeed, at the last of `attempts`."""
    began = time.perf_counter()
    with started(argv, folder) as process:
        status = _ended(process)
        took = time.perf_counter() - began
    if status != 0 and attempts > 1:
        return wall_s(argv, folder, attempts - 1)
    if status != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with status {status}")
    return took


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The status that a process ended with, at once. `Popen.wait` with a timeout looks every 50 ms only."""
    fd = os.pidfd_open(process.pid)
    try:
        if not select.select([fd], [], [], TIMEOUT_S)[0]:
            raise TimeoutError(f"{process.args!r} did not end within {TIMEOUT_S:g} s")
    finally:
        os.close(fd)
    return process.wait()


@contextmanager
def started(argv: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, which is killed at the end; its output goes nowhere."""
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill_group(process.pid)
        process.wait(TIMEOUT_S)


def kill_group(pid: int) -> None:
    """Kill the process group that `pid` leads; nothing if it is gone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@contextmanager
def running(argv: Sequence[str], folder: Path) -> Iterator[tuple[int, ...]]:
    """The pids of a supervisor and of its shim; it is stopped in the ordinary way at the end."""
    with started(argv, folder) as process:
        try:
            yield process.pid, shim_of(process.pid)
            if process.poll() is not None:
                raise RuntimeError("the supervisor ended while it was measured")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)


def shim_of(pid: int) -> int:
    """The shim of a supervisor: its only child once it runs."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            if b"shim.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        time.sleep(0.01)
    raise TimeoutError("the supervisor started no shim")


def keeper_of(shim: int) -> tuple[int, ...]:
    """The keeper that a shim has started, if it has."""
    children = map(int, Path(f"/proc/{shim}/task/{shim}/children").read_text().split())
    return tuple(pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "log-keeper\n")


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time of processes so far, with all their threads; exact to a clock tick, 10 ms."""
    return sum(_cpu_ticks(pid) for pid in pids) * _TICK_S


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def pss_bytes(pids: Sequence[int]) -> int:
    """The memory of processes, with their part of what they share: PSS of /proc/PID/smaps_rollup."""
    return sum(_pss_kib(pid) for pid in pids) * 1024


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def rss_bytes(pid: int) -> int:
    """The resident memory of a process: VmRSS of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024


def runs_begun(state: Path) -> int:
    """How many runs have begun, in a new state directory, also of an earlier version, which wrote a file for each."""
    journal = state / "run-facts"
    noted = journal.read_bytes().count(b'"start_ticks"') if journal.exists() else 0
    return noted + len(list(state.glob("runs/*/started")))


def until(condition: Callable[[], bool], every_s: float = 0.02) -> None:
    """Wait for a condition, looking so often. Raises TimeoutError."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError("what is measured did not come to the point where it is measured")
        time.sleep(every_s)
