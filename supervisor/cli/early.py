"""The shim that is started before anything else is imported, for the subcommand that will need it."""

from __future__ import annotations

from supervisor.host.shimlink import ShimLink
from supervisor.model.errors import MachineError

_started: list[ShimLink] = []


def start_shim() -> None:
    """Start a shim; it boots while this process goes on importing. If nobody takes it, it ends with this process."""
    try:
        _started.append(ShimLink.start())
    except OSError:
        pass  # `take_link` tries again, and is there to be told why it cannot be


def take_link() -> ShimLink:
    """The shim that was started early, or a new one. Raises MachineError."""
    if _started:
        return _started.pop()
    try:
        return ShimLink.start()
    except OSError as error:
        raise MachineError(f"cannot start the process that holds commands: {error.strerror}") from error
