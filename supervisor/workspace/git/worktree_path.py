"""Paths of the working tree: what clients may name, and what lies there."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator

from supervisor.workspace.names import located, spellings, text
from supervisor.workspace.ops_error import OpsError, refused


def candidates(path: str, top: bytes) -> list[bytes]:
    """What a path from a client can mean, relative to the top folder, the likeliest first.

    There is more than one only if it holds characters that may stand for bytes. Raises OpsError if it leads elsewhere.
    """
    plain = posixpath.normpath(path) if path else ""
    if not path or path.startswith("/") or plain in (".", "..") or plain.startswith("../"):
        why = "git's paths are relative to the top folder of the repository and stay in it"
        raise OpsError("invalid_argument", f"cannot use the path {path!r}: {why}")
    both = spellings(plain)
    if len(both) == 1:
        return list(both)
    here = located(plain, os.fsdecode(top)).removeprefix(top.rstrip(b"/") + b"/")
    return list(dict.fromkeys([here, *both]))


def status_of(top: bytes, path: bytes) -> os.stat_result | None:
    """What lies there in the working tree itself, not below a link; None if nothing does.

    Raises OpsError where the kernel refuses to tell.
    """
    if any(part.lower() == b".git" for part in path.split(b"/")):
        return None
    for folder in _folders(path):
        found = _lstat(os.path.join(top, folder))
        if found is None or not stat.S_ISDIR(found.st_mode):
            return None
    return _lstat(os.path.join(top, path))


def is_elsewhere(top: bytes, path: bytes) -> bool:
    """Whether a path lies in another repository below the top folder, a submodule, say."""
    return any(_lstat(os.path.join(top, folder, b".git")) is not None for folder in _folders(path))


def _folders(path: bytes) -> Iterator[bytes]:
    """The folders that a path leads through, from the top."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)


def _lstat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # so nothing can be there
            return None
        raise refused(f"look at {text(path)!r}", error) from None
