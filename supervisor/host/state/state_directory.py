"""The state directory: where a supervisor keeps what it knows about one workspace, and the lock that keeps others out.

<state directory>/     0700; 0710 if commands run as another user, who must reach the socket, scripts and outputs; below
                     folders that nobody else can exchange (`trust`)
lock                 held with flock(2) for as long as the supervisor lives; its text is the holder's pid. A name in the
                     kernel keeps others out where the directory is removed meanwhile (`exclusion`)
workspace            the workspace's path, for people
cwd                  the folder that the supervisor was started in: relative paths on its command line begin there
state.db             records
shim.sock, api.sock  sockets
runs/                one directory for each run
stacks               what the supervisor was doing when somebody sent it SIGQUIT
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from supervisor.host.state.exclusion import Exclusion
from supervisor.host.users.folder_trust import doubt, give_folder
from supervisor.lean.digest import sha256
from supervisor.lean.typing import TYPE_CHECKING, Self
from supervisor.model.errors import BadSettings, MachineError, StateInUse, SupervisorError
from supervisor.shim.regular_file import atomic_write, open_regular, read_regular
from supervisor.shim.unix_socket import MAX_PATH_BYTES

if TYPE_CHECKING:
    from supervisor.host.users.account import Account

_MAX_NAME = 32  # of the workspace's folder in ours: leaves room for the sockets
_SYSTEM_HOME = "/var/lib/supervisor"
_ELSEWHERE = "choose another state directory with --state-dir"


def default_path(workspace: str, environ: Mapping[str, str]) -> Path:
    """Where the state of a workspace is kept unless somebody says otherwise.

    One folder for each workspace, however it was reached: links are followed. Source: the XDG base directory
    specification, which also says that a relative XDG_STATE_HOME does not count.
    """
    return _state_home(environ) / _name(workspace)


def system_path(workspace: str) -> Path:
    """Where the state of a workspace is kept by root for another user, who could not reach a folder in root's home.

    Source: the Filesystem Hierarchy Standard, 5.8.
    """
    return Path(_SYSTEM_HOME, _name(workspace))


def _name(workspace: str) -> str:
    path = os.path.realpath(workspace)
    digest = sha256(os.fsencode(path)).hex()[:8]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(path))[:_MAX_NAME] or "root"
    return f"{name}-{digest}"


def _state_home(environ: Mapping[str, str]) -> Path:
    if os.path.isabs(home := environ.get("XDG_STATE_HOME", "")):
        return Path(home, "supervisor")
    for home in (environ.get("HOME", ""), _home_of_user()):
        if os.path.isabs(home) and os.path.isdir(home):
            return Path(home, ".local/state/supervisor")
    return _homeless()


def _home_of_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a container may run as a user that its image does not know
        return ""


def _homeless() -> Path:
    return Path(f"/tmp/supervisor-{os.geteuid()}")


class StateDir:
    """A state directory that this process holds. `close` lets go of it; so does the end of the process.

    `workspace` names what the state belongs to, `account` the user that commands run as, if that is another one.
    Raises StateInUse while another supervisor holds the directory, and MachineError where it cannot be made, written or
    trusted, or BadSettings if somebody else could exchange it, or something in it.
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
            # Not after an upgrade: what runs there already goes on.
            if lock is None:
                _check_way(self.path)
            if self.path.parent == _homeless():  # in a folder where anyone may have been first
                _make_own(self.path.parent)
            _make_own(self.path, parents=0o755 if account else 0o700)
            if lock is None:  # in a folder with the sticky bit somebody may have been first
                _check_way(self.path)
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
        """Make what belongs into the directory. Raises SupervisorError, OSError."""
        self._inode = _inode(self.path)
        _make_own(self.runs)
        _keep(self.path / "workspace", os.fsencode(os.path.realpath(self._workspace)) + b"\n")
        if self._account:
            self._open_to(self._account)

    def is_whole(self) -> bool:
        """Whether the directory and its lock are those that we hold, and its runs are in place. Raises OSError."""
        try:
            return (
                _inode(self.path) == self._inode
                and _is_still(self._lock, self.path / "lock")
                and stat.S_ISDIR(os.lstat(self.runs).st_mode)
            )
        except FileNotFoundError:
            return False

    def restore(self) -> None:
        """Make again what is missing, and hold what is there now. Raises StateInUse, SupervisorError, OSError."""
        self._exclusion.drain()
        _check_way(self.path)
        _make_own(self.path, parents=0o755 if self._account else 0o700)
        _check_way(self.path)
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
        """Let a user pass through to what is meant for that user. Raises MachineError, OSError."""
        for folder in (self.path, self.runs):
            give_folder(folder, 0o710, account.gid)
        from supervisor.host.users.impersonation import can_enter

        if not can_enter(account, self.runs):
            raise _refused(self.path, f'user "{account.name}" cannot reach it', _ELSEWHERE)

    @property
    def stacks(self) -> Path:
        """Where the supervisor writes what it is doing when somebody asks by SIGQUIT."""
        return self.path / "stacks"

    def keep(self) -> tuple[int, int | None]:
        """Descriptors that hold the lock and the name after `close` as well; of the name, if there is one."""
        return os.dup(self._lock), self._exclusion.keep()

    @property
    def stalls(self) -> Path:
        """Where the supervisor was when it stood still."""
        return self.path / "stalls"

    def note_cwd(self, folder: str) -> None:
        """Keep which folder the supervisor was started in; empty: not known. For a support bundle, so nothing waits."""
        self._cwd = folder
        try:
            _keep(self.path / "cwd", os.fsencode(folder) + b"\n")
        except OSError:
            pass  # the disk is full

    def close(self) -> None:
        """Let go of the directory. The lock file stays: to remove it would let two others in at once."""
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
    """Make a folder that is ours alone, or see that it is. Raises BadSettings, OSError.

    `parents`: the mode of folders above it that are not there.
    """
    for folder in (*reversed(path.parents), path):
        mode = 0o700 if folder == path else parents
        try:
            os.mkdir(folder, mode)
            give_folder(folder, mode)  # whatever the umask
        except FileExistsError:
            continue
        except OSError:
            # An automounter, or a parent that may be passed but not written: what counts is whether it is there.
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


def _check_way(path: Path) -> None:
    """See that nobody else can exchange a folder on the way. Raises BadSettings, OSError."""
    found = doubt(path.parent)
    if found is not None:
        whose = "folders that are root's" if os.geteuid() == 0 else "folders that are root's or yours"
        raise _distrusted(
            path,
            f"{found.path} {found.why}, who could put something else in its place",
            f"choose one below {whose} with --state-dir, where only root or you may write",
        )


def _locked(path: Path) -> int:
    """A descriptor that holds the lock. Raises StateInUse, OSError."""
    while True:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_still(fd, path):  # removed or replaced between open and flock
                os.close(fd)
                continue
            _tell_holder(fd)
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


def _tell_holder(fd: int) -> None:
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except OSError:
        pass  # the disk is full: what runs can be taken over all the same, and the text is for people


def _is_still(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _keep(path: Path, data: bytes) -> None:
    """Have a file hold this. One that does is left alone: the disk may be full, and what is there is enough."""
    try:
        if read_regular(path, len(data) + 1) == data:
            return
    except OSError:
        pass  # not there yet, or not readable: it is replaced
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
