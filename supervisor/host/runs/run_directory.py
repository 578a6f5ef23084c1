"""A run's directory: the facts of one run on disk.

    runs/<run id>/
      script.sh   the command, as it was run (the file's name shows in the shell's error messages)
      log         stdout and stderr, in the order written
      fifo        the FIFO that the shim pumps into `log`; gone once nobody can write into it any more
      started     JSON, written by the shim once the process exists: {"pid", "start_ticks", "boot_id", "shim_pid",
                  "cgroup", "log_inode"}
      exit        JSON, written by the shim once the process ended: {"code"} or {"signal"}, and {"wall_s"}
      container   empty; there if the command runs in a container, which outlives the client that started it
      gitpod-service-start-REFERENCE.output or gitpod-task-REFERENCE.output: the GITPOD_OUTPUT file

`started` and `exit` appear whole (written aside, then renamed). Without `started` the run was wanted, but the
supervisor or the shim died before it began. With `started` and no `exit` it lives, or it ended while no shim was there
to see it.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from pathlib import Path

from supervisor.host.users.folder_trust import give_folder
from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.action import RunKind
from supervisor.model.exit import Exit, ExitCode, ExitSignal
from supervisor.shim.regular_file import atomic_write, open_regular, read_regular

if TYPE_CHECKING:
    from supervisor.host.users.account import Account

_PIECE_BYTES = 4096
"""So much is written into a FIFO as a whole: PIPE_BUF of pipe(7)."""
NOTED_S = 0.05
"""How long to wait for a note that is to be in the log when its run is over."""
_PAUSE_S = 0.001
_FACTS_BYTES = 64 * 1024
"""How long a file of facts may be."""


@dataclass(frozen=True, slots=True)
class StartedFacts:
    """What the shim saw when the process began. `start_ticks` and `boot_id` tell it from a later process with its pid.

    `cgroup`: the folder of the control group that it began in; empty: it has none of its own.
    """

    pid: int
    start_ticks: int
    boot_id: str
    shim_pid: int
    cgroup: str = ""
    log_inode: int = 0
    """Of the log's file; 0: the shim was too old to write it."""


def output_name(kind: RunKind, reference: str) -> str:
    """The name of the GITPOD_OUTPUT file; programs in the field look for the service form."""
    return (
        f"gitpod-task-{reference}.output"
        if kind is RunKind.TASK
        else f"gitpod-service-start-{reference}.output"
    )


