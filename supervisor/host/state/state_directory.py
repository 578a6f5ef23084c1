"""The state directory: what a supervisor keeps about one workspace, and the lock that keeps other supervisors out.

<state directory>/   0700; 0710 if commands run as another user, who must reach the socket, scripts and outputs; below
                     folders that nobody else can exchange (`folder_trust`)
lock                 locked with flock(2) while the supervisor lives; its text is the holder's pid. A name in the kernel
                     keeps other supervisors out if the directory is removed (`exclusion`)
workspace            the workspace's path, for people
cwd                  the folder that the supervisor was started in: relative paths on its command line begin there
state.db             records
shim.sock, api.sock  sockets
runs/                one directory for each run
stacks               what the supervisor did when it got SIGQUIT
stalls               where the event loop stood still
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType

from supervisor.host.state.exclusion import Exclusion
from supervisor.host.state.state_path import home_in_tmp
from supervisor.host.users.folder_trust import doubt, give_folder
from supervisor.lean.typing import TYPE_CHECKING, Self
from supervisor.model.errors import BadSettings, MachineError, StateInUse, SupervisorError
from supervisor.shim.regular_file import atomic_write, open_regular, read_regular
from supervisor.shim.unix_socket import MAX_PATH_BYTES

if TYPE_CHECKING:
    from supervisor.host.users.account import Account

_ELSEWHERE = "choose another state directory with --state-dir"


class StateDir:
    """A state directory that this process holds, until `close` or the end of the process.

    `workspace` is the workspace that the state belongs to, `account` the user that commands run as, if that is another
    one. Raises StateInUse while another supervisor holds the directory, MachineError if it cannot be made or written,
    BadSettings if another user could exchange it or something in it.
    """

    __slots__ = ("_account", "_cwd", "_exclusion", "_inode", "_lock", "_workspace", "path")

    def __init__(
        self,
        path: str | os.PathLike[str],
        workspace: str,
        account: Account | None = None,
        lock: int | None = None,
        name: int | None = None,
    ) -> None:
        """`lock`, `name`: descriptors that hold them already."""
        self.path = Path(os.path.abspath(path))
        self._workspace, self._account = workspace, account
        self._cwd: str | None = None
        _check_length(self.api_socket)
        _check_length(self.shim_socket)
        try:
            # Not after an upgrade: a supervisor that already runs there goes on.
            if lock is None:
                _check_path(self.path)
            if self.path.parent == home_in_tmp():  # in /tmp, where another user may have made it first
                _make_own(self.path.parent)
            _make_own(self.path, parents=0o755 if account else 0o700)
            if lock is None:  # in a folder with the sticky bit another user may have made it first
                _check_path(self.path)
            self._lock = _locked(self.path / "lock") if lock is None else lock
            self._exclusion = Exclusion(self.path, name)
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            if lock is None and (other := self._exclusion.other()) is not None:
                raise _in_use(self.path, str(other))
            self._fill()
        except OSError as error:
            self.close()
            raise _unusable(self.path, error) from error
        except SupervisorError:
            self.close()
            raise

    def _fill(self) -> None:
        """Make the content of the directory. Raises SupervisorError, OSError."""
        self._inode = _inode(self.path)
        _make_own(self.runs)
        _keep(self.path / "workspace", os.fsencode(os.path.realpath(self._workspace)) + b"\n")
        if self._account:
            self._open_to(self._account)

    def is_whole(self) -> bool:
        """Whether the directory and its lock are still ours, and the folder of runs is there. Raises OSError."""
        try:
            return (
                _inode(self.path) == self._inode
                and _is_still(self._lock, self.path / "lock")
                and stat.S_ISDIR(os.lstat(self.runs).st_mode)
            )
        except FileNotFoundError:
            return False

    def restore(self) -> None:
        """Make what is missing again, and lock what is there now. Raises StateInUse, SupervisorError, OSError."""
        self._exclusion.drain()
        _check_path(self.path)
        _make_own(self.path, parents=0o755 if self._account else 0o700)
        _check_path(self.path)
        if not _is_still(self._lock, self.path / "lock"):
            lock = _locked(self.path / "lock")
            os.close(self._lock)
            self._lock = lock
        self._fill()
        if self._cwd is not None:
            self.note_cwd(self._cwd)

    @property
    def runs(self) -> Path:
        """The folder of all run directories."""
        return self.path / "runs"

    @property
    def database(self) -> Path:
        """The file of the records."""
        return self.path / "state.db"

    @property
    def shim_socket(self) -> Path:
        """Where the shim listens."""
        return self.path / "shim.sock"

    @property
    def api_socket(self) -> Path:
        """Where the supervisor listens."""
        return self.path / "api.sock"

    def _open_to(self, account: Account) -> None:
        """Let a user pass through to its socket, scripts and outputs. Raises MachineError, OSError."""
        for folder in (self.path, self.runs):
            give_folder(folder, 0o710, account.gid)
        from supervisor.host.users.impersonation import can_enter

        if not can_enter(account, self.runs):
            raise _refused(self.path, f'user "{account.name}" cannot reach it', _ELSEWHERE)

    @property
    def stacks(self) -> Path:
        """The file for stacks on SIGQUIT."""
        return self.path / "stacks"

    def keep(self) -> tuple[int, int | None]:
        """Descriptors that still hold the lock and the name after `close`; None: there is no name."""
        return os.dup(self._lock), self._exclusion.keep()

    @property
    def stalls(self) -> Path:
        """The file for stacks of a stalled event loop."""
        return self.path / "stalls"

    def note_cwd(self, folder: str) -> None:
        """Write down which folder the supervisor was started in; empty: not known. Only a support bundle reads it."""
        self._cwd = folder
        try:
            _keep(self.path / "cwd", os.fsencode(folder) + b"\n")
        except OSError:
            pass  # the disk is full

    def close(self) -> None:
        """Release the directory. The lock file stays: if it were removed, two supervisors could each lock one."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            self._exclusion.close()
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _make_own(path: Path, parents: int = 0o700) -> None:
    """Make a folder of ours, or check that it is ours alone. Raises BadSettings, OSError.

    `parents`: the mode of new folders above it.
    """
    for folder in (*reversed(path.parents), path):
        mode = 0o700 if folder == path else parents
        try:
            os.mkdir(folder, mode)
            give_folder(folder, mode)  # whatever the umask
        except FileExistsError:
            continue
        except OSError:
            # An automounter, or a parent that we may pass but not write: it only matters whether the folder exists.
            if not folder.is_dir():
                raise
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a folder"
        raise _distrusted(path, f"it is {kind}", _ELSEWHERE)
    if status.st_uid != os.geteuid():
        raise _distrusted(path, f"it belongs to user {status.st_uid}", _ELSEWHERE)
    if status.st_mode & 0o022:
        raise _distrusted(path, "other users may write there", f"chmod 700 {path}, if what it holds is yours")


