"""The key that signs tokens: a file that only our user can read, made if there is none.

To remove or replace the file revokes every token: one stat(2) looks at it whenever a token is made or checked. The file
is 0600; its directory must not let others replace it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

KEY_BYTES = 32
_Identity = tuple[int, int, int, int] | None
"""What changes when the file does: device, inode, size, time of change; None: there is no file."""
_FLAGS = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


class SigningKey:
    """The key in a file, as it is by now."""

    def __init__(self, path: Path) -> None:
        """Read the key, or make it. Raises OSError."""
        self._path = path
        self.value = _read(path) or _make(path)
        self._seen = _identity(path)

    def renew(self) -> bool:
        """Look at the file, and read it again, or make another, if it has changed. Returns whether the key changed."""
        seen = _identity(self._path)
        if seen == self._seen:
            return False
        before = self.value
        try:
            self.value = _read(self._path) or _make(self._path)
            self._seen = _identity(self._path)
        except OSError:
            # A key in memory: tokens that the key before has signed are revoked all the same.
            self.value, self._seen = secrets.token_bytes(KEY_BYTES), seen
        return self.value != before


def _identity(path: Path) -> _Identity:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def _read(path: Path) -> bytes | None:
    """The key; None if there is no file, or the file is not ours alone or not a whole key: a new one replaces it."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if not is_ours or status.st_mode & 0o077:
            return None
        key = file.read(KEY_BYTES + 1)
    return key if len(key) == KEY_BYTES else None


def _make(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    aside = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        aside.unlink()
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600), "wb") as file:
        file.write(key)
    os.replace(aside, path)
    return key
