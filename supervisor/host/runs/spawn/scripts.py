"""The scripts that shells run from a file: one file for each text, whichever runs it and how often.

    scripts/
      key            32 random bytes
      <digest>.sh    the text; 0400, the user's own where commands run as another user

A file is made when its text is first run, and looked at before each later run: a command may have changed or removed
it. What an earlier supervisor left is compared with the text once. A file is never changed, but replaced: a shell reads
its script bit by bit while it runs.

The name shows in the list of processes, for everybody. So the digest is keyed: nobody can find out by it whether a
guess at the text is right. The user that commands run as reaches its files by their names, and cannot list the folder.

Files of texts that no live run was started with are removed at a supervisor's start, and one by one when there are too
many: clients of the API may make any number of tasks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from supervisor.host.runs.run import Run
from supervisor.host.runs.spawn.command_line import reason
from supervisor.host.users.account import Account
from supervisor.host.users.folder_trust import give_folder
from supervisor.lean.digest import sha256
from supervisor.lean.late import anyio
from supervisor.model.errors import MachineError
from supervisor.shim.regular_file import atomic_write, make_regular, open_regular, read_regular

_MOST = 500
"""How many files to keep at most, beside those of live runs."""
_KEY_BYTES = 32
_AT_ONCE = 20
"""So many files are removed in one turn of the event loop."""

_Stamp = tuple[int, int, int]
"""Of a file as we left it: inode, size, and the time of its last change, also of its mode or owner (ctime)."""


class Scripts:
    """The files of a state directory. Used on one thread."""

    def __init__(
        self,
        state: str | os.PathLike[str],
        account: Account | None,
        runs: Mapping[str, Run],
        probed: Mapping[str, str],
    ) -> None:
        """`state`: the state directory; `account`: the user that commands run as, None: ours; `runs`: the live ones;
        `probed`: the texts of probes that are not over.
        """
        self._folder = os.path.join(state, "scripts")
        self._account = account
        self._runs = runs
        self._probed = probed
        self._key = b""
        self._stamps: dict[str, _Stamp] = {}
        """`{name: its file as we left it}`, the one that was not asked for for the longest time first."""

    def path(self, text: str) -> str:
        """The path of a file that holds this text; it is made if it is missing. Raises MachineError."""
        path = self._folder
        try:
            self._key = self._key or self._read_key()
            name = self._name(text)
            path = f"{self._folder}/{name}"
            stamp = self._stamps.pop(name, None)
            if stamp is None or stamp != _stamp_of(path):
                data = _bytes(text)
                stamp = self._left(path, data) or self._write(path, data)
        except OSError as error:
            raise MachineError(f"cannot write the script {path}: {reason(error.errno)}") from error
        self._stamps[name] = stamp
        if len(self._stamps) > _MOST:
            self._drop_oldest()
        return path

    async def tidy(self) -> None:
        """Remove the files that an earlier supervisor left and nothing needs."""
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith((".sh", ".new"))]
            self._key = self._key or self._read_key()
        except OSError:
            return  # there are none, or the disk is full
        for first in range(0, len(names), _AT_ONCE):
            await anyio.sleep(0)
            used = self._used()
            for name in names[first : first + _AT_ONCE]:
                if name not in self._stamps and name not in used:
                    _unlink(f"{self._folder}/{name}")

    def _drop_oldest(self) -> None:
        used = self._used()
        for name in self._stamps:
            if name not in used and name != next(reversed(self._stamps)):
                del self._stamps[name]
                _unlink(f"{self._folder}/{name}")
                return

    def _used(self) -> set[str]:
        """The names for the texts of live runs, whether these run from a file or not."""
        texts = {run.script for run in self._runs.values()} | set(self._probed.values())
        return {self._name(text) for text in texts}

    def _name(self, text: str) -> str:
        return f"{sha256(self._key + _bytes(text)).hex()[:24]}.sh"

    def _read_key(self) -> bytes:
        path = f"{self._folder}/key"
        try:
            if len(key := read_regular(path, _KEY_BYTES)) == _KEY_BYTES:
                return key
        except OSError:
            pass  # there is none, or none that could be used
        self._make_folder()
        key = os.urandom(_KEY_BYTES)
        atomic_write(path, key)
        return key

    def _make_folder(self) -> None:
        try:
            os.mkdir(self._folder, 0o700)
        except FileExistsError:
            return
        if self._account:
            give_folder(self._folder, 0o710, self._account.gid)
        if self._key:  # somebody removed the folder
            atomic_write(f"{self._folder}/key", self._key)

    def _left(self, path: str, data: bytes) -> _Stamp | None:
        """The stamp of what stands there, if that is as we would write it."""
        try:
            fd = open_regular(path, os.O_RDONLY)
        except OSError:
            return None
        try:
            status = os.fstat(fd)
            owner = self._account.uid if self._account else os.geteuid()
            if stat.S_IMODE(status.st_mode) != 0o400 or status.st_uid != owner or status.st_size != len(data):
                return None
            with open(fd, "rb", closefd=False) as file:
                return _stamp(status) if file.read() == data else None
        finally:
            os.close(fd)

    def _write(self, path: str, data: bytes) -> _Stamp:
        """Make the file, or replace what stands there: somebody may be reading that."""
        self._make_folder()
        # What is new needs no other name first: nobody knows this one before it is whole.
        at = f"{path}.new" if os.path.lexists(path) else path
        fd = make_regular(at, 0o400)
        try:
            try:
                while data:
                    data = data[os.write(fd, data) :]
                if self._account:
                    os.fchown(fd, self._account.uid, self._account.gid)
                os.fchmod(fd, 0o400)  # whatever the umask
            finally:
                os.close(fd)
            if at != path:
                os.replace(at, path)
        except OSError:
            _unlink(at)
            raise
        return _stamp(os.lstat(path))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_size, status.st_ctime_ns


def _stamp_of(path: str) -> _Stamp | None:
    try:
        return _stamp(os.lstat(path))
    except OSError:
        return None


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
