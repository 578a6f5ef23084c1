"""Signals to processes that cannot hit a stranger: each goes through a pidfd, or after a look at the start time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

from supervisor.host.proc.process import PidfdMissing, ProcRef, pidfd, stat_of

_SIGNAL_S, _SIGNAL_PAUSE_S = 2.0, 0.02
"""How long a signal waits for a descriptor."""


def terminate(refs: Iterable[ProcRef]) -> None:
    """Send SIGTERM, and SIGCONT so that stopped processes act on it. Session leaders and older processes come first.

    A shell with `-e` ends when its command is killed; if its own signal comes later, its trap does not run. Pids are
    not in the order of start times once they have wrapped around.
    """
    for ref in sorted(refs, key=_seniority):
        _send(ref, signal.SIGTERM, signal.SIGCONT)


def kill(refs: Iterable[ProcRef]) -> None:
    """Send SIGKILL to processes and to their process groups.

    A process that forks and exits at once is gone before its signal comes, but its children are in its group.
    """
    refs = list(refs)
    for group, session in {(ref.group, ref.session) for ref in refs if ref.session}:
        _kill_group(group, session)
    for ref in refs:
        _send(ref, signal.SIGKILL)


def send(ref: ProcRef, number: signal.Signals) -> None:
    """Send a signal to a process, if it lives."""
    _send(ref, number)


def _seniority(ref: ProcRef) -> tuple[bool, int]:
    return ref.pid != ref.session, ref.start_ticks


def _kill_group(group: int, session: int) -> None:
    if group <= 1 or session == os.getsid(0):
        return
    try:
        # No process gets the number as its pid while the group has a member. So a process that has it is the group's
        # leader, or the group is gone.
        if os.getsid(group) == session:
            os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        _each(lambda number: os.killpg(group, number), (signal.SIGKILL,))


def _send(ref: ProcRef, *signals: signal.Signals) -> None:
    give_up_at = time.monotonic() + _SIGNAL_S
    while True:
        try:
            return _send_now(ref, *signals)
        except OSError:  # no descriptor is free
            if time.monotonic() > give_up_at:
                return
            time.sleep(_SIGNAL_PAUSE_S)


def _send_now(ref: ProcRef, *signals: signal.Signals) -> None:
    try:
        fd = pidfd(ref)
    except PidfdMissing:
        process = stat_of(ref.pid)
        if process is not None and process.ref == ref and process.alive:
            _each(lambda number: os.kill(ref.pid, number), signals)
        return
    if fd is None:
        return
    try:
        _each(lambda number: signal.pidfd_send_signal(fd, number), signals)
    finally:
        os.close(fd)


def _each(send: Callable[[int], None], signals: Iterable[int]) -> None:
    try:
        for number in signals:
            send(number)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or another user's (sudo): the next census shows
