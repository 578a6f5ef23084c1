"""kill -9 of those who look after output, at random moments under load: each byte is in its log, once.

    python -m tests.faults.log_kills --kills 200

Commands that write all the time, and others that end soon, some while nobody is there, have numbered lines, so that a
log can be compared with what was written byte by byte. `test_log_kills` does the same with few kills.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from tests.e2e.harness import Project
from tests.faults.scene import Scene, until
from tests.leaks import MARKER

VICTIMS = ("shim", "supervisor", "both", "keeper", "shim and keeper", "any")
"""both: supervisor and shim."""
LONGEST_WAIT_S = 0.3
"""Between two kills."""
NOTE = re.compile(rb"supervisor: (?!output may be missing)[^\n]*\n")
"""Lines of the supervisor's own; not the one by which it says that it cannot promise what is promised here."""
MISSING = re.compile(rb"supervisor: output may be missing[^\n]*\n")
"""That one. When shim and keeper are killed at once it may stand in the log of a run that was over a moment before."""
WRITER = """
import os, sys, time
name, pause_s, piece_bytes = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
count, piece = 0, b""
while not os.path.exists("stop"):
    while len(piece) < piece_bytes:
        piece += b"%s %d %s\\n" % (name.encode(), count, b"x" * (count * 7 % 200))
        count += 1
    while piece:
        piece = piece[os.write(1 + count % 2, piece):]
    time.sleep(pause_s)
with open("marks/" + name, "w") as file:
    print(os.environ["SUPERVISOR_RUN_ID"], count, file=file)
"""
LONG = {"lines": (0.0005, 1), "pages": (0.002, 5000), "blocks": (0.02, 70_000), "floods": (0.2, 2_000_000)}
"""`{name: (pause between two writes, bytes of each)}` of the commands that write all the time."""
SHORT = """
      count=$((RANDOM % 9000))
      echo $SUPERVISOR_RUN_ID $count >marks/$SUPERVISOR_RUN_ID
      sleep 0.$((RANDOM % 5))
      seq -f "$SUPERVISOR_RUN_ID %.0f " 0 $((count - 1))
      touch ends/$SUPERVISOR_RUN_ID
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of some kills."""

    victims: str
    kills: int
    ended_alone: int
    """Commands that ended while no supervisor was there."""
    logs: int
    compared_bytes: int
    lost_bytes: int
    doubled_bytes: int
    other_bytes: int
    """What nobody wrote."""


class LogKills:
    """Commands that write, and those who look after them, who are killed."""

    def __init__(self, scene: Scene, victims: str, dice: random.Random) -> None:
        self._scene = scene
        self._victims = victims
        self._dice = dice
        self._kills = 0
        self._alone: list[tuple[float, float]] = []
        """From when to when no supervisor was there, in wall time."""
        (scene.folder / "ends").mkdir()
        (scene.folder / "writer.py").write_text(WRITER)
        tasks = "".join(
            f"  {name}:\n    name: x\n    triggeredBy: [postEnvironmentStart]\n"
            f"    command: exec {sys.executable} -I -S writer.py {name} {pause_s} {piece_bytes}\n"
            for name, (pause_s, piece_bytes) in LONG.items()
        )
        scene.project.write(f"tasks:\n{tasks}  short:\n    name: x\n    command: |{SHORT}")

    def compared(self, kills: int) -> Compared:
        """Kill so often, then compare all logs."""
        self._start()
        while self._kills < kills:
            self._write_shortly()
            time.sleep(self._dice.uniform(0, LONGEST_WAIT_S))
            victims = self._victims
            if victims == "any":
                # Not shim and keeper at once: after another supervisor the log would say that some may be missing.
                until(self._all_are_held, "shim and keeper", every_s=0.002)
                victims = self._dice.choice(VICTIMS[:4])
            self._kill(victims)
        (self._scene.folder / "stop").touch()
        until(lambda: self._scene.marks().keys() >= LONG.keys(), "the end of the writers")
        until(lambda: not self._scene.client().status()["executions"], "the end of all tasks")
        until(lambda: not [*self._scene.state.glob("runs/*/fifo")], "the end of all FIFOs")
        may_miss = self._victims == "shim and keeper"
        found = [compare(*each, may_miss) for each in self._outputs()]
        self._scene.end()
        return Compared(
            self._victims, self._kills, self._ended_alone(), len(found), *map(sum, zip(*found, strict=True))
        )

    def _start(self) -> None:
        # More than is written: what a limit takes away is no loss, and not what is asked here.
        self._scene.start("--log-limit", "100000", SUPERVISOR_LOG_TRANSPORT="pipe")

    def _write_shortly(self) -> None:
        client = self._scene.client()
        for _ in range(self._dice.randrange(4)):
            client.call("StartTask", id=self._scene.tasks()["short"])

    def _kill(self, victims: str) -> None:
        """Kill some; at the end there is a supervisor."""
        project = self._scene.project
        shims = [] if victims in ("supervisor", "keeper") else project.shims()
        pids = shims + (project.keepers() if "keeper" in victims else [])
        if victims != "supervisor" and not pids:
            return  # the next one is not there yet
        first, began = self._dice.random() < 0.5, time.time()
        if first and victims in ("supervisor", "both"):
            self._scene.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # an earlier one, that had nothing more to do
        if not first and victims in ("supervisor", "both"):
            self._scene.kill()
        self._kills += 1
        if victims in ("supervisor", "both"):
            time.sleep(self._dice.uniform(0, LONGEST_WAIT_S))
            self._alone.append((began, time.time()))
            self._start()

    def _all_are_held(self) -> bool:
        """Whether a shim and a keeper have each FIFO."""
        project = self._scene.project
        theirs = [
            {path for pid in pids for path in opened(pid)} for pids in (project.shims(), project.keepers())
        ]
        fifos = set(map(str, self._scene.state.glob("runs/*/fifo")))
        return all(fifos <= held for held in theirs)

    def _ended_alone(self) -> int:
        ends = [path.stat().st_mtime for path in (self._scene.folder / "ends").iterdir()]
        return sum(began < end < ended for end in ends for began, ended in self._alone)

    def _outputs(self) -> Iterator[tuple[Path, str, int, int]]:
        """`(log, name in the lines, how many lines, padding)` of each command that has written."""
        for name, lines in self._scene.marks().items():
            run_id, count = lines[0].split()
            padding = 200 if name in LONG else 1
            yield self._scene.state / "runs" / run_id / "log", name, int(count), padding


