"""Entries from the machine: versions and limits, the supervisor's own process, systemd and its journal."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from supervisor import __version__
from supervisor.bundle.archive import BundleEntry, LeftOut
from supervisor.bundle.excerpt import masked_end
from supervisor.bundle.masker import SHOWN, Masker
from supervisor.bundle.start_options import process_environ
from supervisor.host.proc.cgroups import BOOTED

STDERR_BYTES = 1 << 20
PROGRAM_TIMEOUT_S = 5.0
_FILES = {
    "os-release": "/etc/os-release",
    "uptime": "/proc/uptime",
    "loadavg": "/proc/loadavg",
    "meminfo": "/proc/meminfo",
    "pressure-memory": "/proc/pressure/memory",
    "pressure-io": "/proc/pressure/io",
    "mounts": "/proc/self/mountinfo",
}
_OF_PROCESS = ("status", "limits", "cgroup", "oom_score_adj", "stat")
_HARMLESS = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES", "TMPDIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV", "NO_COLOR"),
    *("PWD", "AWS_REGION", "AWS_DEFAULT_REGION", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "XDG_STATE_HOME"),
}  # fmt: skip
"""Variables whose values are shown, URLs without credentials. Of others only the length of the value is shown."""
_HARMLESS_PREFIXES = ("LC_", "SUPERVISOR_")


def system_entries(
    pid: int | None, environ: Mapping[str, str], masker: Masker, booted: str = BOOTED
) -> Iterator[BundleEntry]:
    """The entries.

    Args:
        pid: the supervisor's process, or None.
        environ: the variables of this process.
        masker: masks secrets.
        booted: the folder that exists where systemd runs.
    """
    yield BundleEntry("versions.json", lambda: masker.document(versions()))
    yield BundleEntry(
        "environment.json",
        lambda: masker.document({name: shown_value(name, environ[name]) for name in sorted(environ)}),
    )
    for name, path in _FILES.items():
        yield BundleEntry(f"system/{name}", functools.partial(_proc, path, masker))
    yield BundleEntry(
        "system/units",
        lambda: masker.text(_run(booted, "systemctl", "--no-pager", "--full", "status", "supervisor*")),
    )
    if pid is None:
        return
    for name in _OF_PROCESS:
        yield BundleEntry(f"supervisor/{name}", functools.partial(_proc, f"/proc/{pid}/{name}", masker))
    yield BundleEntry("supervisor/command", lambda: masker.text(_command(pid)))
    yield BundleEntry("supervisor/environment.json", lambda: masker.document(_environment(pid)))
    yield BundleEntry("supervisor/descriptors.json", lambda: masker.document(_descriptors(pid)))
    yield BundleEntry("supervisor/cgroup.json", lambda: masker.document(_cgroup(pid)))
    yield BundleEntry("supervisor/stderr", lambda: _stderr(pid, masker, booted))


def versions() -> dict[str, Any]:
    """The versions of the supervisor and of everything below it."""
    packages = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
    return {
        "supervisor": __version__,
        "python": sys.version,
        "executable": sys.executable,
        "kernel": " ".join(platform.uname()),
        "libc": " ".join(platform.libc_ver()),
        "uid": os.geteuid(),
        "packages": dict(sorted(packages.items(), key=lambda item: str(item[0]))),
    }


def shown_value(name: str, value: str) -> str:
    """A variable's value if it is harmless, else its length."""
    harmless = name.upper() in _HARMLESS or name.startswith(_HARMLESS_PREFIXES)
    if harmless and name != "SUPERVISOR_ENVIRON":  # the launcher's; it holds all others
        return value
    return f"{SHOWN} ({len(value)} characters)" if value else ""


def _environment(pid: int) -> dict[str, str]:
    environ = process_environ(pid)
    if not environ:
        raise LeftOut("it cannot be read")
    return {name: shown_value(name, environ[name]) for name in sorted(environ)}


def _command(pid: int) -> bytes:
    """The command as one line: a secret is recognized by the flag before it."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    return shlex.join(words).encode() + b"\n"


def _descriptors(pid: int) -> dict[str, str]:
    folder = f"/proc/{pid}/fd"
    found = {}
    for number in sorted(os.listdir(folder), key=int):
        try:
            found[number] = os.readlink(f"{folder}/{number}")
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def _cgroup(pid: int) -> dict[str, str]:
    """Limits and events of the process's own cgroup v2."""
    lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    folders = [Path(root + own) for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if own is not None]
    folder = next((folder for folder in folders if (folder / "cgroup.procs").exists()), None)
    if folder is None:
        raise LeftOut("no cgroup v2 of the process can be seen")
    names = (
        "cgroup.controllers",
        "cgroup.events",
        "memory.max",
        "memory.current",
        "memory.events",
        "pids.max",
        "cpu.max",
    )
    return {"folder": str(folder)} | {
        name: (folder / name).read_text(encoding="utf-8") for name in names if (folder / name).exists()
    }


def _stderr(pid: int, masker: Masker, booted: str) -> bytes:
    """The supervisor's own messages, if they go into a file or the journal."""
    target = os.readlink(f"/proc/{pid}/fd/2")
    if target.startswith("/") and os.path.isfile(target):
        return masked_end(Path(target), STDERR_BYTES, masker)
    if "JOURNAL_STREAM" in process_environ(pid):
        return masker.text(_run(booted, "journalctl", "--no-pager", "--lines=2000", f"_PID={pid}"))
    raise LeftOut(f"it goes to {target}, which keeps nothing")


def _proc(path: str, masker: Masker) -> bytes:
    with open(path, "rb") as file:
        return masker.text(file.read(STDERR_BYTES))


def _run(booted: str, *argv: str) -> bytes:
    """The output of a program. Raises LeftOut without systemd, or if the program takes too long."""
    path = shutil.which(argv[0])
    if path is None or not os.path.isdir(booted):
        raise LeftOut("this machine does not run systemd")
    try:
        done = subprocess.run(
            [path, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LeftOut(f"{argv[0]} gives no answer within {PROGRAM_TIMEOUT_S:g} s") from None
    return done.stdout[-STDERR_BYTES:]
