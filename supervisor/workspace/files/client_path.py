"""The path that a request names, and what lies there."""

from __future__ import annotations

import os
import stat

from supervisor.workspace.jobs import Job
from supervisor.workspace.names import located
from supervisor.workspace.ops_error import OpsError, refused

_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def named(path: str, job: Job, doing: str) -> bytes:
    """The absolute path of a file that a request must name. `doing`: as in "read". Raises OpsError."""
    if not path:
        raise OpsError("invalid_argument", f"cannot {doing} a file without a path: name one")
    return located(path, job.workspace)


def status_of(where: bytes, what: str) -> os.stat_result:
    """What is known of the file, links followed. `what`: what cannot be done, as in `read "/a"`. Raises OpsError."""
    try:
        return os.stat(where)
    except OSError as error:
        raise refused(what, error) from error


def check_regular(status: os.stat_result, what: str) -> None:
    """Refuse what is no regular file: to open it would wait, or have effects. Raises OpsError."""
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_one, name in _KINDS if is_one(status.st_mode)), "no file")
        raise OpsError("failed_precondition", f"cannot {what}: it is {kind}")
