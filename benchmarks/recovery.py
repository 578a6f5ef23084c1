"""kill -9 of a supervisor with 100 services, and a start of the same again: what came of everything?

Of the services, some sleep, some write lines all the time (and each line into a file of their own too, to compare),
some end with an exit code of their own while no supervisor lives, and some had been stopped on request before. A script
that is run a second time only sleeps, so that nothing which looks right comes from having been run twice.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.daemons import DAEMONS, Daemon
from benchmarks.measure import TIMEOUT_S, cpu_s, environment, until, workspace

ROUNDS = 5
STOPPED = [f"stopped{number}" for number in range(10)]
WRITERS = [f"writer{number}" for number in range(10)]
ENDERS = [f"ender{number}" for number in range(10)]
SLEEPERS = [f"sleeper{number}" for number in range(70)]
NAMES = STOPPED + WRITERS + ENDERS + SLEEPERS
SETTLE_S = 3.0
SHUTDOWN_S = 120.0
"""How long its own shutdown may take, before it is killed."""
_BEGIN = """\
[ -s starts/{name} ] && again=yes
echo $$ >>starts/{name}
[ -n "$again" ] && exec sleep 100000
"""
_WRITE = """\
number=0
while [ ! -e hush ]; do
    number=$((number + 1))
    echo "{name} writes line $number" >>copies/{name}
    echo "{name} writes line $number"
    sleep 0.1
