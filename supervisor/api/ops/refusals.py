"""What the handlers of EnvironmentOpsService have in common when they refuse a call."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from connect_server.connect_errors import Code, ConnectError
from supervisor.workspace.ops_error import OpsError

MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""A path leads nowhere."""
FORBIDDEN = (errno.EACCES, errno.EPERM)


@contextmanager
def in_connects_words() -> Iterator[None]:
    """Raise an OpsError as the ConnectError that means the same."""
    try:
        yield
    except OpsError as error:
        raise ConnectError(Code(error.code), error.message) from error
