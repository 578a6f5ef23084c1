"""One call of a method that works on the workspace, as the function that carries it out sees it.

Such a function is plain and blocking: a thread of the worker calls it with the request and a `Job`, as the user, with
the environment of commands. It registers itself in `UNARY`, or in `STREAM` if it yields responses.

A large answer asks for room first (`reserve`), since one is built at a time. If there is none yet, the function is left
and called again later, so it must not have changed anything by then.

Cancellation: `check` raises, processes that the job has started are killed with their groups, and what else may block
is woken by `on_cancel`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from supervisor.workspace.ops_error import Cancelled
from supervisor.workspace.worker_protocol import LARGE_BYTES


class NoRoomYet(BaseException):
    """Another large answer is being built or sent: the worker calls the function again later."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended that a job has run."""

    status: int
    """The exit status, negative for a signal."""
    stdout: bytes
    stderr: bytes


class Job:
    """One call that is being worked on.

    Attributes:
        workspace: the absolute path of the workspace folder.
        cancelled: is set once nobody waits for the result any more.
        has_room: whether its answer may be large.
    """

    def __init__(self, workspace: str, has_room: bool = True) -> None:
        self.workspace = workspace
        self.has_room = has_room
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        self._processes: set[int] = set()
        self._callbacks: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raise Cancelled if nobody waits any more. Call it in loops."""
        if self.cancelled.is_set():
            raise Cancelled

    def reserve(self, size_bytes: int) -> None:
        """Ask for room for an answer of this size, before it is built. Raises NoRoomYet, for the worker."""
        if size_bytes > LARGE_BYTES and not self.has_room:
            raise NoRoomYet

    def cancel(self) -> None:
        """End the work. Any thread may call this, also several times."""
        with self._lock:
            first = not self.cancelled.is_set()
            self.cancelled.set()
            for pid in self._processes:  # none of them is reaped without the lock
                _kill_group(pid)
        for callback in self._callbacks if first else ():
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call this on cancellation, from another thread; at once if it has come."""
        with self._lock:
            late = self.cancelled.is_set()
            if not late:
                self._callbacks.append(callback)
        if late:
            callback()

    def run(
        self,
        argv: Sequence[str | bytes],
        *,
        cwd: str | bytes | None = None,
        stdin: bytes = b"",
        environ: Mapping[str, str | None] | None = None,
    ) -> Completed:
        """Run a program to its end. Raises Cancelled, OSError if it cannot be run.

        Args:
            argv: the program, looked up on PATH, and its arguments.
            cwd: the folder that it runs in; None: the workspace.
            stdin: what it reads.
            environ: variables beside those of commands; None takes one away.
        """
        with _in_memory(stdin) as given, _in_memory() as complaints:
            with self.process(argv, cwd=cwd, stdin=given, stderr=complaints, environ=environ) as process:
                assert process.stdout is not None
                output = process.stdout.read()
                self._await_end(process.pid)
            self.check()
            complaints.seek(0)
            return Completed(process.returncode, output, complaints.read())

    @contextmanager
    def process(
        self,
        argv: Sequence[str | bytes],
        *,
        cwd: str | bytes | None = None,
        stdin: IO[Any] | int = subprocess.DEVNULL,
        stderr: IO[Any] | int = subprocess.DEVNULL,
        environ: Mapping[str, str | None] | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A program whose standard output is a pipe, in a process group of its own, which is killed on the way out.

        Do not wait for it nor poll it inside: `returncode` is there afterwards. Raises Cancelled, OSError.
        """
        with self._lock:
            self.check()
            process = subprocess.Popen(
                argv,
                cwd=self.workspace if cwd is None else cwd,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=None if environ is None else _merged(environ),
                process_group=0,
            )
            self._processes.add(process.pid)
        try:
            yield process
        finally:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(OSError):  # what was not flushed is not wanted
                        pipe.close()
            with self._lock:
                self._processes.discard(process.pid)
                _kill_group(process.pid)
            process.wait()

    @staticmethod
    def _await_end(pid: int) -> None:
        """Wait until a child has ended, and leave its status, so that its number stays its own."""
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


UNARY: dict[str, tuple[type[Any], Callable[[Any, Job], Any]]] = {}
"""`{method: (request class, function)}`: the function returns the response. Raises OpsError, Cancelled, OSError."""
STREAM: dict[str, tuple[type[Any], Callable[[Any, Job], Iterator[Any]]]] = {}
"""`{method: (request class, function)}`: the function yields responses until it is cancelled."""


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # it may be a program that changes its user
        os.killpg(pid, signal.SIGKILL)


def _merged(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment of commands with these changes."""
    return {name: value for name, value in {**os.environ, **changes}.items() if value is not None}


@contextmanager
def _in_memory(data: bytes = b"") -> Iterator[IO[bytes]]:
    """A file in memory, at its beginning. Unlike a pipe it never makes a program wait."""
    with os.fdopen(os.memfd_create("workspace-job"), "r+b") as file:
        file.write(data)
        file.seek(0)
        yield file
