"""The files `started` and `exit` that the shim writes into run directories."""

from __future__ import annotations

import json
import os
import time

from supervisor.shim.protocol import CommandStarted, ExitStatus, encode_status
from supervisor.shim.regular_file import atomic_write
from supervisor.shim.stream import Message


class FactFiles:
    """Writes files of facts, and tries again those that could not be written: the disk may be full."""

    def __init__(self) -> None:
        self._boot_id = _boot_id()
        self._unwritten: dict[str, Message] = {}
        """`{path: facts}`"""
        self.ended: dict[str, ExitStatus] = {}
        """The exit statuses that are not in their files: `{run id: status}`."""

    @property
    def is_behind(self) -> bool:
        """Whether a file still has to be written."""
        return bool(self._unwritten)

    def note_start(self, folder: str, started: CommandStarted) -> None:
        """Write `started` of the run whose directory is `folder`."""
        facts = {
            "pid": started.pid,
            "start_ticks": started.start_ticks,
            "cgroup": started.cgroup,
            "log_inode": started.log_inode,
            "boot_id": self._boot_id,
            "shim_pid": os.getpid(),
        }
        self._write(f"{folder}/started", facts)

    def note_exit(self, run_id: str, folder: str, status: ExitStatus) -> None:
        """Write `exit` of the run whose directory is `folder`."""
        if not self._write(f"{folder}/exit", encode_status(status) | {"wall_s": time.time()}):
            self.ended[run_id] = status

    def retry(self) -> None:
        """Write what could not be written before."""
        for path, facts in list(self._unwritten.items()):
            if self._write(path, facts):
                self.ended.pop(os.path.basename(os.path.dirname(path)), None)

    def _write(self, path: str, facts: Message) -> bool:
        """Write a file whole or not at all; False: it could not be written, and `retry` will try again."""
        self._unwritten.pop(path, None)
        try:
            atomic_write(path, json.dumps(facts).encode("ascii"))
        except FileNotFoundError:
            return True  # the run directory was removed: nobody will read it
        except OSError:
            self._unwritten[path] = facts
            return False
        return True


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8", errors="replace") as file:
        return file.readline().strip()
