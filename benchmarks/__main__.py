"""Runs the measures that are asked for and prints one table."""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import chain, events, first_instruction, followers, idle, output, requests, startup, wide
from benchmarks.measure import Row, table

MEASURES = {
    "first": first_instruction.measure,
    "output": output.measure,
    "idle": idle.measure,
    "chain": chain.measure,
    "wide": wide.measure,
    "requests": requests.measure,
    "events": events.measure,
    "followers": followers.measure,
    "startup": startup.measure,
}


def main(names: list[str]) -> int:
    if names == ["--list"]:
        print("\n".join(MEASURES))
        return 0
    if unknown := [name for name in names if name not in MEASURES]:
        print(f"no such measure: {', '.join(unknown)}; there are {', '.join(MEASURES)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or MEASURES:
        print(f"benchmarks: {name} ...", file=sys.stderr, flush=True)
        rows += MEASURES[name]()
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
