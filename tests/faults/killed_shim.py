"""The real command line, whose first shim kills itself: `killed_shim.py POINT N DIED [ARGUMENT]...`

As `killed` does with the supervisor: at the N-th passage of a point of the shim it sends itself SIGKILL, once, and
leaves the file DIED behind. The shim is a program of its own, so this file is also that program: started in its place,
with a number as its first word, it wraps the shim's methods and goes on as the shim.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the shim's Python has no site

from supervisor.shim import launcher, shim
from supervisor.shim.command_starter import CommandStarter
from supervisor.shim.fact_journal import FactJournal, FactWriter
from supervisor.shim.owner_socket import OwnerSocket
from supervisor.shim.shim import Shim

POINTS: dict[str, tuple[type, str]] = {
    "answer": (Shim, "_answer"),
    "spawn": (CommandStarter, "start"),
    "note_start": (FactWriter, "note_start"),
    "write": (FactJournal, "append"),
    "reap": (Shim, "_reap"),
    "tell": (Shim, "_tell"),
    "listen": (OwnerSocket, "listen"),
}
"""Where it can be killed: before and after each of these."""
NAMES = [f"{side} {point}" for point in POINTS for side in ("before", "after")]
VARIABLE = "SUPERVISOR_TEST_DEATH"  # no command inherits what begins like this

passages: Counter[str] = Counter()


def passed(name: str, wanted: str, number: int, died: str) -> None:
    """Die here if it is wanted, and if no shim has before."""
    passages[name] += 1
    if (name, passages[name]) != (wanted, number):
        return
    try:
        os.close(os.open(died, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def between(
    method: Callable[..., Any], point: str, wanted: str, number: int, died: str
) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(*arguments: Any) -> Any:
        passed(f"before {point}", wanted, number, died)
        result = method(*arguments)
        passed(f"after {point}", wanted, number, died)
        return result

    return wrapped


def be_the_shim() -> None:
    wanted, number, died = os.environ.pop(VARIABLE).split(":")
    for point, (kind, method) in POINTS.items():
        setattr(kind, method, between(getattr(kind, method), point, wanted, int(number), died))
    shim.main(int(sys.argv[1]), *sys.argv[2:])


def be_the_supervisor() -> int:
    from supervisor.cli import main

    os.environ[VARIABLE] = ":".join(sys.argv[1:4])
    launcher._SHIM = __file__
    sys.argv[:] = ["supervisor", *sys.argv[4:]]
    return main()


if __name__ == "__main__":
    if sys.argv[1].isdecimal():
        be_the_shim()
    else:
        sys.exit(be_the_supervisor())
