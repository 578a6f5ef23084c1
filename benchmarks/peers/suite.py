"""Runs the suite: rounds in which all take turns. `benchmarks/run --peers --help` says how."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare import RUN, checked_out, copied
from benchmarks.measure import ROOT
from benchmarks.peers import calls, compiled, machine, page
from benchmarks.peers.contestants import BEFORE, OURS, CannotDo, Contestant, contestants
from benchmarks.peers.measured import Measured
from benchmarks.peers.room import Room
from benchmarks.peers.works import WORKS, NotDone, Work

PLACE = "/var/tmp"
"""A folder on the disk: a user's state directory is on one."""
ATTEMPTS = 2


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0, or 1 if somebody could not do what it can do otherwise."""
    options = _parser().parse_args(arguments)
    if options.render:
        page.write(Measured.read(), calls.read())
        return 0
    with open(compiled.HERE / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("benchmarks: the suite runs already", file=sys.stderr)
            return 1
        signal.signal(signal.SIGTERM, _end)  # rooms are closed and folders removed then, too
        return _run(options)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _run(options: argparse.Namespace) -> int:
    works = [work for work in WORKS if not options.works or work.name in options.works.split(",")]
    before = checked_out(options.against) if options.against else None
    now = copied()
    if options.calls:
        return _count_calls(now, before, options)
    everybody = [
        each for each in contestants(now, before) if not options.who or each.name in options.who.split(",")
    ]
    everybody, absent = _made_ready(everybody)
    programs = compiled.folder()
    if options.prepare:
        return 1 if absent else 0
    place = Path(tempfile.mkdtemp(prefix="bench-peers-", dir=options.folder))
    machine.spread(place)
    measured = Measured(machine=machine.described(place), revision=_revision(), against=options.against or "")
    measured.absent = absent
    for each in everybody:
        measured.introduce(each)
    try:
        _take_turns(works, everybody, measured, options, place, programs)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.write:
        measured.write()
        page.write(measured)
    print(page.tables(measured))
    return 1 if measured.failed or absent else 0


def _count_calls(now: str, before: str | None, options: argparse.Namespace) -> int:
    place = Path(tempfile.mkdtemp(prefix="bench-peers-", dir=options.folder))
    supervisors = ({BEFORE: before} if before else {}) | {OURS: now}
    try:
        found = calls.measure(supervisors, place, compiled.folder())
    finally:
        shutil.rmtree(place, ignore_errors=True)
    versions = _revision() + (f" beside {options.against} (“before”)" if options.against else "")
    if options.write:
        calls.write(found, versions)
        page.write(counted=(found, versions))
    print(calls.table(found, versions))
    return 0


def _made_ready(everybody: Sequence[Contestant]) -> tuple[list[Contestant], dict[str, str]]:
    """Those that are installed now, and `{contestant: why not}`."""
    ready, absent = [], {}
    for each in everybody:
        try:
            each.make_ready()
            ready.append(each)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            absent[each.name] = str(error)
            print(f"benchmarks: {each.name} does not take part: {error}", file=sys.stderr)
    return ready, absent


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/run --peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often everybody does everything (3)")
    parser.add_argument(
        "--minutes", type=float, default=12, help="begin no round that would not be over by then (12)"
    )
    parser.add_argument(
        "--calls",
        action="store_true",
        help="in place of all that, count what a task, a service and a probe ask of the kernel (strace)",
    )
    parser.add_argument("--against", metavar="REVISION", help="have that version take part, too")
    parser.add_argument(
        "--prepare", action="store_true", help="measure nothing; install what takes part, over the network"
    )
    parser.add_argument("--works", help="only these: " + ",".join(work.name for work in WORKS))
    parser.add_argument("--who", help="only these contestants, with commas between them")
    parser.add_argument("--folder", default=PLACE, help=f"on the file system to be measured ({PLACE})")
    parser.add_argument(
        "--write", action="store_true", help="keep the numbers, and write the tables of docs/performance.md"
    )
    parser.add_argument(
        "--render", action="store_true", help="measure nothing; write these tables from the kept numbers"
    )
    return parser


def _take_turns(
    works: Sequence[Work],
    everybody: Sequence[Contestant],
    measured: Measured,
    options: argparse.Namespace,
    place: Path,
    programs: Path,
) -> None:
    began = time.monotonic()
    for each in everybody:  # its files are in the page cache from then on
        warm_up = Measured()
        warm_up.begin(WORKS[0].name)
        _turn(WORKS[0], each, warm_up, place, programs)
    for number in range(options.rounds):
        at = time.monotonic()
        for work in works:
            if number % work.every:
                continue
            at_min = (time.monotonic() - began) / 60
            print(f"benchmarks: {at_min:.1f} min: round {number + 1}, {work.name}", file=sys.stderr)
            measured.begin(work.name)
            for repeated in range(work.turns):
                first = (number + repeated) % len(everybody)
                for each in [*everybody[first:], *everybody[:first]]:
                    _turn(work, each, measured, place, programs)
        measured.rounds = number + 1
        measured.minutes = (time.monotonic() - began) / 60
        if measured.minutes + (time.monotonic() - at) / 60 > options.minutes:
            break


def _turn(work: Work, contestant: Contestant, measured: Measured, place: Path, programs: Path) -> None:
    """One turn, and a second one if it fails."""
    for attempt in range(1, ATTEMPTS + 1):
        os.sync()
        room = Room(place, programs)
        try:
            numbers = work.does(contestant, room)
            measured.add(work.name, contestant.name, numbers, room.others.used())
            return
        except CannotDo as error:
            measured.cannot.setdefault(work.name, {})[contestant.name] = str(error)
            return
        except (NotDone, OSError, RuntimeError, subprocess.SubprocessError) as error:
            problem = f"{type(error).__name__}: {error}"
            print(f"benchmarks: {work.name}, {contestant.name}: {problem}", file=sys.stderr)
            if attempt == ATTEMPTS:
                measured.failed.setdefault(work.name, {}).setdefault(contestant.name, []).append(problem)
        finally:
            room.close()


def _revision() -> str:
    """The commit of this tree, and whether what runs a supervisor has changes."""
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    words = [*git, "status", "--porcelain", "--untracked-files=no", "--", *RUN]
    changed = subprocess.run(words, capture_output=True, text=True, check=True)
    return found.stdout.strip() + (" with changes" if changed.stdout else "")
