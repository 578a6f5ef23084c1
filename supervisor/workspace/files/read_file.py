"""ReadFile: a part of a file, or what is in a folder."""

from __future__ import annotations

import hashlib
import os
import stat

from platform_wire.environmentopts_pb2 import (
    DirectoryListing,
    FileContent,
    FileInfo,
    ReadFileRequest,
    ReadFileResponse,
)
from supervisor.workspace.errors import OpsError, refused
from supervisor.workspace.files.client_path import check_regular, named, status_of
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.names import shown

MOST_BYTES = 128 * 1024 * 1024
"""Of one answer."""
_OF_MEMORY = frozenset(
    ("auxv", "environ", "maps", "mem", "numa_maps", "pagemap", "smaps", "smaps_rollup", "stack", "syscall")
)
"""Files of proc_pid(5)."""
_CHUNK_BYTES = 4 * 1024 * 1024
_ENTRY_BYTES = 64
"""About what an entry of a folder takes in the answer, beside the path of the folder."""


def read_file(request: ReadFileRequest, job: Job) -> ReadFileResponse:
    """Read a file or list a folder. Raises OpsError, Cancelled."""
    if request.offset < 0 or request.length < 0:
        which = "offset" if request.offset < 0 else "length"
        raise OpsError("invalid_argument", f"cannot read a file: {which} must be 0 or more")
    where = named(request.path, job, "read")
    what = f'read "{request.path}"'
    status = status_of(where, what)
    try:
        if stat.S_ISDIR(status.st_mode):
            return ReadFileResponse(directory=_listing(where, request.path, job, what))
        check_regular(status, what)
        return ReadFileResponse(content=_content(where, request.offset, request.length, job, what))
    except OSError as error:
        raise refused(what, error) from error


def _content(where: bytes, offset: int, length: int, job: Job, what: str) -> FileContent:
    # What stands there may be another one by now: nothing is waited for, and only a regular file is read.
    fd = os.open(where, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        check_regular(status, what)
        if status.st_size == 0:
            _check_not_of_ours(fd, what)
            return _of_unknown_size(fd, offset, length, job, what)
        return _of_known_size(fd, status.st_size, offset, length, job, what)
    finally:
        os.close(fd)


def _check_not_of_ours(fd: int, what: str) -> None:
    """Refuse the memory of this very process, which the kernel lets it read whatever its user. Raises OpsError."""
    folder, _, name = os.readlink(f"/proc/self/fd/{fd}").rpartition("/")
    if f"{folder}/".startswith(f"/proc/{os.getpid()}/") and name in _OF_MEMORY:
        raise OpsError("permission_denied", f"cannot {what}: it is of the process that reads")


def _of_known_size(fd: int, size: int, offset: int, length: int, job: Job, what: str) -> FileContent:
    rest = max(0, size - offset)
    if length == 0 and rest > MOST_BYTES:
        raise _too_large(what, rest)
    wanted = min(rest, length or rest, MOST_BYTES)
    job.reserve(wanted)
    data, digest = _read(fd, offset, wanted, job)
    # Files of sysfs claim more than they have, and others may shrink meanwhile.
    total = size if len(data) == wanted else min(size, offset + len(data))
    return FileContent(data=data, total_size=total, content_hash=digest)


def _of_unknown_size(fd: int, offset: int, length: int, job: Job, what: str) -> FileContent:
    """An empty file, or one whose size shows at its end (procfs)."""
    wanted = min(length or MOST_BYTES, MOST_BYTES)
    data, digest = _read(fd, offset, wanted, job)
    total = offset + len(data)
    if not data:
        total = _length(fd, 0, min(offset, MOST_BYTES), job)
    elif len(data) == wanted:
        total += _length(fd, total, MOST_BYTES, job)
    if not length and total > offset + len(data):
        raise _too_large(what, total - offset)
    return FileContent(data=data, total_size=total, content_hash=digest)


def _length(fd: int, offset: int, most: int, job: Job) -> int:
    """How many bytes can be read from there, as far as that shows."""
    found = 0
    try:
        while found < most and (chunk := _read(fd, offset + found, min(most - found, _CHUNK_BYTES), job)[0]):
            found += len(chunk)
    except OSError:
        pass  # it wants to be read in a way of its own
    return found


def _read(fd: int, offset: int, wanted: int, job: Job) -> tuple[bytes, str]:
    """So many bytes, or those until the end, and their hash."""
    digest, chunks, left = hashlib.sha256(), [], wanted
    while left:
        job.check()
        try:
            chunk = os.pread(fd, min(left, _CHUNK_BYTES), offset)
        except BlockingIOError:
            break  # nothing more at the moment (the kernel's log)
        if not chunk:
            break
        digest.update(chunk)
        chunks.append(chunk)
        left -= len(chunk)
        offset += len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks), digest.hexdigest()


def _too_large(what: str, size: int) -> OpsError:
    why = f"it has {size} bytes, and one answer has at most {MOST_BYTES}: read it in parts, by offset and length"
    return OpsError("failed_precondition", f"cannot {what} at once: {why}")


def _listing(where: bytes, path: str, job: Job, what: str) -> DirectoryListing:
    above = path if path.endswith("/") else f"{path}/"
    found = []
    with os.scandir(where) as entries:
        for entry in entries:
            job.check()
            found.append((shown(entry.name), *_shape(entry)))
    room = len(found) * (_ENTRY_BYTES + len(above))
    if room > MOST_BYTES:
        text = f"it has {len(found)} entries, and one answer has at most {MOST_BYTES} bytes: use Find"
        raise OpsError("failed_precondition", f"cannot {what}: {text}")
    job.reserve(room)
    found.sort()
    return DirectoryListing(
        entries=[
            FileInfo(path=above + name, is_directory=is_directory, size=size)
            for name, is_directory, size in found
        ]
    )


def _shape(entry: os.DirEntry[bytes]) -> tuple[bool, int]:
    """Whether it is a folder, or a link to one, and its size; a folder and a link that leads nowhere have none."""
    try:
        status = entry.stat()
    except OSError:
        return False, 0
    return (True, 0) if stat.S_ISDIR(status.st_mode) else (False, status.st_size)


UNARY["ReadFile"] = (ReadFileRequest, read_file)
