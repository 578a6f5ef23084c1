"""ReadFile: a part of a file, or what is in a folder."""

from __future__ import annotations

import hashlib
import os
import stat

from platform_wire.environmentopts_pb2 import (
    DirectoryListing,
    FileContent,
    ReadFileRequest,
    ReadFileResponse,
)
from supervisor.workspace.files.client_path import check_regular, named, status_of
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.names import shown
from supervisor.workspace.ops_error import OpsError, refused

MOST_BYTES = 128 * 1024 * 1024
"""Of one answer."""
_OF_MEMORY = frozenset(
    ("auxv", "environ", "maps", "mem", "numa_maps", "pagemap", "smaps", "smaps_rollup", "stack", "syscall")
)
"""Files of proc_pid(5)."""
_CHUNK_BYTES = 4 * 1024 * 1024
_LAST_OFFSET = 2**63 - 1
"""The kernel refuses to read over it, also where a file has long ended."""
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
    response = ReadFileResponse()
    try:
        if stat.S_ISDIR(status.st_mode):
            _list(where, request.path, response.directory, job, what)
        else:
            check_regular(status, what)
            _read(where, request, response.content, job, what)
    except OSError as error:
        raise refused(what, error) from error
    return response


def _read(where: bytes, request: ReadFileRequest, content: FileContent, job: Job, what: str) -> None:
    """Fill in the content. It is handed over at once: a copy more would be another 128 MiB."""
    # What stands there may be another one by now: nothing is waited for, and only a regular file is read.
    fd = os.open(where, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        check_regular(status, what)
        if status.st_size == 0:
            _check_not_of_ours(fd, what)
            _fill_from_unknown(fd, request.offset, request.length, content, job, what)
        else:
            _fill_from_known(fd, status.st_size, request.offset, request.length, content, job, what)
    finally:
        os.close(fd)


def _check_not_of_ours(fd: int, what: str) -> None:
    """Refuse the memory of this very process, which the kernel lets it read whatever its user. Raises OpsError."""
    folder, _, name = os.readlink(f"/proc/self/fd/{fd}").rpartition("/")
    if f"{folder}/".startswith(f"/proc/{os.getpid()}/") and name in _OF_MEMORY:
        raise OpsError("permission_denied", f"cannot {what}: it is of the process that reads")


def _fill_from_known(
    fd: int, size: int, offset: int, length: int, content: FileContent, job: Job, what: str
) -> None:
    rest = max(0, size - offset)
    if length == 0 and rest > MOST_BYTES:
        raise _too_large(what, rest)
    wanted = min(rest, length or rest, MOST_BYTES)
    job.reserve(wanted)
    content.data, content.content_hash, came = _part(fd, offset, wanted, job)
    # Files of sysfs claim more than they have, and others may shrink meanwhile.
    content.total_size = size if came == wanted else min(size, offset + came)


def _fill_from_unknown(fd: int, offset: int, length: int, content: FileContent, job: Job, what: str) -> None:
    """An empty file, or one whose size shows at its end (procfs)."""
    wanted = min(length or MOST_BYTES, MOST_BYTES)
    content.data, content.content_hash, came = _part(fd, offset, wanted, job)
    total = offset + came
    if not came:
        total = _length(fd, 0, min(offset, MOST_BYTES), job)
    elif came == wanted:
        total += _length(fd, total, MOST_BYTES, job)
    if not length and total > offset + came:
        raise _too_large(what, total - offset)
    content.total_size = total


def _length(fd: int, offset: int, most: int, job: Job) -> int:
    """How many bytes can be read from there, as far as that shows."""
    found = 0
    try:
        while found < most and (came := _part(fd, offset + found, min(most - found, _CHUNK_BYTES), job)[2]):
            found += came
    except OSError:
        pass  # it wants to be read in a way of its own
    return found


def _part(fd: int, offset: int, wanted: int, job: Job) -> tuple[bytes, str, int]:
    """So many bytes, or those until the end, their hash, and how many they are."""
    digest, chunks, left = hashlib.sha256(), [], wanted
    while left:
        job.check()
        try:
            chunk = os.pread(fd, min(left, _CHUNK_BYTES, _LAST_OFFSET - offset), offset)
        except BlockingIOError:
            break  # nothing more at the moment (the kernel's log)
        if not chunk:
            break
        digest.update(chunk)
        chunks.append(chunk)
        left -= len(chunk)
        offset += len(chunk)
    data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return data, digest.hexdigest(), len(data)


def _too_large(what: str, size: int) -> OpsError:
    why = f"it has {size} bytes, and one answer has at most {MOST_BYTES}: read it in parts, by offset and length"
    return OpsError("failed_precondition", f"cannot {what} at once: {why}")


def _list(where: bytes, path: str, directory: DirectoryListing, job: Job, what: str) -> None:
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
    directory.SetInParent()  # an empty folder, too
    for name, is_directory, size in found:
        directory.entries.add(path=above + name, is_directory=is_directory, size=size)


def _shape(entry: os.DirEntry[bytes]) -> tuple[bool, int]:
    """Whether it is a folder, or a link to one, and its size; a folder and a link that leads nowhere have none."""
    try:
        status = entry.stat()
    except OSError:
        return False, 0
    return (True, 0) if stat.S_ISDIR(status.st_mode) else (False, status.st_size)


UNARY["ReadFile"] = (ReadFileRequest, read_file)
