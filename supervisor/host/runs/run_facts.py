"""What the shim wrote down of a run: when its process began and how it ended.

    runs/<run id>/
      started   JSON, once the process exists: {"pid", "start_ticks", "boot_id", "shim_pid", "cgroup", "log_inode"}
      exit      JSON, once the process has ended: {"code"} or {"signal"}, and {"wall_s"}

Both appear whole (written aside, then renamed). Without `started` the run was wanted, but the supervisor or the shim
died before it began. With `started` and no `exit` it lives, or it ended while no shim was there to see it.
"""

from __future__ import annotations

import json
import os

from supervisor.lean.frozen import dataclass
from supervisor.model.exit import Exit, ExitCode, ExitSignal
from supervisor.shim.regular_file import atomic_write, read_regular

_FACTS_BYTES = 64 * 1024
"""How long a file of facts may be."""


@dataclass(frozen=True, slots=True)
class StartedFacts:
    """What the shim saw when the process began. `start_ticks` and `boot_id` tell it from a later process with its pid.

    `cgroup`: the folder of the control group that it began in; empty: it has none of its own.
    """

    pid: int
    start_ticks: int
    boot_id: str
    shim_pid: int
    cgroup: str = ""
    log_inode: int = 0
    """Of the log's file; 0: the shim was too old to write it."""


def started(folder: str) -> StartedFacts | None:
    """What the shim wrote when the process began; None if it wrote nothing. `folder`: the run directory."""
    match _read(f"{folder}/started"):
        case {
            "pid": int(pid),
            "start_ticks": int(ticks),
            "boot_id": str(boot_id),
            "shim_pid": int(shim_pid),
            **more,
        }:
            inode = more.get("log_inode")
            return StartedFacts(
                pid,
                ticks,
                boot_id,
                shim_pid,
                str(more.get("cgroup", "")),
                inode if isinstance(inode, int) else 0,
            )
        case _:
            return None


def ended(folder: str) -> tuple[Exit | None, float | None]:
    """How the process ended, and when, on the wall clock; None for what is not known (yet)."""
    # The shim may have been killed before it could rename the file. An incomplete one cannot be parsed.
    facts = _read(f"{folder}/exit") or _read(f"{folder}/exit.new") or {}
    at_s = facts.get("wall_s")
    ended_s = float(at_s) if isinstance(at_s, int | float) else None
    match facts:
        case {"code": int(code)}:
            return ExitCode(code), ended_s
        case {"signal": int(number)}:
            return ExitSignal(number), ended_s
        case _:
            return None, ended_s


def began_s(folder: str) -> float | None:
    """When the process began, on the wall clock; None: nothing says so (yet)."""
    try:
        return os.stat(f"{folder}/started", follow_symlinks=False).st_mtime
    except OSError:
        return None


def restore(folder: str, facts: StartedFacts) -> None:
    """Write `started` again if somebody has removed it. Raises OSError."""
    if not os.path.lexists(f"{folder}/started"):
        names = ("pid", "start_ticks", "boot_id", "shim_pid", "cgroup", "log_inode")
        text = json.dumps({name: getattr(facts, name) for name in names})
        atomic_write(f"{folder}/started", text.encode("ascii"))


def _read(path: str) -> dict[str, int | str] | None:
    try:
        facts = json.loads(read_regular(path, _FACTS_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
