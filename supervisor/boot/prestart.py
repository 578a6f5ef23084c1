"""Starts the shim before anything else is imported, for the subcommands that need one.

Before that, the service manager's variables are taken out of the environment, which the shim inherits. While the shim
boots and this process imports, the kernel is made ready to move processes between control groups.
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
    """Start a shim, which boots while this process imports. If it is not taken, it ends with this process."""
    _asked.append(Notifier.take(os.environ))
    try:
        sock, pid = launcher.start()
    except OSError:
        return  # `take_shim` tries again, and is there to be told why it cannot be
    # From here on everything imported is needed anyway; pathlib first, before another module imports it.
    import supervisor.lean.paths  # noqa: F401
    from supervisor.host.proc.cgroups import is_ours, own_folder

    if (group := own_folder()) and is_ours(group):
        # On a thread and not in the shim, which has not booted yet; and until it has, this process makes no group.
        try:
            _thread.start_new_thread(warm_up, (group,))
        except RuntimeError:
            pass  # the machine has no thread left: the first command waits for the kernel instead

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
    """The notifier to the service manager that started this process, if it wants notices."""
    return _asked.pop() if _asked else Notifier.take(os.environ)
