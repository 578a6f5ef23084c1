"""Runs the measures that are asked for and prints one table."""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import (
    chain,
    compare,
    downtime,
    events,
    exec_speed,
    first_instruction,
    followers,
    idle,
    logs,
    output,
    recovery,
    requests,
    scale,
    startup,
    terminals,
    wide,
)
from benchmarks.measure import Row, table
from benchmarks.peers import suite

MEASURES = {
    "first": first_instruction.measure,
    "output": output.measure,
    "idle": idle.measure,
    "chain": chain.measure,
    "wide": wide.measure,
    "requests": requests.measure,
    "events": events.measure,
    "exec": exec_speed.measure,
    "followers": followers.measure,
    "scale": scale.measure,
    "startup": startup.measure,
    "downtime": downtime.measure,
    "terminals": terminals.measure,
}

TABLES = {"recovery": recovery.table, "logs": logs.tables}
"""Measures with a table of their own."""


def main(names: list[str]) -> int:
    if names[:1] == ["--peers"]:
        return suite.main(names[1:])
    if names[:1] == ["--against"] and len(names) > 1:
        return compare.main(names[1], names[2:])
    known = [*MEASURES, *TABLES]
    if names == ["--list"]:
        print("\n".join(known))
        return 0
    if unknown := [name for name in names if name not in known]:
        print(f"no such measure: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    tables: list[str] = []
    for name in names or known:
        print(f"benchmarks: {name} ...", file=sys.stderr, flush=True)
        if name in TABLES:
            tables.append(TABLES[name]())
        else:
            rows += MEASURES[name]()
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores\n")
    print("\n\n".join([*([table(rows)] if rows else []), *tables]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
