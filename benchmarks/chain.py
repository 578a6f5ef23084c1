"""A chain of 200 trivial tasks, each depending on the one before, beside just.

A task's command is a script of its own that bash runs. The same in just is a recipe with a shebang; the plain recipe,
of which just hands each line to a shell, is shown too, and so is a bound: `programs/least.py`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.measure import JUST, ROOT, SUPERVISOR, Row, interleaved, wall_s, workspace

TASKS = 200
ROUNDS = 5
PYTHON = str(ROOT / ".venv" / "bin" / "python")
LEAST = [PYTHON, "-I", "-S", str(ROOT / "benchmarks" / "programs" / "least.py")]
RUN_TASK = ["run-task", "last", "automations.yaml", "--standalone"]


def measure() -> list[Row]:
    with workspace() as folder:
        write(folder)
        medians = interleaved(
            {
                "supervisor": lambda: wall_s([SUPERVISOR, *RUN_TASK], folder),
                "the least that Python takes": lambda: _least_s(folder),
                "just, scripts": lambda: wall_s([JUST, "-f", "scripts.just", "last"], folder),
                "just, plain": lambda: wall_s([JUST, "-f", "plain.just", "last"], folder),
            },
            ROUNDS,
        )
    ours, just = medians["supervisor"], medians["just, scripts"]
    return [
        *(Row(f"chain of {TASKS} tasks: {name}", seconds * 1e3, "ms") for name, seconds in medians.items()),
        Row(f"chain of {TASKS} tasks: ratio to just with scripts", ours / just, "", 1.1),
    ]


def _least_s(folder: Path) -> float:
    state = Path(tempfile.mkdtemp(dir=folder))
    return wall_s([*LEAST, str(state), str(TASKS)], folder)


def write(folder: Path) -> None:
    """Write the same chain for the supervisor and, twice, for just."""
    names = [f"t{number}" for number in range(TASKS - 1)] + ["last"]
    yaml, scripts, plain = ["tasks:\n"], [], []
    for before, name in zip(["", *names], names, strict=False):
        needs = f"    dependsOn: [{before}]\n" if before else ""
        yaml.append(f"  {name}:\n    name: {name}\n{needs}    command: 'true'\n")
        scripts.append(f"{name}: {before}\n    #!/usr/bin/env bash\n    set -e\n    true\n")
        plain.append(f"{name}: {before}\n    @true\n")
    (folder / "automations.yaml").write_text("".join(yaml))
    (folder / "scripts.just").write_text("".join(scripts))
    (folder / "plain.just").write_text("set shell := ['bash', '-c']\n" + "".join(plain))
