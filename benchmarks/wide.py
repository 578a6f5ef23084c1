"""One task that depends on 500 independent ones, beside just: one after the other, and with its `[parallel]`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chain import RUN_TASK
from benchmarks.measure import JUST, SUPERVISOR, Row, interleaved, wall_s, workspace

TASKS = 500
ROUNDS = 3


def measure() -> list[Row]:
    with workspace() as folder:
        write(folder)
        medians = interleaved(
            {
                "supervisor": lambda: wall_s([SUPERVISOR, *RUN_TASK], folder),
                "just": lambda: wall_s([JUST, "-f", "sequential.just", "last"], folder),
                # It forks while another thread has a script open for writing: some turns end with "Text file busy".
                "just, [parallel]": lambda: wall_s([JUST, "-f", "parallel.just", "last"], folder, attempts=9),
            },
            ROUNDS,
        )
    ours = medians["supervisor"]
    return [
        *(
            Row(f"{TASKS} independent tasks: {name}", seconds * 1e3, "ms")
            for name, seconds in medians.items()
        ),
        Row(f"{TASKS} independent tasks: ratio to just", ours / medians["just"], "", 1.3),
        Row(
            f"{TASKS} independent tasks: ratio to just, [parallel]",
            ours / medians["just, [parallel]"],
            "",
            1.3,
        ),
    ]


def write(folder: Path) -> None:
    """Write the same tasks for the supervisor and, twice, for just."""
    names = [f"t{number}" for number in range(TASKS)]
    tasks = "".join(f"  {name}:\n    name: {name}\n    command: 'true'\n" for name in names)
    last = f"  last:\n    name: last\n    dependsOn: [{', '.join(names)}]\n    command: 'true'\n"
    (folder / "automations.yaml").write_text(f"tasks:\n{tasks}{last}")
    body = "    #!/usr/bin/env bash\n    set -e\n    true\n"
    recipes = "".join(f"{name}:\n{body}" for name in names)
    last = f"last: {' '.join(names)}\n{body}"
    (folder / "sequential.just").write_text(recipes + last)
    (folder / "parallel.just").write_text(f"{recipes}[parallel]\n{last}")
