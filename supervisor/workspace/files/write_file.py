"""WriteFile: creates a file, replaces its content, or adds to it.

Readers see the old or the new content, never a part: the content is written into a file without a name, which is then
put in place. Linux cannot put a nameless file in the place of another one; so it gets a name beside that one for the
moment between two system calls.

Some files are written in place, because another one in their stead would not be the same: those with several names, of
another owner, with attributes that cannot be copied, and where the folder or the filesystem does not let us. The room
that the content takes is claimed first, so that a full disk leaves the old content as it was.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from platform_wire.environmentopts_pb2 import (
    WRITE_MODE_APPEND,
    WRITE_MODE_CREATE,
    WRITE_MODE_CREATE_OR_TRUNCATE,
    WRITE_MODE_TRUNCATE,
    WRITE_MODE_UNSPECIFIED,
    WriteFileRequest,
    WriteFileResponse,
)
from supervisor.workspace.files.client_path import check_regular, named
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.ops_error import OpsError, refused

MOST_BYTES = 128 * 1024 * 1024
_MODES = (
    WRITE_MODE_UNSPECIFIED,
    WRITE_MODE_CREATE,
    WRITE_MODE_TRUNCATE,
    WRITE_MODE_CREATE_OR_TRUNCATE,
    WRITE_MODE_APPEND,
)
_CREATING = (WRITE_MODE_UNSPECIFIED, WRITE_MODE_CREATE, WRITE_MODE_CREATE_OR_TRUNCATE)
_NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
"""What open(2) says to O_TMPFILE where the filesystem, or the kernel, does not have it."""
_NOT_ASIDE = (*_NO_NAMELESS, errno.EACCES, errno.EPERM, errno.EROFS)
_NOT_IN_PLACE = (
    *(errno.EBUSY, errno.EXDEV),  # a mount point
    *(errno.EPERM, errno.EACCES),  # a sticky folder, and the file is not ours
    *(errno.EOPNOTSUPP, errno.EMLINK),  # the filesystem has no second names
)
"""What link(2) and rename(2) say where another file cannot take the place of the old one."""
_GET_FLAGS = 0x80086601
"""ioctl(2) FS_IOC_GETFLAGS: what chattr(1) sets."""
_OWN_FLAGS = 0x80000 | 0x10000000
"""Of those what the filesystem sets by itself: extents, data within the inode."""


def write_file(request: WriteFileRequest, job: Job) -> WriteFileResponse:
    """Write a file. Raises OpsError."""
    if request.mode not in _MODES:
        raise OpsError("invalid_argument", f"cannot write a file: there is no mode {request.mode}")
    where, what = named(request.path, job, "write"), f'write "{request.path}"'
    content = request.content
    if len(content) > MOST_BYTES:
        text = f"its content has {len(content)} bytes, of {MOST_BYTES} at most: send the rest by APPEND"
        raise OpsError("resource_exhausted", f"cannot {what}: {text}")
    try:
        _write(where, content, request.mode, what)
    except OSError as error:
        raise refused(what, error) from error
    return WriteFileResponse(bytes_written=len(content))


def _write(where: bytes, content: bytes, mode: int, what: str) -> None:
    if mode == WRITE_MODE_CREATE:
        _check_free(where)
    else:
        target = os.path.realpath(where) if os.path.islink(where) else where
        try:
            status = os.stat(where)
        except (FileNotFoundError, NotADirectoryError):
            if mode not in _CREATING:
                raise
        else:
            check_regular(status, what)
            return _change(target, content, is_append=mode == WRITE_MODE_APPEND, what=what)
        where = target
    if where.endswith((b"/", b"/.", b"/..")):
        raise OpsError("failed_precondition", f"cannot {what}: that names a folder")
    _make_folders(os.path.dirname(where), what)
    try:
        _create(where, content)
    except FileExistsError:
        if mode == WRITE_MODE_CREATE:
            raise
        _write(where, content, WRITE_MODE_TRUNCATE, what)  # somebody else was quicker


def _check_free(where: bytes) -> None:
    """Refuse a path at which something is, also a link that leads nowhere, before anything is made. Raises OSError."""
    try:
        os.lstat(where)
    except (FileNotFoundError, NotADirectoryError):
        return  # what is wrong with the folders shows when they are made
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _make_folders(above: bytes, what: str) -> None:
    missing = []
    while above and not os.path.isdir(above):  # os.makedirs calls itself for each: 1,000 are too many
        missing.append(above)
        above = os.path.dirname(above)
    try:
        for folder in reversed(missing):
            try:
                os.mkdir(folder)
            except FileExistsError:  # somebody else was quicker, or ".."
                if not os.path.isdir(folder):
                    raise
    except (FileExistsError, NotADirectoryError) as error:
        text = f"cannot {what}: something that is no folder is in the way of its folders"
        raise OpsError("failed_precondition", text) from error


def _create(where: bytes, content: bytes) -> None:
    """Make a new file. Raises FileExistsError, OSError; then nothing of it is left."""
    with _folder(where) as (folder, name):
        fd = _nameless(folder, 0o666)
        if fd is not None:
            try:
                _fill(fd, content)
                _link(fd, folder, name)
            finally:
                os.close(fd)
            return
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
        try:
            _fill(fd, content)
        except BaseException:
            os.unlink(name, dir_fd=folder)
            raise
        finally:
            os.close(fd)


def _change(where: bytes, content: bytes, is_append: bool, what: str) -> None:
    """Write into an existing file, which is no link. Raises OSError, OpsError."""
    # Whether its content may be changed is the file's own affair, also where it is replaced. A FIFO that has come in
    # its place is not waited for.
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
    while True:
        fd = os.open(where, flags | (os.O_APPEND if is_append else 0))
        try:
            status = os.fstat(fd)
            check_regular(status, what)
            with _writers.only_one(status):
                if _is_at(where, status):
                    if is_append:
                        _append(fd, content)
                    elif not _replace(where, fd, status, content):
                        _overwrite(fd, content)
                    _keep_mode(fd, status)
                    return
        except _Moved:
            pass
        finally:
            os.close(fd)
        # Somebody has put another file in its place meanwhile, ourselves perhaps: then that one is meant.


class _Moved(Exception):
    """Another file is in the place of the one that was opened."""


def _is_at(where: bytes, status: os.stat_result) -> bool:
    """Whether a path still leads to that file."""
    try:
        now = os.lstat(where)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (status.st_dev, status.st_ino)


def _keep_mode(fd: int, status: os.stat_result) -> None:
    """The kernel takes setuid and setgid away from a file that is written to."""
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_IMODE(os.fstat(fd).st_mode) != mode and status.st_uid == os.geteuid():
        os.fchmod(fd, mode)


class _Writers:
    """Has our own writers of one file write in place one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[int, int], tuple[threading.Lock, int]] = {}

    @contextmanager
    def only_one(self, status: os.stat_result) -> Iterator[None]:
        """Be the only one that writes this file."""
        key = status.st_dev, status.st_ino
        with self._lock:
            lock, users = self._held.get(key, (threading.Lock(), 0))
            self._held[key] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._held.pop(key)
                if users > 1:
                    self._held[key] = lock, users - 1


