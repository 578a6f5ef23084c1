"""A supervisor that makes room for a newer one in the same process: exec(2), with what must not be closed kept open.

The pid stays, so children stay children and whoever waits for this process goes on waiting. Kept open are the lock of
the state directory (nobody else can take it meanwhile), the listening sockets (who connects waits in the backlog), and
the connections of clients that are between two requests (what they send waits in the socket). Their numbers go to the
new program in one environment variable, which is taken out at once: no command and no shim sees it.

Signals are blocked from before the exec until the new program holds them again: the kernel keeps them for it.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from supervisor.host.proc import inheritance
from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import NoReturn

VARIABLE = "SUPERVISOR_HANDOVER"


@dataclass(frozen=True, slots=True)
class Handover:
    """What goes from one to the next. Files are descriptors, open in this process."""

    version: str
    """Of the supervisor that makes room."""
    began_s: float
    """When it answered for the last time, on the monotonic clock."""
    lock: int
    listen: str = ""
    """What was asked for, to see whether the next one is asked for the same."""
    unix: int | None = None
    tcp: int | None = None
    connections: tuple[int, ...] = ()
    name: int | None = None
    """What keeps others out beside the lock, see `exclusion`."""
    printed: Mapping[str, int] = MappingProxyType({})
    """`{run id: offset}`: how far `--logs` has printed each log."""

    @property
    def files(self) -> list[int]:
        """All descriptors."""
        return [
            self.lock,
            *(fd for fd in (self.name, self.unix, self.tcp) if fd is not None),
            *self.connections,
        ]


_FIELDS = ("version", "began_s", "lock", "name", "listen", "unix", "tcp", "connections", "printed")
_received: list[Handover] = []


def receive() -> None:
    """Take what the program before left in the environment, if it is meant for this process."""
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return  # it is not ours
    if not isinstance(values, dict) or values.pop("pid", None) != os.getpid():
        return  # somebody's child inherited the variable, and no descriptors
    # Another version may know more or less of it.
    known = {name: values[name] for name in _FIELDS if name in values}
    handover = Handover(**{**known, "connections": tuple(known.get("connections", ()))})
    for fd in handover.files:
        os.set_inheritable(fd, False)
    _received.append(handover)


def taken() -> Handover | None:
    """What was received, once."""
    return _received.pop() if _received else None


def block_signals() -> None:
    """Have signals wait from now on, if this is the only thread."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


def execute(handover: Handover, late: Iterable[int], environ: Mapping[str, str]) -> NoReturn:
    """Become the program that now stands where this one came from.

    `late`: signals that nobody has heeded yet; `environ`: what was taken out of the environment.

    Raises OSError if it cannot be executed: everything is then as it was before, and signals are still blocked.
    """
    from supervisor.boot.upgrade.program import program, program_environ

    block_signals()
    for number in late:
        os.kill(os.getpid(), number)
    text = json.dumps(
        {"pid": os.getpid(), **{name: getattr(handover, name) for name in _FIELDS}}, default=dict
    )
    inheritance.give_back()
    for fd in handover.files:
        os.set_inheritable(fd, True)
    try:
        argv = program()
        os.execve(argv[0], argv, {**program_environ(), **environ, VARIABLE: text})
    finally:
        for fd in handover.files:
            os.set_inheritable(fd, False)
