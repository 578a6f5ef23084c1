"""Whether output can be pumped into the logs of a state directory: some filesystems have no FIFOs, or no splice(2)."""

from __future__ import annotations

import errno
import os

_LACKING = {errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
"""How a kernel, a filesystem or a sandbox says that it does not have something. A full disk, for example, has it."""


def why_not(folder: str | os.PathLike[str]) -> str:
    """Why output cannot be pumped into files of this folder, as the part of a sentence; empty: it can.

    It is tried out with a FIFO and a file that are gone afterwards.
    """
    path = os.path.join(folder, f".fifo-{os.getpid()}")
    log = f"{path}.log"
    try:
        return _tried(path, log)
    finally:
        for made in (path, log):
            try:
                os.unlink(made)
            except OSError:
                pass


def _tried(path: str, log: str) -> str:
    what, fds = "FIFOs", list[int]()
    try:
        os.mkfifo(path, 0o600)
        for name, flags in (
            (path, os.O_RDONLY | os.O_NONBLOCK),
            (path, os.O_WRONLY),
            (log, os.O_WRONLY | os.O_CREAT),
        ):
            fds.append(os.open(name, flags | os.O_CLOEXEC, 0o600))
        source, writer, target = fds
        os.write(writer, b"\n")
        what = "splice(2)"
        os.splice(source, target, 1, flags=os.SPLICE_F_NONBLOCK)
    except OSError as error:
        return (
            f"{what} cannot be had there ({os.strerror(error.errno or 0)})" if error.errno in _LACKING else ""
        )
    finally:
        for fd in fds:
            os.close(fd)
    return ""
