"""Whether a file is open for writing: the kernel refuses a read lease then, fcntl(2)."""

from __future__ import annotations

import errno
import fcntl
import signal


def being_written(descriptor: int) -> bool | None:
    """Whether the file behind a descriptor, opened for reading, is open for writing anywhere on this machine.

    None: it is not known. The file must belong to our user, or we need CAP_LEASE; and its filesystem must have leases.
    """
    try:
        # A process that opens the file while we hold the lease waits, and we get a signal. SIGIO would end a process
        # that does not handle it; SIGURG is ignored.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
