"""How a function that works on the workspace fails."""

from __future__ import annotations

import errno
import os

_CODES = {
    errno.ENOENT: "not_found",
    errno.ENOTDIR: "not_found",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EROFS: "permission_denied",
    errno.EEXIST: "already_exists",
    errno.ENAMETOOLONG: "invalid_argument",
    errno.ENOSPC: "resource_exhausted",
    errno.EDQUOT: "resource_exhausted",
    errno.EFBIG: "resource_exhausted",
    errno.EMFILE: "resource_exhausted",
    errno.ENFILE: "resource_exhausted",
    errno.ENOMEM: "resource_exhausted",
    errno.EAGAIN: "resource_exhausted",
}


class OpsError(Exception):
    """A refusal that the client reads.

    Attributes:
        code: in the words of Connect, such as `not_found`.
        message: a sentence. Our own words in it never hold what the SDK looks for (`timeout` and the like).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class Cancelled(BaseException):
    """Nobody waits for the result any more. No Exception, so that what catches those lets it pass."""


def refused(what: str, error: OSError) -> OpsError:
    """The refusal for what the kernel says. `what`: what cannot be done, as in `read "/a"`."""
    number = error.errno or errno.EIO
    # ETIMEDOUT, ECONNREFUSED and ENETUNREACH of a network filesystem have words that the SDK takes for its own.
    said = _plain(number)
    return OpsError(_CODES.get(number, "failed_precondition"), f"cannot {what}: {said}")


def _plain(number: int) -> str:
    """What strerror(3) says, in lower case, or the name of an error of the network."""
    if number in (errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"its filesystem does not answer ({errno.errorcode[number]})"
    return os.strerror(number).lower()
