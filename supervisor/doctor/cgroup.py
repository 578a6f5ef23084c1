"""cgroup v2: whether it is mounted, and whether this process may make groups below its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

from supervisor.doctor.finding import State, Verdict

_USELESS = "whole process trees are found through /proc instead, and limits of memory are not seen"


def cgroup_v2(proc: Path = Path("/proc/self")) -> Verdict:
    """The verdict on cgroups. `proc`: the process to look at."""
    mount = mounted(_lines(proc / "mountinfo"))
    own = next((line[3:] for line in _lines(proc / "cgroup") if line.startswith("0::")), None)
    if mount is None or own is None:
        return Verdict(State.WARNING, f"cgroup v2 is not mounted: {_USELESS}")
    root, point = mount
    folder = Path(point + own.removeprefix(root.rstrip("/")))
    if not (folder / "cgroup.procs").exists():
        return Verdict(State.WARNING, f"{folder} is not there: the cgroup is outside this mount; {_USELESS}")
    if not (os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)):
        return Verdict(
            State.WARNING,
            f"{folder} is not delegated to this user (Delegate=yes of a systemd unit): {_USELESS}",
        )
    controllers = " ".join(_lines(folder / "cgroup.controllers"))
    if "memory" not in controllers.split():
        return Verdict(
            State.WARNING, f"{folder} is delegated without the memory controller: limits are not seen"
        )
    return Verdict(State.OK, f"{folder} is delegated; controllers: {controllers}")


def mounted(mountinfo: list[str]) -> tuple[str, str] | None:
    """The group at the root of the mount of cgroup v2 and where that is, from the lines of proc_pid_mountinfo(5)."""
    for line in mountinfo:
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            root, point = before.split()[3:5]
            return _unescaped(root), _unescaped(point)
    return None


def _unescaped(path: str) -> str:
    r"""Blanks and the like stand in the file as \040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
