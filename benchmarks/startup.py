"""Where the time to the first command goes: the interpreter, imports, and what is done with them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import ROOT, SUPERVISOR, TIMEOUT_S, Row, environment, interleaved, wall_s, workspace

ROUNDS = 21
COSTLIEST = 8
PYTHON = str(ROOT / ".venv" / "bin" / "python")
MAIN = str(ROOT / "supervisor" / "__main__.py")
EMPTY_RUN = ["run", "automations.yaml", "--exit-when-done", "--no-watch"]


def measure() -> list[Row]:
    with workspace() as folder:
        (folder / "automations.yaml").write_text("tasks: {}\n")
        modules = "import supervisor.cli.commands.cmd_run, supervisor.config.document.parse, supervisor.config.decode"
        programs: dict[str, Sequence[str]] = {
            "bare interpreter": [PYTHON, "-I", "-c", "pass"],
            "interpreter and the imports of run": [PYTHON, "-I", "-c", modules],
            "supervisor --version": [SUPERVISOR, "--version"],
            "a whole run of an empty file": [SUPERVISOR, *EMPTY_RUN],
        }
        contestants = {name: lambda argv=argv: wall_s(argv, folder) for name, argv in programs.items()}
        medians = interleaved(contestants, ROUNDS)
        rows = [Row(f"start-up: {name}", seconds * 1e3, "ms") for name, seconds in medians.items()]
        return rows + [Row(f"start-up: import of {name}", ms, "ms") for name, ms in _costliest(folder)]


def _costliest(folder: Path) -> list[tuple[str, float]]:
    """The imports that cost the most by themselves: `[(module, ms)]`."""
    argv = [PYTHON, "-I", "-X", "importtime", MAIN, *EMPTY_RUN]
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    lines = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()]
    costs = [
        (name.strip(), int(own) / 1e3)
        for own, _, name in (x for x in lines if len(x) == 3)
        if "self" not in own
    ]
    return sorted(costs, key=lambda cost: -cost[1])[:COSTLIEST]
