"""Whether somebody has a file open for writing: the kernel says so to who asks for a read lease, fcntl(2)."""

from __future__ import annotations

import errno
import fcntl
import signal


def being_written(descriptor: int) -> bool | None:
    """Whether the file behind a descriptor, opened for reading, is open for writing anywhere on this machine.

    None: that cannot be told. The file must be our user's, or CAP_LEASE ours, and its filesystem must know leases.
    """
    try:
        # Who opens it in the moment in which the lease is ours waits for that, and we get a signal: SIGIO would end a
        # process that does not handle it, this one is ignored.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
