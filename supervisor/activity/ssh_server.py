"""Where people can log in: the ports that sshd listens on.

Root sees the sockets of every process. Others may not look into root's, and take the port that sshd was told by its
command line or its configuration, if something of root's listens there. An sshd that is started for each connection,
by systemd's ssh.socket say, does not run before somebody comes, and is not found.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import psutil

from supervisor.activity.ssh_sessions import sshd_processes

CONFIGURATION = ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*.conf")
USUAL_PORT = 22
_PORT = re.compile(r"^\s*Port[\s=]+\"?(\d+)", re.IGNORECASE | re.MULTILINE)
_LISTEN_ADDRESS = re.compile(r"^\s*ListenAddress[\s=]+\S+:(\d+)\s*$", re.IGNORECASE | re.MULTILINE)
_LISTENING, _ROOT = "0A", "0"
"""As /proc/net/tcp writes the state of a socket and its owner; see proc(5)."""


def ssh_port() -> int | None:
    """The port of an sshd that runs, 22 before others; None: there is none. Takes some milliseconds."""
    found = {port for process in sshd_processes() for port in _ports(process)}
    return min(found, key=lambda port: (port != USUAL_PORT, port), default=None)


def _ports(process: psutil.Process) -> list[int]:
    try:
        sockets = process.net_connections("tcp")
        return [each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN]
    except psutil.AccessDenied:
        return _said(process)
    except psutil.Error:
        return []  # gone by now


def _said(process: psutil.Process) -> list[int]:
    """The ports by command line and configuration, where something listens."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return []
    # A listener's title begins so since OpenSSH 8.2; that of a session names its user.
    title = " ".join(words)
    if title.startswith("sshd: ") and "[listener]" not in title:
        return []
    words = title.split()
    listening = set(_listening())
    return [port for port in _told(words) or [USUAL_PORT] if port in listening]


def _told(words: list[str]) -> list[int]:
    after = dict(pairwise(words))
    if after.get("-p", "").isdigit():
        return [int(after["-p"])]
    files = [after["-f"]] if "-f" in after else [path for each in CONFIGURATION for path in glob.glob(each)]
    texts = list(_texts(files))
    ports = [int(port) for text in texts for port in _LISTEN_ADDRESS.findall(text)]
    return ports or [int(port) for text in texts for port in _PORT.findall(text)]


def _texts(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                yield file.read(1 << 20)
        except OSError:
            continue  # not ours to read


def _listening() -> Iterator[int]:
    """The ports on which root listens."""
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in "".join(_texts([path])).splitlines()[1:]:
            words = line.split()
            if words[3] == _LISTENING and words[7] == _ROOT:
                yield int(words[1].rpartition(":")[2], 16)
