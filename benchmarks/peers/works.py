"""What is measured: each work is done by one contestant in a room, proves that it was done, and gives its numbers.

A number stands for the same thing whoever did it. Times are taken by the commands themselves (see `programs/work.c`);
processor time is that of all processes, the commands included, since a contestant chooses what else it runs for them.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.daemons import Daemon
from benchmarks.peers.contestants import Contestant
from benchmarks.peers.room import Program, Room, await_end, now, until

Numbers = Mapping[str, float]
"""`{what: value}`; what they are stands in `rows.py`."""

SERVICES = 100
CHAIN = 200
TASKS = 500
LOG_BYTES = 4096 * 65536
SETTLE_S = 2.5
"""After a start: until all that is done in the background is done."""
WINDOW_S = 5.0
LEAST_PROBES = 0.5
"""Of one a second: a machine that others use lets a supervisor fall behind, and what a probe costs still counts."""
_BLOCK = re.compile(rb" block (\d{8})")
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of turn."""

    name: str
    does: Callable[[Contestant, Room], Numbers]
    turns: int = 1
    """In a round, for each contestant: more where one is short."""
    every: int = 1
    """Only in each so many rounds: what is nearly the same each time, and takes long."""


class NotDone(Exception):
    """The numbers do not count: what was to be done was not."""


def cold_start(contestant: Contestant, room: Room) -> Numbers:
    """From the start of the program to the first instruction of its only service."""
    _, began = room.start(contestant.services(room.folder, ["server --port 1"]))
    (mark,) = room.await_marks(1)
    return {"first_ms": (mark.at_s - began) * 1e3}


def one_service(contestant: Contestant, room: Room) -> Numbers:
    """What is in memory while one service does nothing."""
    room.start(contestant.services(room.folder, ["server --port 1"]))
    room.await_marks(1)
    time.sleep(SETTLE_S)
    return {"one_pss_mb": room.pss_bytes() / 1e6, "one_processes": float(len(room.supervisors()))}


def hundred_services(contestant: Contestant, room: Room) -> Numbers:
    """100 services: started, left alone, and stopped."""
    program = contestant.services(room.folder, [f"server --port {n}" for n in range(1, SERVICES + 1)])
    process, began = room.start(program)
    started = room.await_marks(SERVICES)
    _same((mark.number for mark in started), range(1, SERVICES + 1), "started")
    time.sleep(SETTLE_S)
    idle = {"pss_mb": room.pss_bytes() / 1e6, "processes": float(len(room.supervisors()))}
    live = len(room.services())
    if live != SERVICES or process.poll() is not None:
        raise NotDone(f"{live} services live after {SETTLE_S:g} s")
    asked = room.stop(program, process)
    ended = await_end(process)
    stopped = room.await_marks(SERVICES)
    _same((-mark.number for mark in stopped), range(1, SERVICES + 1), "were asked to end")
    until(lambda: not room.services(), "not all services ended")
    return idle | {
        "start_ms": (started[-1].at_s - began) * 1e3,
        "stop_ms": (stopped[-1].at_s - asked) * 1e3,
        "stop_ended_ms": (max(ended, stopped[-1].at_s) - asked) * 1e3,
    }


def chain(contestant: Contestant, room: Room) -> Numbers:
    """200 tasks, each after the one before."""
    _, began = room.start(contestant.chain(room.folder, CHAIN))
    marks = room.await_marks(CHAIN)
    if [mark.number for mark in marks] != list(range(1, CHAIN + 1)):
        raise NotDone("the tasks ran in another order")
    return {"hop_ms": (marks[-1].at_s - began) * 1e3 / CHAIN, "hop_cpu_ms": room.cpu_s() * 1e3 / CHAIN}


def many_tasks(contestant: Contestant, room: Room) -> Numbers:
    """500 tasks that depend on nothing."""
    _, began = room.start(contestant.tasks(room.folder, TASKS))
    marks = room.await_marks(TASKS)
    _same((mark.number for mark in marks), range(1, TASKS + 1), "ran")
    return {"tasks_ms": (marks[-1].at_s - began) * 1e3, "tasks_cpu_ms": room.cpu_s() * 1e3}


def log(contestant: Contestant, room: Room) -> Numbers:
    """268 MB of output, until the last byte is in the log."""
    program = contestant.log(room.folder)
    room.start(program)
    until(lambda: "flood" in _names(room.services()), "the writer did not start")
    time.sleep(SETTLE_S)
    os.sync()  # what the start has written is not to be written while the log is
    go = os.open(room.folder / "go", os.O_WRONLY)
    began = now()
    os.close(go)
    until(
        lambda: 4096 in map(_last_block, _logs(room.folder, program)),
        "not all output came into the log",
        0.001,
    )
    took = now() - began
    logs = _logs(room.folder, program)
    _check(logs)
    for path in logs:
        os.truncate(path, 0)  # so that the next turn need not wait until it is on the disk
    return {"log_ms": took * 1e3}