def opened(pid: int) -> Iterator[str]:
    """The paths of what a process has open."""
    try:
        fds = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return  # it has ended
    for fd in fds:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue  # it was closed


def compare(log: Path, name: str, count: int, padding: int, may_miss: bool) -> tuple[int, int, int, int]:
    """`(bytes written, lost, doubled, that nobody wrote)` of one log."""
    written = [
        b"%s %d %s\n" % (name.encode(), number, b"x" * (number * 7 % padding)) for number in range(count)
    ]
    expected = b"".join(written)
    data = log.read_bytes() if log.exists() else b""
    if may_miss:
        data = MISSING.sub(b"", data)
    if data == expected or (data := NOTE.sub(b"", data)) == expected:
        return len(expected), 0, 0, 0
    known = set(written)
    missing, doubled, other = set(known), 0, 0
    for line in data.splitlines(keepends=True):
        if line in missing:
            missing.discard(line)
        elif line in known:
            doubled += len(line)
        else:
            other += len(line)
    print(f"{log}: {len(data)} bytes, {len(expected)} were written", file=sys.stderr)
    return len(expected), sum(map(len, missing)), doubled, other


def table(rows: list[Compared]) -> str:
    """For people."""
    head = ("victims", "kills", "ended alone", "logs", "bytes compared", "lost", "doubled", "foreign")
    values = [[getattr(row, field.name) for field in fields(row)] for row in rows]
    cells = [head, *([str(first), *(f"{value:,}" for value in rest)] for first, *rest in values)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="in all")
    parser.add_argument("--victims", choices=VICTIMS, action="append", help="these alone; may be given again")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--folder", type=Path, help="for workspaces, state and logs")
    words = parser.parse_args()
    os.environ[MARKER] = uuid.uuid4().hex
    print(f"--seed {words.seed}", flush=True)
    rows: list[Compared] = []
    chosen = words.victims or VICTIMS
    for number, victims in enumerate(chosen):
        share = words.kills * (number + 1) // len(chosen) - words.kills * number // len(chosen)
        with tempfile.TemporaryDirectory(prefix="lk", dir=words.folder) as folder:
            project = Project(Path(folder))
            try:
                rows.append(
                    LogKills(Scene(project), victims, random.Random(f"{words.seed} {victims}")).compared(
                        share
                    )
                )
            finally:
                project.close()
        print(table(rows[-1:]), flush=True)
    print(table(rows))
    return int(any(row.lost_bytes or row.doubled_bytes or row.other_bytes for row in rows))


if __name__ == "__main__":
    sys.exit(main())
