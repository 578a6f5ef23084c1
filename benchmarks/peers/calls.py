"""What one task, one service and one probe ask of the kernel: `benchmarks/run --peers --calls`.

A supervisor is run below strace(1) with few of a kind, and with more. The difference, divided by how many more there
were, is what one costs, and nothing of the start is in it. Counts hardly depend on what else the machine does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.peers.contestants import OURS, Ours
from benchmarks.peers.room import Program, Room, await_end, until
from benchmarks.peers.rows import shown

KEPT = Path(__file__).parent / "calls.json"
FEW, MORE = 5, 25
SHORT_S, LONG_S = 4.0, 14.0
"""How long a service is probed."""
REST_S = 4.0
"""Until what follows an end is done, too."""
KINDS = {
    "new inodes in the state directory": "made",
    "renames in it": "renamed",
    "files and folders removed from it": "removed",
    "fsync, fdatasync": "synced",
    "control groups made": "grouped",
    "processes and threads begun": "begun",
    "programs executed": "executed",
    "system calls of all processes": "all",
}
"""`{what is shown: its key}`."""
Found = dict[str, dict[str, dict[str, float]]]
"""`{kind of command: {supervisor: {key of KINDS: how often for one}}}`."""
_CALL = re.compile(r"^\d+ +(\w+)\((.*)")
_PATH = re.compile(r'"([^"]*)"')


def count(lines: Iterable[str]) -> dict[str, int]:
    """`{key of KINDS: how often}` in what strace has written."""
    found = dict.fromkeys(KINDS.values(), 0)
    made: set[str] = set()
    for line in lines:
        call = _CALL.match(line)
        if call is None:
            continue  # the rest of a call that another one interrupted, a signal, or an end
        name, rest = call.groups()
        found["all"] += 1
        failed = " = -1 E" in rest
        if name in ("clone", "clone3", "fork", "vfork"):
            found["begun"] += 1
        elif name == "execve" and not failed:
            found["executed"] += 1
        elif name in ("fsync", "fdatasync", "sync_file_range"):
            found["synced"] += 1
        path = _PATH.search(rest)
        if path is None or failed:
            continue
        if name in ("mkdir", "mkdirat") and "cgroup" in path[1]:
            found["grouped"] += 1
        elif "/state/" in path[1]:
            if name in ("mkdir", "mkdirat", "mknod", "mknodat", "link", "symlink") or "O_CREAT" in rest:
                made.add(path[1])
            elif name.startswith("rename"):
                found["renamed"] += 1
            elif name in ("unlink", "unlinkat", "rmdir"):
                found["removed"] += 1
    return found | {"made": len(made)}


def measure(supervisors: Mapping[str, str], place: Path, programs: Path) -> Found:
    """`supervisors`: `{name: launcher}`. Raises RuntimeError if there is no strace."""
    if shutil.which("strace") is None:
        raise RuntimeError("strace is not installed; it is in Debian's package strace")
    found: Found = {kind: {} for kind in _TURNS}
    for name, launcher in supervisors.items():
        for kind, turns in _TURNS.items():
            few, more = (_traced(Ours(launcher), turn, place, programs) for turn in turns)
            found[kind][name] = _difference(few, more)
    return found


@dataclass(frozen=True, slots=True)
class _Turn:
    """A life of a supervisor."""

    made_ready: Callable[[Ours, Path], Program]
    marks: int
    """How many of them are waited for."""
    seconds: float = 0.0
    """How long it goes on from then."""


def _chain(count: int) -> _Turn:
    return _Turn(lambda ours, folder: ours.chain(folder, count), count)


def _services(count: int) -> _Turn:
    lines = [f"server --port {number}" for number in range(1, count + 1)]
    return _Turn(lambda ours, folder: ours.services(folder, lines), count)


def _probes(seconds: float) -> _Turn:
    return _Turn(lambda ours, folder: ours.probes(folder, 1), 1, seconds)


_TURNS = {
    "a task of a chain": (_chain(FEW), _chain(MORE)),
    "a service, started and stopped": (_services(FEW), _services(MORE)),
    "a probe": (_probes(SHORT_S), _probes(LONG_S)),
}


def _traced(ours: Ours, turn: _Turn, place: Path, programs: Path) -> tuple[dict[str, int], int]:
    """The counts of the whole life, and how many marks there were until its end began."""
    room = Room(place, programs)
    try:
        program = turn.made_ready(ours, room.folder)
        strace = ["strace", "-f", "-qq", "-s", "4096", "-o", "trace"]
        process, _ = room.start(replace(program, argv=[*strace, *program.argv]))
        marks = 0

        def all_are_there() -> bool:
            nonlocal marks
            marks += len(room.marks())
            return marks >= turn.marks

        until(all_are_there, "not all were marked")
        time.sleep(REST_S + turn.seconds)
        marks += len(room.marks())
        child, *_ = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        await_end(process)
        with open(room.folder / "trace", encoding="utf-8", errors="replace") as trace:
            return count(trace), marks
    finally:
        room.close()


def _difference(few: tuple[Mapping[str, int], int], more: tuple[Mapping[str, int], int]) -> dict[str, float]:
    things = more[1] - few[1]
    return {key: round((more[0][key] - few[0][key]) / things, 2) for key in more[0]}


def write(found: Found, versions: str) -> None:
    """Keep it, in place of what was kept."""
    KEPT.write_text(json.dumps({"versions": versions, "found": found}, indent=1, ensure_ascii=False) + "\n")


def read() -> tuple[Found, str]:
    """What was kept, and of which versions it is."""
    kept = json.loads(KEPT.read_text())
    return kept["found"], kept["versions"]


def table(found: Found, versions: str) -> str:
    """Before and now, as Markdown."""
    names = list(next(iter(found.values())))
    head = [f"{kind}: {'now' if name == OURS else name}" for kind in found for name in names]
    lines = [
        f"Counted at {versions}.\n",
        f"| for each | {' | '.join(head)} |",
        f"| --- | {' | '.join('---:' for _ in head)} |",
    ]
    for what, key in KINDS.items():
        values = (shown(found[kind][name][key]) for kind in found for name in names)
        lines.append(f"| {what} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"