def probes(contestant: Contestant, room: Room) -> Numbers:
    """100 services, each of which is probed every second."""
    room.start(contestant.probes(room.folder, SERVICES))
    seen: Counter[int] = Counter()

    def all_were_probed() -> bool:
        seen.update(mark.number for mark in room.marks())
        return (
            len(seen) == SERVICES and min(seen.values()) >= 2
        )  # a service marks its start with its number, too

    until(all_were_probed, "not all services were probed")
    room.leave()
    time.sleep(SETTLE_S)
    room.marks()
    before, began = room.cpu_s(), now()
    time.sleep(WINDOW_S)
    used, took = room.cpu_s() - before, now() - began
    times = Counter(mark.number for mark in room.marks() if began <= mark.at_s <= began + took)
    if len(times) < SERVICES or sum(times.values()) < LEAST_PROBES * SERVICES * WINDOW_S:
        raise NotDone(f"{sum(times.values())} probes of {len(times)} services in {took:.1f} s")
    return {"probe_us": used * 1e6 / sum(times.values()), "probes_hz": sum(times.values()) / took}


def kill(contestant: Contestant, room: Room) -> Numbers:
    """kill -9 of a supervisor with 100 services, and the same again: until its API has told of all of them."""
    daemon = contestant.client(room.folder)
    try:
        names = [f"s{n}" for n in range(1, SERVICES + 1)]
        (room.folder / "commands").mkdir()
        for number, name in enumerate(names, 1):
            (room.folder / f"commands/{name}.sh").write_text(f"exec server --port {number}\n")
        daemon.configure(names)
        first, _ = room.start(Program(daemon.argv))
        room.await_marks(SERVICES)
        until(lambda: list(_states(daemon).values()) == ["running"] * SERVICES, "not all services run")
        time.sleep(SETTLE_S)
        killed = now()
        first.kill()
        first.wait()
        room.start(Program(daemon.argv))
        until(lambda: set(_states(daemon)) == set(names), "the API did not tell of all services", 0.001)
        return {"answer_ms": (now() - killed) * 1e3}
    finally:
        daemon.close()


def _same(found: Iterable[int], wanted: Iterable[int], what: str) -> None:
    if sorted(found) != sorted(wanted):
        raise NotDone(f"others than those that were to be {what}")


def _states(daemon: Daemon) -> Mapping[str, str]:
    """What it says; nothing while it does not answer."""
    with suppress(OSError):
        return daemon.states()
    return {}


def _names(pids: Iterable[int]) -> set[str]:
    return {_name(pid) for pid in pids}


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _logs(folder: Path, program: Program) -> list[Path]:
    """The files in which something stands, the oldest first: s6-log begins a new one after 256 MiB."""
    return sorted(path for path in folder.glob(program.log) if path.is_file() and path.stat().st_size)


def _last_block(path: Path) -> int:
    """The number of the block that ends last in a log."""
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        numbers = _BLOCK.findall(file.read())
    return int(numbers[-1]) if numbers else 0


def _check(logs: Iterable[Path]) -> None:
    """Raises NotDone unless they hold the blocks up to the last, and have room for all of them."""
    size = sum(path.stat().st_size for path in logs)
    numbers = [number for path in logs for number in blocks(path)]
    if size < LOG_BYTES or len(numbers) < 512 or numbers != list(range(4097 - len(numbers), 4097)):
        raise NotDone(f"of 4096 blocks {len(numbers)} are in the log's {size} bytes, or not in order")


def blocks(path: Path, piece_bytes: int = 1 << 20) -> Iterator[int]:
    """The numbers of the blocks in a log, in order."""
    with open(path, "rb") as file:
        rest = b""
        while piece := file.read(piece_bytes):
            text = rest + piece
            end = 0
            for found in _BLOCK.finditer(text):
                yield int(found[1])
                end = found.end()
            rest = text[
                max(end, len(text) - 14) :
            ]  # what may be the beginning of the next: whole, it has 15 bytes


WORKS = (
    Work("first", cold_start, turns=3),
    Work("hundred", hundred_services),
    Work("one", one_service, every=2),
    Work("chain", chain, turns=2),
    Work("tasks", many_tasks),
    Work("log", log),
    Work("probes", probes),
    Work("kill", kill),
)
