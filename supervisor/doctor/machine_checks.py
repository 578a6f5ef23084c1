"""The checks of the machine itself, and which of them the supervisor depends on: disk, pidfds, cgroup v2, inotify."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import tempfile
from pathlib import Path

from supervisor.doctor import programs
from supervisor.doctor.findings import Check, State, Verdict
from supervisor.host.proc.cgroups import BOOTED, is_ours, own_folder

LITTLE_BYTES = 1 << 30
TOO_LITTLE_BYTES = 100 << 20
LITTLE_INODES = 10_000
TOO_LITTLE_INODES = 1000
FEW_WATCHES = 8192
"""The kernel's default on small machines. An editor alone uses that many."""
_LIMITS = Path("/proc/sys/fs/inotify")
_IN_MODIFY = 2  # linux/inotify.h
_WITHOUT_CGROUP = "what a command leaves behind is looked for in /proc, and daemons that hide are missed"


def checks(state_dir: Path, workspace: Path) -> list[Check]:
    """The checks of this machine. A check is optional if a failure costs only speed or comfort."""
    return [
        Check("shell", True, programs.shell),
        Check("disk, state", True, functools.partial(disk, state_dir)),
        Check("disk, workspace", True, functools.partial(disk, workspace)),
        Check("pidfd", False, pidfd),
        Check("cgroup v2", False, cgroup_v2),
        Check("inotify", False, inotify),
        Check("git", False, programs.git),
        Check("docker", False, programs.docker),
    ]


def disk(path: Path) -> Verdict:
    """The verdict on the filesystem that holds `path`, or that will hold it."""
    folder = _existing(path)
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return Verdict(State.FAILED, f"cannot look at {folder}: {(error.strerror or '').lower()}")
    if status.f_flag & os.ST_RDONLY:
        return Verdict(State.FAILED, f"{folder} is on a filesystem that is mounted read-only")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Verdict(State.FAILED, f"{folder} may not be written by this user")
    free_bytes = status.f_bavail * status.f_frsize
    # A filesystem without a table of inodes reports 0 of 0.
    free_inodes = status.f_favail if status.f_files else None
    return room(str(folder), free_bytes, free_inodes)


def room(folder: str, free_bytes: int, free_inodes: int | None) -> Verdict:
    """The verdict on an amount of free space. `free_inodes`: None if the filesystem does not limit them."""
    free = f"{_size(free_bytes)} free at {folder}"
    if free_inodes is not None and free_inodes < LITTLE_INODES:
        state = State.FAILED if free_inodes < TOO_LITTLE_INODES else State.WARNING
        return Verdict(state, f"{free}, and only {free_inodes} inodes: remove small files")
    if free_bytes < LITTLE_BYTES:
        state = State.FAILED if free_bytes < TOO_LITTLE_BYTES else State.WARNING
        return Verdict(state, f"only {free}: logs and builds need more")
    return Verdict(State.OK, free)


def _existing(path: Path) -> Path:
    """The nearest folder above `path` that exists, or `path` itself."""
    path = Path(os.path.abspath(path))
    return next(folder for folder in (path, *path.parents) if os.path.isdir(folder))


def _size(size_bytes: int) -> str:
    return (
        f"{size_bytes / (1 << 30):.1f} GiB" if size_bytes >= 1 << 30 else f"{size_bytes / (1 << 20):.0f} MiB"
    )


def pidfd() -> Verdict:
    """Whether the kernel has pidfds (Linux 5.3), and nothing forbids them, as a container's seccomp filter may.

    With a pidfd the supervisor tells a process from a later one with the same number.
    """
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        why = (error.strerror or "").lower()
        return Verdict(State.WARNING, f"{why}; ends of commands that outlive their shim are found by polling")
    return Verdict(State.OK, f"works, Linux {os.uname().release}")


def cgroup_v2(proc: Path = Path("/proc/self"), booted: str = BOOTED) -> Verdict:
    """Whether a supervisor that is started here can give each run a cgroup of its own, by `host.proc.cgroups`' rules.

    Args:
        proc: the process to look at.
        booted: the folder that exists where systemd runs.
    """
    folder = own_folder(str(proc))
    if folder is None:
        return Verdict(State.WARNING, f"no mount shows this process's group: {_WITHOUT_CGROUP}")
    if not is_ours(folder, booted):
        return Verdict(
            State.WARNING, f"{folder} is not delegated (Delegate=yes of a systemd unit): {_WITHOUT_CGROUP}"
        )
    return Verdict(State.OK, f"each run gets a group of its own below {folder}")


def inotify() -> Verdict:
    """Whether another file can be watched. The limits count for all processes of the user, so this adds a watch."""
    watches, instances = _limit("max_user_watches"), _limit("max_user_instances")
    failed = _add_watch()
    if failed == errno.EMFILE:
        return _exhausted("instances", "max_user_instances", instances)
    if failed == errno.ENOSPC:
        return _exhausted("watches", "max_user_watches", watches)
    if failed:
        return Verdict(
            State.WARNING,
            f"{os.strerror(failed).lower()}: edits of the automations file are found by polling",
        )
    limits = f"{watches} watches, {instances} instances"
    if watches < FEW_WATCHES:
        return Verdict(State.WARNING, f"{limits}: few; raise fs.inotify.max_user_watches with sysctl")
    return Verdict(State.OK, limits)


def _exhausted(what: str, setting: str, limit: int) -> Verdict:
    return Verdict(
        State.WARNING,
        f"all {limit} {what} are in use: edits of the automations file are found by polling; "
        f"raise fs.inotify.{setting} with sysctl",
    )


def _add_watch() -> int:
    """Add a watch and remove it. Returns 0 or the errno. A full table of descriptors is EMFILE as well."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if fd < 0:
        return ctypes.get_errno()
    try:
        folder = os.fsencode(tempfile.gettempdir())
        return 0 if libc.inotify_add_watch(fd, folder, _IN_MODIFY) >= 0 else ctypes.get_errno()
    finally:
        os.close(fd)


def _limit(name: str) -> int:
    try:
        return int((_LIMITS / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
