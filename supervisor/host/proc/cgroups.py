"""Control groups, version 2: one for each run, where the supervisor may divide the tree.

A process starts in the group of its parent. A daemon may leave its session, lose its parents and overwrite its
environment, but it stays in its group unless it may write to the tree itself. And the kernel kills a whole group at
once, forks included.

    <the group that we were started in>/
      supervisor-<digest of the state directory>/
        shims/     the shims; each goes into a run's group for the moment of a spawn
        <run id>/  a run's processes

A tree has one manager (cgroups(7), "delegation"). Under systemd we may divide the tree if systemd says so, by an
attribute of the folder: `Delegate=yes`. Elsewhere we may divide it if we may write there.
"""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Iterator

from supervisor.lean.digest import sha256
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.shim.cgroup_move import order

if TYPE_CHECKING:
    from pathlib import Path

SHIMS = "shims"
_PREFIX = "supervisor-"
_FORGOTTEN_S = 60.0
"""A group that a supervisor left behind is older than this; a new one is empty until its first command."""
BOOTED = "/run/systemd/system"
"""Exists where systemd runs; sd_booted(3)."""
_DELEGATED = ("trusted.delegate", "user.delegate")


class Cgroups:
    """The groups of one state directory."""

    def __init__(self, folder: str) -> None:
        """`folder`: the group that holds them. Makes it if it is missing. Raises OSError."""
        self.folder = folder
        self.shims = f"{folder}/{SHIMS}"
        """Where the shims are."""
        self._make()

    @classmethod
    def of(cls, state: Path) -> Cgroups | None:
        """The groups for a state directory; None: we may not divide the tree."""
        own = own_folder()
        if own is None or not is_ours(own):
            return None

        digest = sha256(os.fsencode(state)).hex()[:12]
        try:
            return cls(f"{own}/{_PREFIX}{digest}")
        except OSError:
            return None  # too many groups, or a security module refuses: runs work without one

    def make(self, run_id: str) -> str:
        """Make a run's group. Returns its folder; empty: it cannot be made."""
        path = f"{self.folder}/{run_id}"
        try:
            if not os.path.isdir(self.shims):
                self._make()  # another supervisor has removed it
            os.mkdir(path)
        except OSError:
            return ""
        return path

    def discard(self, run_id: str) -> None:
        """Remove a run's group, if no process is in it."""
        remove(f"{self.folder}/{run_id}")

    def runs(self) -> list[str]:
        """The folders of the existing groups of runs."""
        return [path for path in _below(self.folder) if path != self.shims]

    def tidy(self) -> None:
        """Remove the groups of runs without processes."""
        for path in self.runs():
            remove(path)

    def close(self, patience_s: float) -> None:
        """Remove all groups without processes; wait `patience_s` for the end of the shims."""
        self.tidy()
        emptied(self.shims, patience_s)
        for path in (self.shims, self.folder):
            remove(path)
        for path in _below(os.path.dirname(self.folder)):
            # The groups of a supervisor that was killed, and whose state directory is not used again.
            if (
                os.path.basename(path).startswith(_PREFIX)
                and _age_s(path) > _FORGOTTEN_S
                and not populated(path)
            ):
                remove(path)

    def _make(self) -> None:
        for path in (self.folder, self.shims):
            try:
                os.mkdir(path)
            except FileExistsError:
                pass  # the supervisor before this one made it


def processes(group: str) -> list[int]:
    """The pids in a group and the groups below it, without zombies. Empty if the group is gone."""
    return list(_processes(group)) if populated(group) else []


def populated(group: str) -> bool:
    """Whether a process lives in a group or below it. False if the group is gone."""
    return "populated 1" in _read(f"{group}/cgroup.events")


def emptied(group: str, timeout_s: float) -> bool:
    """Wait until no process lives in a group. Returns False after `timeout_s`."""
    try:
        events = os.open(f"{group}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        give_up_at = time.monotonic() + timeout_s
        while populated(group):
            left_s = give_up_at - time.monotonic()
            if left_s <= 0:
                return False
            os.pread(events, 4096, 0)  # poll reports changes after this read
            if populated(group):
                poll.poll(left_s * 1000)
        return True
    finally:
        os.close(events)


def kill(group: str) -> bool:
    """Kill all processes in a group and below it at once. Returns False if the kernel cannot (before Linux 5.14)."""
    try:
        order(group, "cgroup.kill", b"1")
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENODEV) and not os.path.isdir(group)
    return True


def remove(group: str) -> bool:
    """Remove a group and those that commands made below it. Returns False while a process is in one."""
    try:
        os.rmdir(group)
    except FileNotFoundError:
        pass
    except OSError:
        # EBUSY: there are processes, or groups below, or the last process ended a moment ago.
        below = [] if populated(group) else list(_below(group))
        return bool(below) and all(map(remove, below)) and remove(group)
    return True


def own_folder(proc: str = "/proc/self") -> str | None:
    """The folder of our own group; None: no mounted filesystem shows it."""
    entries = (line.split(":", 2) for line in _read(f"{proc}/cgroup").splitlines())
    own = next((path for number, _, path in entries if number == "0"), None)
    if own is None:
        return None
    for line in _read(f"{proc}/mountinfo").splitlines():
        mount, _, kind = line.partition(" - ")
        root, point = mount.split()[3:5]
        if kind.startswith("cgroup2 ") and (own == root or own.startswith(root.rstrip("/") + "/")):
            if "\\" in point:  # a blank: proc_pid_mountinfo(5)
                point = point.encode().decode("unicode_escape")
            return (point + "/" + own[len(root) :].strip("/")).rstrip("/")
    return None


def is_ours(folder: str, booted: str = BOOTED) -> bool:
    """Whether we may divide a group. `booted`: a folder that exists if systemd runs here."""
    if not os.access(folder, os.W_OK) or not os.access(f"{folder}/cgroup.procs", os.W_OK):
        return False
    return not os.path.isdir(booted) or any(_attribute(folder, name) == b"1" for name in _DELEGATED)


def _attribute(folder: str, name: str) -> bytes:
    try:
        return os.getxattr(folder, name)
    except OSError:
        return b""


def _processes(group: str) -> Iterator[int]:
    for pid in _read(f"{group}/cgroup.procs").split():
        if pid != "0":  # our PID namespace does not show that process
            yield int(pid)
    for path in _below(group):
        yield from _processes(path)


def _below(group: str) -> Iterator[str]:
    try:
        with os.scandir(group) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    yield from folders


def _age_s(path: str) -> float:
    """The age of a folder, or less: the kernel may have dropped its inode, and with it the time, in between."""
    try:
        return time.time() - os.stat(path).st_ctime
    except OSError:
        return 0.0


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
