"""The key that tokens are signed with: a file that only our user can read, made if there is none.

Whoever can read the key can do what the supervisor can anyway: the file is 0600 in a directory that is 0700. To remove
or replace it takes back every token: it is looked at (one stat) whenever a token is made or checked.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from supervisor.model.errors import MachineError
from supervisor.shim.regular_file import Replaced, atomic_write, open_regular

KEY_BYTES = 32
_Look = tuple[int, int, int, int] | None
"""What changes when the file does: device, inode, size, time of change; None: it is not there."""


class SigningKey:
    """A key that a file keeps, as it is by now."""

    def __init__(self, path: Path) -> None:
        """Read it, or make it. Raises MachineError."""
        self._path = path
        try:
            self.value = _read(path) or _make(path)
            self._seen = _look(path)
        except OSError as error:
            raise MachineError(f"cannot keep the key of tokens in {path}: {error.strerror}") from error

    def renew(self) -> bool:
        """Look at the file, and read it anew or make another if it has changed. Returns whether the key has."""
        seen = _look(self._path)
        if seen == self._seen:
            return False
        before = self.value
        try:
            self.value = _read(self._path) or _make(self._path)
            self._seen = _look(self._path)
        except OSError:
            # It cannot be kept, and what was signed with the one before is taken back all the same.
            self.value, self._seen = secrets.token_bytes(KEY_BYTES), seen
        return self.value != before


def _look(path: Path) -> _Look:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def _read(path: Path) -> bytes | None:
    """The key; None if there is none, or none that is still secret and whole."""
    try:
        fd = open_regular(path, os.O_RDONLY)
    except (FileNotFoundError, Replaced):
        return None  # a link, say, which the new key takes the place of
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            return None
        key = file.read(KEY_BYTES + 1)
    return key if len(key) == KEY_BYTES else None


def _make(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    atomic_write(path, key)
    return key