done
exec sleep 100000
"""
_END = "until [ -e die ]; do sleep 0.2; done\nexit {code}\n"


@dataclass
class Found:
    """What was found after one kill, or after many."""

    killed: int = 0
    to_go_on: int = 0
    survived: int = 0
    adopted: int = 0
    doubled: int = 0
    ended: int = 0
    statuses: int = 0
    answered: int = 0
    kept: int = 0
    compared: int = 0
    lost: int = 0
    left: int = 0

    def add(self, other: Found) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def table() -> str:
    """The table of one run, as Markdown."""
    found = {kind.title: Found() for kind in DAEMONS}
    times: dict[str, list[tuple[float, float]]] = {kind.title: [] for kind in DAEMONS}
    for _ in range(ROUNDS):
        for kind in DAEMONS:
            with workspace() as folder:
                one, took = one_round(kind(folder), folder)
            found[kind.title].add(one)
            times[kind.title].append(took)
    rows: list[tuple[str, Callable[[Found], str]]] = [
        (f"kill -9 of the supervisor, with {len(NAMES)} services", lambda f: f"{f.killed}"),
        ("services that lived on without it", lambda f: f"{f.survived} of {f.to_go_on}"),
        ("of them adopted: running, known as such, not started again", lambda f: f"{f.adopted}"),
        ("started again beside the first, which lives", lambda f: f"{f.doubled}"),
        ("exit codes right of services that ended meanwhile", lambda f: f"{f.statuses} of {f.ended}"),
        (
            "requests (stop) that were answered and then lost",
            lambda f: f"{f.answered - f.kept} of {f.answered}",
        ),
        ("bytes of output that are missing or wrong in the log", lambda f: f"{f.lost} of {f.compared}"),
        ("processes that live on after its own shutdown", lambda f: f"{f.left}"),
    ]
    lines = ["| | " + " | ".join(found) + " |", "|---|" + "---:|" * len(found)]
    lines += [f"| {what} | " + " | ".join(cell(one) for one in found.values()) + " |" for what, cell in rows]
    for what, index in (("from its start to its first answer", 0), ("of that, its own processor time", 1)):
        medians = (statistics.median(took[index] for took in one) for one in times.values())
        lines.append(f"| {what}, median | " + " | ".join(f"{s * 1000:.0f} ms" for s in medians) + " |")
    return "\n".join(lines)


def one_round(daemon: Daemon, folder: Path) -> tuple[Found, tuple[float, float]]:
    """One kill and what came of it; how long it took until the next one answered, and its CPU time until then.

    Nothing lives in the folder afterwards, and the daemon is closed.
    """
    try:
        return _round(daemon, folder)
    finally:
        _clean_up(folder)
        daemon.close()


def _round(daemon: Daemon, folder: Path) -> tuple[Found, tuple[float, float]]:
    for name in ("commands", "starts", "copies"):
        (folder / name).mkdir()
    for name in NAMES:
        (folder / "commands" / f"{name}.sh").write_text(_script(name))
    daemon.configure(NAMES)
    first = _start(daemon, folder)
    until(lambda: all(_first_pid(folder, name) for name in NAMES))
    until(lambda: set(_states(daemon).values()) == {"running"})
    for name in STOPPED:
        daemon.stop(name)
    until(lambda: all(_lines(folder / "copies" / name) >= 20 for name in WRITERS))

    first.kill()
    first.wait(TIMEOUT_S)
    (folder / "die").touch()
    until(lambda: not _live(folder, ENDERS))
    survivors = _live(folder, WRITERS + SLEEPERS)
    began = time.perf_counter()
    second = _start(daemon, folder)
    until(lambda: set(_states(daemon)) == set(NAMES), every_s=0.002)
    took = time.perf_counter() - began, cpu_s([second.pid])

    _settle(folder)
    (folder / "hush").touch()
    states = _states(daemon)
    still = _live(folder, survivors)
    again = {name for name in NAMES if _lines(folder / "starts" / name) > 1}
    found = Found(
        killed=1,
        to_go_on=len(WRITERS + SLEEPERS),
        survived=len(survivors),
        adopted=sum(states[name] == "running" and name not in again for name in still),
        doubled=len(again & set(still)),
        ended=len(ENDERS),
        statuses=sum(states[name] == f"exited {_code(name)}" and name not in again for name in ENDERS),
        answered=len(STOPPED),
        kept=sum(states[name] != "running" and name not in again for name in STOPPED),
    )
    time.sleep(0.5)  # until the writers have seen that they are to be quiet
    for name in WRITERS:
        written, kept = (folder / "copies" / name).read_bytes(), daemon.log(name)
        found.compared += len(written)
        found.lost += sum(a != b for a, b in zip(written, kept, strict=False))
        found.lost += abs(len(written) - len(kept))
    second.send_signal(signal.SIGTERM)
    try:
        second.wait(SHUTDOWN_S)
    except subprocess.TimeoutExpired:
        second.kill()
        second.wait(TIMEOUT_S)
    found.left = len(_processes(folder))
    return found, took


def _settle(folder: Path) -> None:
    """Wait until nothing was started any more for a while: whatever it still starts, stops or learns."""
    seen, since = -1, 0.0
    while seen != (now := sum(_lines(folder / "starts" / name) for name in NAMES)) or (
        time.monotonic() - since < SETTLE_S
    ):
        if seen != now:
            seen, since = now, time.monotonic()
        time.sleep(0.1)


def _script(name: str) -> str:
    begin = _BEGIN.format(name=name)
    if name in WRITERS:
        return begin + _WRITE.format(name=name)
    if name in ENDERS:
        return begin + _END.format(code=_code(name))
    return begin + "exec sleep 100000\n"


def _code(ender: str) -> int:
    return 10 + ENDERS.index(ender)


def _start(daemon: Daemon, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        daemon.argv,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _states(daemon: Daemon) -> dict[str, str]:
    """What it says; nothing while it does not answer."""
    with suppress(OSError):
        return daemon.states()
    return {}


def _first_pid(folder: Path, name: str) -> int:
    """Of the first start of a service; 0 before that."""
    with suppress(FileNotFoundError):
        line, newline, _ = (folder / "starts" / name).read_text().partition("\n")
        return int(line) if newline else 0
    return 0


def _lines(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.read_bytes().count(b"\n")
    return 0


def _live(folder: Path, names: Iterable[str]) -> list[str]:
    """Those whose first process lives."""
    live = _processes(folder)
    return [name for name in names if _first_pid(folder, name) in live]


def _processes(folder: Path) -> set[int]:
    """Whatever lives in the folder, zombies left out."""
    found = set()
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        with suppress(OSError):
            if os.readlink(f"/proc/{pid}/cwd") == str(folder):
                found.add(pid)
    return found - {os.getpid()}


def _clean_up(folder: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while (pids := _processes(folder)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