def _check_path(path: Path) -> None:
    """Check that nobody else can exchange a folder on the path. Raises BadSettings, OSError."""
    found = doubt(path.parent)
    if found is not None:
        whose = "folders that are root's" if os.geteuid() == 0 else "folders that are root's or yours"
        raise _distrusted(
            path,
            f"{found.path} {found.why}, who could put something else in its place",
            f"choose one below {whose} with --state-dir, where only root or you may write",
        )


def _locked(path: Path) -> int:
    """Lock the file. Returns the descriptor that holds the lock. Raises StateInUse, OSError."""
    while True:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_still(fd, path):  # removed or replaced between open and flock
                os.close(fd)
                continue
            _write_holder(fd)
            return fd
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).strip().decode("ascii", "replace")
            os.close(fd)
            raise _in_use(path.parent, holder) from None
        except BaseException:
            os.close(fd)
            raise


def _in_use(path: Path, holder: str) -> StateInUse:
    who, stop = f" (pid {holder})", f"kill {holder}"
    if not holder.isdecimal() or holder == "0":
        who, stop = "", "Ctrl-C where it runs"
    return StateInUse(
        f"cannot use the state directory {path}: another supervisor{who} uses it; end it ({stop}), or {_ELSEWHERE}"
    )


def _inode(path: Path) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _write_holder(fd: int) -> None:
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except OSError:
        pass  # the disk is full; the lock holds all the same, and the text is for people


def _is_still(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _keep(path: Path, data: bytes) -> None:
    """Make a file hold this. A file that already does is left alone: on a full disk it could not be written again."""
    try:
        if read_regular(path, len(data) + 1) == data:
            return
    except OSError:
        pass  # it does not exist, or cannot be read: replace it
    atomic_write(path, data)


def _check_length(socket: Path) -> None:
    too_long = len(os.fsencode(socket)) - MAX_PATH_BYTES
    if too_long > 0:
        raise _refused(socket.parent, f"its path is {too_long} bytes too long for a socket in it", _ELSEWHERE)


def _unusable(path: Path, error: OSError) -> MachineError:
    where = f"{error.filename}: " if error.filename and str(error.filename) != str(path) else ""
    return _refused(path, f"{where}{error.strerror}", _ELSEWHERE)


def _refused(path: Path, why: str, what_to_do: str) -> MachineError:
    return MachineError(f"cannot use the state directory {path}: {why}; {what_to_do}")


def _distrusted(path: Path, why: str, what_to_do: str) -> BadSettings:
    return BadSettings([str(_refused(path, why, what_to_do))])