_writers = _Writers()


def _append(fd: int, content: bytes) -> None:
    """Add to the end. The kernel writes what comes in one call as one piece. If not all fits, nothing stays."""
    before, written = os.fstat(fd).st_size, 0
    try:
        while written < len(content):
            written += os.write(fd, memoryview(content)[written:])
    except OSError:
        if written and os.fstat(fd).st_size == before + written:  # else others have added something meanwhile
            os.ftruncate(fd, before)
        raise


def _overwrite(fd: int, content: bytes) -> None:
    before = os.fstat(fd).st_size
    if content:
        try:
            os.posix_fallocate(fd, 0, len(content))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                with suppress(OSError):
                    os.ftruncate(fd, before)
                raise
            # else the filesystem does not know how to claim room
    _fill(fd, content)
    os.ftruncate(fd, len(content))


def _replace(where: bytes, old: int, status: os.stat_result, content: bytes) -> bool:
    """Put a new file in the place of the old one, with everything but the content; False: it would not be the same."""
    if status.st_nlink != 1:
        return False
    with _folder(where) as (folder, name):
        try:
            fd = _nameless(folder, 0o600)
        except OSError as error:
            if error.errno in _NOT_ASIDE:
                return False
            raise
        if fd is None:
            return False
        try:
            if not _made_alike(fd, old, status) or not os.access(b".", os.W_OK | os.X_OK, dir_fd=folder):
                return False
            _fill(fd, content)
            _keep_mode(fd, status)
            return _put_in_place(fd, folder, name, status)
        finally:
            os.close(fd)