class RunDir:
    """The paths and facts of one run. Making the object touches nothing."""

    __slots__ = ("path", "run_id")

    def __init__(self, runs: Path, run_id: str) -> None:
        """`runs` is the folder that holds all run directories."""
        self.run_id = run_id
        self.path = os.path.join(runs, run_id)

    @property
    def script(self) -> str:
        """The path of the command's script."""
        return f"{self.path}/script.sh"

    @property
    def log(self) -> str:
        """The path of the log."""
        return f"{self.path}/log"

    @property
    def fifo(self) -> str:
        """The path of the FIFO that is pumped into the log; it is there while some process may write into it."""
        return f"{self.path}/fifo"

    def output(self, kind: RunKind, reference: str) -> str:
        """The path of the GITPOD_OUTPUT file."""
        return f"{self.path}/{output_name(kind, reference)}"

    @property
    def in_container(self) -> bool:
        """Whether the command runs in a container."""
        return os.path.exists(f"{self.path}/container")

    def create(self, script: str, in_container: bool = False) -> None:
        """Make the directory and write the script. Raises OSError."""
        os.mkdir(self.path, 0o700)
        _write(self.script, script.encode("utf-8", "surrogateescape"))
        if in_container:
            _write(f"{self.path}/container", b"")

    def open_to(self, account: Account, output: str) -> None:
        """Let the user that commands run as reach the script and write the output file. Raises OSError.

        The directory and its facts stay ours, so that no command can change them. That is why the output file is made
        here: nothing else can be put in its place, such as a link to a file of ours.
        """
        give_folder(self.path, 0o710, account.gid)
        # The script belongs to the user, not to the user's first group, which others may share: "users", for example.
        for path, mode in ((self.script, 0o400), (output, 0o600)):
            _give(path, mode, account)

    def restore(self, facts: StartedFacts, account: Account | None, output: str | None) -> None:
        """Make again what is missing of a live run's directory, its `started` and output file. Raises OSError."""
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            pass
        if account:
            give_folder(self.path, 0o710, account.gid)
            if output:
                _give(output, 0o600, account)
        if not os.path.lexists(f"{self.path}/started"):
            names = ("pid", "start_ticks", "boot_id", "shim_pid", "cgroup", "log_inode")
            text = json.dumps({name: getattr(facts, name) for name in names})
            atomic_write(f"{self.path}/started", text.encode("ascii"))

    def remove(self) -> None:
        """Remove the directory and all that is in it, as far as that is possible."""
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                for name in os.listdir(folder):
                    try:
                        os.unlink(name, dir_fd=folder)
                    except FileNotFoundError:
                        pass  # the shim removes a FIFO once nobody can write into it
            finally:
                os.close(folder)
            os.rmdir(self.path)
        except FileNotFoundError:
            pass
        except NotADirectoryError:
            os.unlink(self.path)  # a link that a command put there: what it leads to is not ours
        except OSError:
            # It holds a folder of the command's, or a file that appeared meanwhile: the shim reports an exit before it
            # writes it down. Imported here, as it is slow to load.
            import shutil

            for _ in range(3):
                shutil.rmtree(self.path, ignore_errors=True)
                if not os.path.exists(self.path):
                    return

    def started(self) -> StartedFacts | None:
        """What the shim wrote when the process began; None if it wrote nothing."""
        match self._read("started"):
            case {
                "pid": int(pid),
                "start_ticks": int(ticks),
                "boot_id": str(boot_id),
                "shim_pid": int(shim_pid),
                **more,
            }:
                inode = more.get("log_inode")
                return StartedFacts(
                    pid,
                    ticks,
                    boot_id,
                    shim_pid,
                    str(more.get("cgroup", "")),
                    inode if isinstance(inode, int) else 0,
                )
            case _:
                return None

    def exit(self) -> Exit | None:
        """How the process ended; None if that is not known (yet)."""
        return self.ended()[0]

    def ended(self) -> tuple[Exit | None, float | None]:
        """How the process ended, and when, on the wall clock; None for what is not known (yet)."""
        # The shim may have been killed before it could rename the file. An incomplete one cannot be parsed.
        facts = self._read("exit") or self._read("exit.new") or {}
        at_s = facts.get("wall_s")
        ended_s = float(at_s) if isinstance(at_s, int | float) else None
        match facts:
            case {"code": int(code)}:
                return ExitCode(code), ended_s
            case {"signal": int(number)}:
                return ExitSignal(number), ended_s
            case _:
                return None, ended_s

    def began_s(self) -> float | None:
        """When the process began, on the wall clock; None: nothing says so (yet)."""
        try:
            return os.stat(f"{self.path}/started", follow_symlinks=False).st_mtime
        except OSError:
            return None

    def note(self, text: str, wait_s: float = 0.0) -> bool:
        """Append lines of the supervisor's own to the log; without effect where that fails.

        `wait_s`: how long to wait at most until they are in the log.
        While its output is pumped, they go the way of the output: the pump alone writes into the log then. False: the
        FIFO is full, or somebody removed it, and the lines are to be noted again in a moment.
        """
        lines = "".join(f"supervisor: {line}\n" for line in text.splitlines())
        try:
            if self._sent(lines, wait_s):
                return True
        except BlockingIOError:
            return False
        try:
            fd = open_regular(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                if os.fstat(fd).st_nlink != 1:
                    return True  # a command put another file there, which has a name elsewhere
                # The pump, if there is one, has the lock, and would overwrite the lines.
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.write(fd, lines.encode("utf-8", "replace"))
            finally:
                os.close(fd)
        except BlockingIOError:
            return False
        except OSError:
            pass  # the disk is full: the command's own lines are lost as well
        return True

    def _sent(self, lines: str, wait_s: float) -> bool:
        """Write into the FIFO, in one piece; False: there is none, or nobody reads it. Raises BlockingIOError."""
        try:
            fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            if not stat.S_ISFIFO(os.fstat(fd).st_mode):
                return True  # something that the command put there
            os.write(fd, _last_piece(lines.encode("utf-8", "replace")))
            if wait_s:
                _wait_until_empty(fd, wait_s)
            return True
        except BlockingIOError:
            raise
        except OSError:
            return False
        finally:
            os.close(fd)

    def _read(self, name: str) -> dict[str, int | str] | None:
        try:
            facts = json.loads(read_regular(f"{self.path}/{name}", _FACTS_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        return facts if isinstance(facts, dict) else None


def _last_piece(lines: bytes) -> bytes:
    """The last lines, as many as can be written as a whole: the last one says most."""
    if len(lines) <= _PIECE_BYTES:
        return lines
    _, _, rest = lines[-_PIECE_BYTES:].partition(b"\n")
    return rest or lines.splitlines(keepends=True)[-1][: _PIECE_BYTES - 1] + b"\n"


def _give(path: str, mode: int, account: Account) -> None:
    """Give a file to a user; it is made if it is missing. Raises OSError."""
    fd = open_regular(path, os.O_RDONLY | os.O_CREAT)
    try:
        os.fchown(fd, account.uid, account.gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def _wait_until_empty(fifo: int, longest_s: float) -> None:
    # Not at the top: nothing is noted before the first command.
    from supervisor.shim.descriptors import unread_bytes

    until = time.monotonic() + longest_s
    while time.monotonic() < until and unread_bytes(fifo):
        time.sleep(_PAUSE_S)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)
