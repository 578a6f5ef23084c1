"""Open SSH sessions, from the two places where they show.

sshd's processes   one for each session, whose title says so: `sshd: ada@pts/0`, `sshd-session: ada@notty` from OpenSSH
                   9.8 on. Also those without a terminal: editors, copies, tunnels. Before the login it has
                   another title (`[net]`, `[preauth]`, `[accepted]`), so a client that only tries passwords is not
                   activity. Any process may have such a title. So its program must be root's file of that name or,
                   where we may not see that, its parent root's sshd: nobody else has children of that.
utmp               logins on a terminal, with the address they came from. Where processes of other users are hidden
                   (the mount option hidepid), these are all there is to see. An entry that nobody removed, since sshd
                   was killed, is known by its process: gone, or younger than the login.

A login that shows in both is one session: they name the same terminal.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from supervisor.activity.sighting import Sighting, SourceKind
from supervisor.host.proc.process import started_s
from supervisor.model.moment import Instant

SOURCE = "SSH"
"""Source: contract/api.md, Heartbeats."""
_TITLE = re.compile(r"sshd(?:-session)?: (?P<user>\S+)@(?P<terminal>\S+)")
_PROGRAMS = ("sshd", "sshd-session")
_REMOTE = re.compile(r"(?!:|localhost$)[\w.:%-]+")
"""A host name or an address; not what tmux, screen and mosh put in its place, nor what psutil calls an X display."""
_CLOCKS_S = 60.0
"""How far two readings of the wall clock may be apart: psutil takes the time of the boot for a process's age."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class SshSession:
    """One open session."""

    user: str
    terminal: str
    """`pts/0`; `notty` or the like for a session without one."""
    pid: int
    since_s: float
    """When it began, on the clock of `Instant.boot_s`."""
    host: str = ""
    """Where it came from, if that is known."""

    def __str__(self) -> str:
        origin = f" from {self.host}" if self.host else ""
        return f"{self.user} on {self.terminal}{origin}"


def open_sessions(now: Instant) -> Iterator[Sighting]:
    """One sighting for all sessions; its details name the eldest. Takes some milliseconds: not for the event loop."""
    sessions = sorted(_sessions(now), key=lambda session: session.since_s)
    if not sessions:
        return
    more = f" and {len(sessions) - _MOST_NAMED} more" if len(sessions) > _MOST_NAMED else ""
    detail = ", ".join(map(str, sessions[:_MOST_NAMED])) + more
    yield Sighting(SourceKind.SSH, SOURCE, detail, sessions[0].since_s, now.boot_s)


def _sessions(now: Instant) -> list[SshSession]:
    processes = {session.pid: session for session in _processes()}
    logins = {session.terminal: session for session in _logins(now)}
    known = {pid: logins.pop(session.terminal, session) for pid, session in processes.items()}
    return [*known.values(), *logins.values()]


def sshd_processes() -> Iterator[psutil.Process]:
    """The processes of sshd: those that listen, and those of sessions."""
    for pid in psutil.pids():
        # By hand: psutil takes ten times as long to name a process, and most are none of ours.
        if not _command(pid).startswith("sshd"):
            continue
        try:
            process = psutil.Process(pid)
            if _is_sshd(process):
                yield process
        except psutil.Error:
            continue  # gone by now


def _processes() -> Iterator[SshSession]:
    """The sessions that sshd has a process for."""
    for process in sshd_processes():
        try:
            title = " ".join(process.cmdline()).rstrip()
        except psutil.Error:
            continue  # gone by now
        began_s = started_s(process.pid)
        if (found := _TITLE.fullmatch(title)) and began_s is not None:
            yield SshSession(_shown(found["user"]), _shown(found["terminal"]), process.pid, began_s)


def _is_sshd(process: psutil.Process) -> bool:
    """Whether a process of that name is sshd. Raises psutil.Error."""
    path = f"/proc/{process.pid}/exe"
    try:
        name = os.path.basename(os.readlink(path).removesuffix(" (deleted)"))
        program = os.stat(path)  # the file itself, also if it was replaced
    except PermissionError:
        parent = process.parent()
        return any(
            each is not None and set(each.uids()) == {0} and each.name() in _PROGRAMS
            for each in (process, parent)
        )
    except OSError:
        return False  # gone by now
    return name in _PROGRAMS and program.st_uid == 0 and not program.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _logins(now: Instant) -> Iterator[SshSession]:
    """The sessions that utmp knows of; see utmp(5)."""
    for user in psutil.users():
        pid = int(user.pid or 0)
        if not user.host or not _REMOTE.fullmatch(user.host) or not _still(pid, user.started):
            continue
        age_s = max(0.0, now.wall_s - user.started)
        terminal = _shown(user.terminal or "notty")
        yield SshSession(_shown(user.name), terminal, pid, now.boot_s - age_s, user.host)


def _still(pid: int, login_s: float) -> bool:
    """Whether the process of a login lives, and is not a later one with the same pid."""
    if pid <= 0:  # a file may hold anything
        return False
    try:
        return psutil.Process(pid).create_time() < login_s + _CLOCKS_S
    except psutil.Error:
        return psutil.pid_exists(pid)  # one that may not be looked at


def _shown(name: str) -> str:
    """A name for people: titles and utmp may hold any bytes."""
    return "".join(c if c.isprintable() else "?" for c in name)


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read(32)
    except OSError:
        return ""
