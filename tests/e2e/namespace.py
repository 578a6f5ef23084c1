"""Processes in a PID namespace of their own, whose pid 1 is the supervisor, as in a container."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.e2e.harness import Program, until

UNSHARE = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")


def unshare() -> tuple[str, ...] | None:
    """Words that start a program as pid 1 of a new namespace; None: this machine lets us make none."""
    as_user = ("--user", "--map-root-user") if os.geteuid() else ()
    words = (UNSHARE[0], *as_user, *UNSHARE[1:])
    if (
        not shutil.which("unshare")
        or subprocess.run([*words, "true"], capture_output=True, check=False).returncode
    ):
        return None
    return words


def children(pid: int) -> list[int]:
    """The child processes of the main thread of a process, zombies included, the eldest first."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Namespace:
    """The namespace of a program that `unshare` has started. Pids are those of the outside."""

    def __init__(self, program: Program) -> None:
        """Wait until its pid 1 has a supervisor."""
        self.pid1 = until(lambda: children(program.pid), "the first process")[0]
        self.supervisor()

    def supervisor(self) -> int:
        """The pid of the supervisor below pid 1; waits until there is one."""
        return until(lambda: children(self.pid1), "the supervisor")[0]

    def zombies(self) -> list[str]:
        """The names of all processes in the namespace that nobody has waited for, as its own /proc tells."""
        found = []
        for stat in Path(f"/proc/{self.pid1}/root/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue  # gone by now
            if rest.split()[0] == "Z":
                found.append(name)
        return found

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program inside, as `docker exec` would."""
        inside = ["nsenter", f"--target={self.pid1}", "--pid", "--mount"]
        if os.geteuid():
            inside += ["--user", "--preserve-credentials"]
        return subprocess.run([*inside, *words], capture_output=True, text=True, check=False)
