"""What is done before anything else is imported, for the subcommand that will need it: the shim is started.

Before that, what the service manager said to this process is taken out of the environment, which the shim inherits.
"""

from __future__ import annotations

import os

from supervisor.host.notify import Notifier
from supervisor.host.shimlink import ShimLink
from supervisor.model.errors import MachineError

_started: list[ShimLink] = []
_asked: list[Notifier] = []


def start_shim() -> None:
    """Start a shim; it boots while this process goes on importing. If nobody takes it, it ends with this process."""
    _asked.append(Notifier.take(os.environ))
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


def take_notifier() -> Notifier:
    """To the service manager that has started us, if it asked to be told."""
    return _asked.pop() if _asked else Notifier.take(os.environ)
