"""The acceptance points of supervisor.v1.EnvironmentOpsService, at full size, as a table of what each measured.

    python -m tests.acceptance [--points 2,5] [--scale 0.1] [--seed N]

A real supervisor on TCP, gitpod-sdk 1.2.0 and ona-sdk 0.1.1 as they are, each in an environment of its own and as a
process of its own, raw calls, and faults at moments that the seed draws. The contract's `ops.md` names the points. At
full size it takes most of an hour. Where a part fails, its trace goes to standard error, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import textwrap
from pathlib import Path

from tests import leaks
from tests.acceptance import (  # noqa: F401 - they enter their parts
    change_points,
    command_points,
    figures,
    file_points,
    git_points,
    terminal_points,
)
from tests.acceptance.trial import FIGURES, PARTS, SDKS, Outcome, tried
from tests.clients.set_up import make_ready

POINTS = (*map(str, range(1, 14)), FIGURES)
WIDTH = 150
HEAD = f"{'point':7}  {'result':8}  {'s':>6}  what was tried, and what it measured"


def row(outcome: Outcome) -> str:
    """A line for a part, or several if it measured much."""
    first = f"{outcome.part.point:7}  {outcome.verdict:8}  {outcome.seconds:6.1f}  "
    text = f"{outcome.part.what}: {outcome.measured}"
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def verdicts(outcomes: list[Outcome]) -> str:
    """A line that says of each point whether all its parts hold."""
    found = {outcome.part.point: "ok" for outcome in outcomes}
    found |= {each.part.point: "in part" for each in outcomes if each.verdict == "left out"}
    found |= {each.part.point: "FAILED" for each in outcomes if each.verdict == "FAILED"}
    return "  ".join(f"{point}: {found[point]}" for point in POINTS if point in found)


def words_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--points", type=chosen, default=POINTS, help=f"some of {','.join(POINTS)}; default: all"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of counts and sizes; 1: those of the contract"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--only", default="", help="parts whose description has this text")
    parser.add_argument("--folder", type=Path, help="for workspaces, state and logs")
    return parser.parse_args(arguments)


def chosen(text: str) -> tuple[str, ...]:
    points = tuple(text.split(","))
    if unknown := set(points) - set(POINTS):
        raise argparse.ArgumentTypeError(f"there is no point {', '.join(sorted(unknown))}")
    return points


def main(arguments: list[str] | None = None) -> int:
    """Try all, print the table; returns the exit status."""
    words = words_of(arguments)
    leaks.mark_session()
    os.environ["CI"] = "1"  # tests that need a client fail without it, and are not skipped
    for client in SDKS:
        make_ready(client)
    print(f"--seed {words.seed} --scale {words.scale:g}\n{HEAD}", flush=True)
    parts = [
        each for point in words.points for each in PARTS if each.point == point and words.only in each.what
    ]
    outcomes = []
    for each in parts:
        outcome = tried(each, words.scale, words.seed, words.folder)
        outcomes.append(outcome)
        print(row(outcome), flush=True)
        print(outcome.trace, file=sys.stderr, end="", flush=True)
    print(verdicts(outcomes))
    return int(any(outcome.verdict == "FAILED" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
