"""The real command line, in a process that kills itself: `killed.py POINT N COUNTS [ARGUMENT]...`

A point lies before or after one of the calls by which the supervisor stores, publishes and acts. At the N-th passage
of POINT the process sends itself SIGKILL, as the kernel would for want of memory: nothing is flushed, closed or
unlocked. If it comes to its end, it writes into the file COUNTS how often each point was passed, as JSON; with N = 0 it
does nothing else. Nothing in the supervisor knows of this: its methods are wrapped from here.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supervisor.cli import main
from supervisor.host.runs.ender import Ender
from supervisor.host.runs.machine import HostMachine
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.state.state_directory import StateDir
from supervisor.host.state.store import Store
from supervisor.hub import Hub
from supervisor.shim.stream import Stream

POINTS = {
    "state": (StateDir, "__init__"),
    "note": (Store, "put"),
    "store": (Store, "save"),
    "publish": (Hub, "publish"),
    "act": (HostMachine, "perform"),
    "adopt": (HostMachine, "adopt"),
    "folder": (RunDir, "create"),
    "message": (Stream, "send"),
    "answer": (Stream, "receive"),
    "remove": (RunDir, "remove"),
    "over": (Ender, "over"),
    "leave": (HostMachine, "close"),
}
"""Where it can be killed: before and after each of these."""
NAMES = [f"{side} {point}" for point in POINTS for side in ("before", "after")]

passages: Counter[str] = Counter()


def die_at(wanted: str, number: int) -> None:
    """Have this process die at a passage."""

    def passed(name: str) -> None:
        passages[name] += 1
        if (name, passages[name]) == (wanted, number):
            os.kill(os.getpid(), signal.SIGKILL)

    for point, (kind, method) in POINTS.items():
        setattr(kind, method, _between(getattr(kind, method), point, passed))


def _between(method: Callable[..., Any], point: str, passed: Callable[[str], None]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        passed(f"before {point}")
        result = method(*arguments, **named)
        passed(f"after {point}")
        return result

    return wrapped


if __name__ == "__main__":
    point, number, counts = sys.argv[1:4]
    sys.argv[:] = ["supervisor", *sys.argv[4:]]
    die_at(point, int(number))
    status = main()
    Path(counts).write_text(json.dumps(passages))
    sys.exit(status)