def _put_in_place(fd: int, folder: int, name: bytes, status: os.stat_result) -> bool:
    """Have a nameless file take the place of the old one; False: the folder does not let us. Raises _Moved, OSError."""
    aside = b".%s.new" % uuid.uuid4().hex.encode()
    try:
        _link(fd, folder, aside)
    except OSError as error:
        if error.errno in _NOT_IN_PLACE:
            return False
        raise
    try:
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if (now.st_dev, now.st_ino) != (status.st_dev, status.st_ino):
            raise _Moved
        if now.st_nlink == 1:  # else it has got another name meanwhile
            os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
            return True
    except FileNotFoundError:
        raise _Moved from None
    except OSError as error:
        if error.errno not in _NOT_IN_PLACE:
            raise
    finally:
        with suppress(FileNotFoundError):
            os.unlink(aside, dir_fd=folder)
    return False


def _made_alike(fd: int, old: int, status: os.stat_result) -> bool:
    """Give a new file owner, group, mode and attributes of the old one; False: that cannot be."""
    try:
        made = os.fstat(fd)
        if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
            os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, stat.S_IMODE(status.st_mode))
        its = {name: os.getxattr(old, name) for name in _attributes(old)}
        for name in _attributes(fd):
            if name not in its:
                os.removexattr(fd, name)
        for name, value in its.items():
            if name not in _attributes(fd) or os.getxattr(fd, name) != value:
                os.setxattr(fd, name, value)
    except OSError:
        return False
    return _flags(fd) == _flags(old) and stat.S_IMODE(os.fstat(fd).st_mode) == stat.S_IMODE(status.st_mode)


def _attributes(fd: int) -> list[str]:
    try:
        return os.listxattr(fd)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return []
        raise


def _flags(fd: int) -> int:
    """What chattr(1) has set."""
    try:
        (flags,) = struct.unpack("l", fcntl.ioctl(fd, _GET_FLAGS, struct.pack("l", 0)))
    except OSError:
        return 0
    return int(flags) & 0xFFFFFFFF & ~_OWN_FLAGS


def _nameless(folder: int, mode: int) -> int | None:
    """A new file without a name in a folder; None: the filesystem has no such files. Raises OSError."""
    try:
        return os.open(b".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_NAMELESS:
            return None
        raise


def _link(fd: int, folder: int, name: bytes) -> None:
    """Give a nameless file its name. Raises FileExistsError, OSError."""
    os.link(b"/proc/self/fd/%d" % fd, name, dst_dir_fd=folder, follow_symlinks=True)


def _fill(fd: int, content: bytes) -> None:
    view, written = memoryview(content), 0
    while written < len(content):
        written += os.pwrite(fd, view[written:], written)


@contextmanager
def _folder(where: bytes) -> Iterator[tuple[int, bytes]]:
    """The folder of a path, as a descriptor, and the last part of the path."""
    above, name = os.path.split(where)
    fd = os.open(above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd, name
    finally:
        os.close(fd)


UNARY["WriteFile"] = (WriteFileRequest, write_file)
