"""What is done before anything else is imported, for the subcommand that will need it: the shim is started.

Before that, what the service manager said to this process is taken out of the environment, which the shim inherits.
While it boots and this process goes on importing, the kernel is made ready to move processes between control groups.
"""

from __future__ import annotations

import _thread
import os

from supervisor.host.proc.notify import Notifier
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.shim import launcher
from supervisor.shim.cgroup_move import warm_up

if TYPE_CHECKING:
    from supervisor.host.runs.spawn.shim_client import ShimClient

PATIENCE_S = 10.0
_PAUSE_S = 0.1
_started: list[ShimClient] = []
_asked: list[Notifier] = []


def start_shim() -> None:
    """Start a shim; it boots while this process goes on importing. If nobody takes it, it ends with this process."""
    _asked.append(Notifier.take(os.environ))
    try:
        sock, pid = launcher.start()
    except OSError:
        return  # `take_shim` tries again, and is there to be told why it cannot be
    # From here on what is imported is needed in any case; pathlib before anything else imports it.
    import supervisor.lean.paths  # noqa: F401
    from supervisor.host.proc.cgroups import is_ours, own_folder

    if (group := own_folder()) and is_ours(group):
        # On a thread and not in the shim, which has not booted yet; and until it has, this process makes no group.
        try:
            _thread.start_new_thread(warm_up, (group,))
        except RuntimeError:
            pass  # there is no thread to be had: the first command waits for the kernel instead

    from supervisor.host.runs.spawn.shim_client import ShimClient

    client = ShimClient(sock, pid)
    _started.append(client)
    if group:
        client.join(group)


def take_shim() -> ShimClient:
    """The connection to the shim that was started early, or to a new one. Raises MachineError.

    It waits a while for what the machine is short of: to give up after an upgrade, say, would leave what runs alone.
    """
    if _started:
        return _started.pop()
    import time

    from supervisor.host.runs.spawn.shim_client import ShimClient
    from supervisor.model.errors import TRANSIENT_ERRNOS, MachineError

    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ShimClient.start()
        except OSError as error:
            if error.errno not in TRANSIENT_ERRNOS or time.monotonic() > give_up_at:
                why = f"cannot start the process that holds commands: {error.strerror}"
                raise MachineError(why) from error
        time.sleep(_PAUSE_S)


def take_notifier() -> Notifier:
    """To the service manager that has started us, if it asked to be told."""
    return _asked.pop() if _asked else Notifier.take(os.environ)
