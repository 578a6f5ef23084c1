"""Two versions of the supervisor side by side: `benchmarks/run --against REVISION [MEASURE]...`.

The other version is checked out below `benchmarks/.before/`, with an environment of its own, and the two take turns.
A ratio above 1 means that this tree is worse. Run it in a clone whose environment bin/supervisor has made: what the
development tools need may be in memory, too (6 MB of cryptography, which jwt imports where it is).
"""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import chain, wide
from benchmarks.chain import RUN_TASK
from benchmarks.daemons import Ours
from benchmarks.downtime import downtimes_ms
from benchmarks.first_instruction import first_instruction_s
from benchmarks.idle import idle
from benchmarks.measure import ROOT, SUPERVISOR, wall_s, workspace
from benchmarks.recovery import one_round

BEFORE = Path(__file__).parent / ".before"
RUN = (
    "bin",
    "supervisor",
    "connect_server",
    "platform_wire",
    "schemas",
    "requirements.lock",
    "pyproject.toml",
)
"""What is needed to run a supervisor."""
ROUNDS = 15
IDLE_S = 20.0
Turn = Callable[[str], dict[str, float]]
"""One turn of the supervisor at a path: `{what, with its unit: value}`."""


def _first(program: str) -> dict[str, float]:
    return {"first instruction, ms": first_instruction_s([program, "run", "automations.yaml"]) * 1e3}


def _chain(program: str) -> dict[str, float]:
    with workspace() as folder:
        chain.write(folder)
        return {f"chain of {chain.TASKS} tasks, ms": wall_s([program, *RUN_TASK], folder) * 1e3}


def _wide(program: str) -> dict[str, float]:
    with workspace() as folder:
        wide.write(folder)
        return {f"{wide.TASKS} independent tasks, ms": wall_s([program, *RUN_TASK], folder) * 1e3}


def _idle(program: str) -> dict[str, float]:
    supervisor, shim, share, _ = idle(program, ["--listen", "127.0.0.1:0"], IDLE_S)
    return {
        "100 idle services: PSS of both, MB": supervisor + shim,
        "100 idle services: CPU of both, % of a core": share * 100,
    }


def _downtime(program: str) -> dict[str, float]:
    return {"kill -9 to the first answer, ms": statistics.median(downtimes_ms(program, 3))}


def _recovery(program: str) -> dict[str, float]:
    with workspace() as folder:
        found, (took, cpu) = one_round(Ours(folder, program), folder)
    return {
        "recovery: start to first answer, ms": took * 1e3,
        "recovery: processor time of that, ms": cpu * 1e3,
        "recovery: services not adopted, statuses and bytes lost, processes left": float(
            found.to_go_on - found.adopted + found.ended - found.statuses + found.lost + found.left
        ),
    }


TURNS: dict[str, Turn] = {
    "first": _first,
    "chain": _chain,
    "wide": _wide,
    "idle": _idle,
    "downtime": _downtime,
    "recovery": _recovery,
}


def main(revision: str, names: list[str]) -> int:
    """Print a table of medians; returns the exit status."""
    if unknown := [name for name in names if name not in TURNS]:
        print(f"cannot compare {', '.join(unknown)}; choose from {', '.join(TURNS)}", file=sys.stderr)
        return 2
    before = checked_out(revision)
    rows = [row for name in names or TURNS for row in _compared(name, before)]
    print(f"| medians of {ROUNDS} turns each | {revision} | this tree | ratio |\n|---|---:|---:|---:|")
    for what, old, new in rows:
        ratio = f"{new / old:.2f}" if old else ("1.00" if new == old else "worse")
        print(f"| {what} | {old:.4g} | {new:.4g} | {ratio} |")
    return 0


def _compared(name: str, before: str) -> list[tuple[str, float, float]]:
    turn = TURNS[name]
    values: dict[str, tuple[list[float], list[float]]] = {}
    for number in range(ROUNDS + 1):
        print(f"\rbenchmarks: {name}, turn {number} of {ROUNDS} ", end="", file=sys.stderr, flush=True)
        for which, program in enumerate((before, SUPERVISOR)):
            for what, value in turn(program).items():
                if number:  # the first of each warms the caches
                    values.setdefault(what, ([], []))[which].append(value)
    print(file=sys.stderr)
    return [(what, *map(statistics.median, both)) for what, both in values.items()]


def checked_out(revision: str) -> str:
    """The launcher of a revision of this repository, ready to be run."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short", revision], capture_output=True, text=True, check=True
    )
    folder = BEFORE / commit.stdout.strip()
    if not folder.exists():
        archive = subprocess.run([*git, "archive", revision], capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
    return _made_ready(folder)


def copied() -> str:
    """The launcher of a copy of this tree, changes included, with the packages that a user has and no others."""
    folder = BEFORE / "this-tree"
    for name in RUN:
        shutil.rmtree(folder / name, ignore_errors=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True)
        else:
            shutil.copy2(ROOT / name, folder / name)
    return _made_ready(folder)


def _made_ready(folder: Path) -> str:
    program = folder / "bin/supervisor"
    subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=True)  # makes its environment
    return str(program)
