"""What a test left behind: processes, file descriptors, threads.

Read from /proc, because it also knows what Python does not: the descriptors and threads of native code (a file
watcher), and grandchildren whose parent is gone. Those are found by a marker in their environment, which every process
that a test starts inherits. Two snapshots cost well under a millisecond together.
"""

import gc
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARKER = "SUPERVISOR_TEST_SESSION"

# How long something may take to go away after a test: a worker thread told to end, an orphan that was killed.
GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What existed at one moment. Of processes all of the machine's, since reading whose they are costs more."""

    processes: frozenset[str]
    descriptors: frozenset[tuple[str, str]]  # (number, what it leads to)
    threads: frozenset[str]


def snapshot() -> Snapshot:
    return Snapshot(
        processes=frozenset(name for name in os.listdir("/proc") if name.isdigit()),
        descriptors=frozenset(descriptors()),
        threads=frozenset(os.listdir("/proc/self/task")),
    )


def mark_session() -> None:
    """Marks this process's environment, for all the processes that tests will start."""
    os.environ[MARKER] = uuid.uuid4().hex


def descriptors() -> Iterator[tuple[str, str]]:
    for number in os.listdir("/proc/self/fd"):
        try:
            yield number, os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the one that listed the folder


def leaks(before: Snapshot) -> list[str]:
    """A sentence part for each thing that is new since the snapshot and does not go away within the grace period."""
    found = new_things(before)
    deadline = time.monotonic() + GRACE_S
    while found and time.monotonic() < deadline:
        gc.collect()  # a closed loop or a file in a reference cycle is garbage, not a leak
        time.sleep(0.005)
        found = new_things(before)
    return found


def new_things(before: Snapshot) -> list[str]:
    after = snapshot()
    names = {str(thread.native_id): thread.name for thread in threading.enumerate()}
    return [
        *(f"process {pid} ({command(pid)})" for pid in started_by_us(after.processes - before.processes)),
        *(f"descriptor {fd} ({to})" for fd, to in sorted(after.descriptors - before.descriptors)),
        *(f"thread {tid} ({names.get(tid, 'native')})" for tid in sorted(after.threads - before.threads)),
    ]


def end_processes(before: Snapshot) -> None:
    """Ends what a test left running, so that the next one meets a clean machine."""
    for pid in started_by_us(snapshot().processes - before.processes):
        try:
            os.kill(int(pid), signal.SIGKILL)
            os.waitpid(int(pid), 0)
        except (ProcessLookupError, ChildProcessError):
            continue  # gone by itself, or not our own child and so not ours to reap


def started_by_us(pids: frozenset[str]) -> list[str]:
    """Those that are children of this process, zombies included, or carry its marker."""
    marker = f"{MARKER}={os.environ[MARKER]}".encode()
    return sorted(pid for pid in pids if parent(pid) == os.getpid() or marker in environment(pid))


def parent(pid: str) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The command, in parentheses, may itself hold blanks and parentheses: proc_pid_stat(5).
    return int(stat.rpartition(b")")[2].split()[1])


def environment(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def command(pid: str) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return "gone by now"
    return b" ".join(words).decode(errors="replace") or "ended, not waited for"
