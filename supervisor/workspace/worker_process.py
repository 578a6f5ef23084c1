"""Starts the worker of the workspace, and sees to its end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from supervisor.host.proc import inheritance
from supervisor.host.proc.process_signals import kill
from supervisor.host.proc.process_tree import of_session
from supervisor.host.work_place import WorkPlace

_SCRIPT = Path(__file__).with_name("worker_start.py")
END_S = 12.0
"""How long a worker may take to end once its socket is closed: it may have to carry out a write first."""
_KILLED_S = 1.0
_LOOK_S = 0.005


def settings(place: WorkPlace) -> bytes:
    """What the worker is told: where it works, and as whom."""
    user, account = None, place.account
    if account is not None:
        user = {"uid": account.uid, "gid": account.gid, "groups": account.groups}
    told = {"workspace": place.workspace, "user": user, "restore": inheritance.shim_words()}
    return json.dumps(told).encode()


class WorkerProcess:
    """A worker that runs, as a child of ours. Blocking: use it in a thread."""

    def __init__(self, place: WorkPlace) -> None:
        """Start it. Raises OSError."""
        self.socket, its = socket.socketpair()
        try:
            with its:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-X", "utf8", _SCRIPT, str(its.fileno())],
                    cwd="/",
                    env=place.environment.outside_of_runs(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[its.fileno()],
                    # Signals of a terminal are for the supervisor; and what it leaves behind is known by the session.
                    start_new_session=True,
                )
        except BaseException:
            self.socket.close()
            raise
        self.socket.setblocking(False)
        self.pid = self._process.pid

    def end(self) -> None:
        """Wait for its end after the socket was closed, kill what it has left behind, and reap it."""
        if not self._has_ended(END_S):
            self._process.kill()
            self._has_ended(
                _KILLED_S
            )  # it may sleep uninterruptibly, on a dead network filesystem for example
        with suppress(OSError):
            self._sweep()
        self._process.poll()

    def _has_ended(self, within_s: float) -> bool:
        """Wait without reaping it, so that its session's number stays its own."""
        give_up_at = time.monotonic() + within_s
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > give_up_at:
                return False
            time.sleep(_LOOK_S)
        return True

    def _sweep(self) -> None:
        """Its programs are in its session."""
        give_up_at = time.monotonic() + _KILLED_S
        while (left := of_session(self.pid)) and time.monotonic() < give_up_at:
            kill(left)
            time.sleep(_LOOK_S)
