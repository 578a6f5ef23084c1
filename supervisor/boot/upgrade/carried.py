"""What an upgrade carries from one program to the next, in one environment variable, and the exec itself.

`upgrade` has the theory of operation. The variable is taken out of the environment at once: no command and no shim sees
it. `FIELDS` are read by other versions: none may be renamed or change its meaning.
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
class Carried:
    """What goes from one program to the next. Descriptors are open in this process."""

    version: str
    """Of the old program."""
    began_s: float
    """When the old program answered for the last time, on the monotonic clock."""
    lock: int
    listen: str = ""
    """The address that the TCP socket was asked to listen on: the new program may be asked for another."""
    unix: int | None = None
    tcp: int | None = None
    connections: tuple[int, ...] = ()
    """Those between two requests."""
    calls: tuple[int, ...] = ()
    """Those whose call the new program answers."""
    requests: int | None = None
    """A file in memory with what it must know of them, see `take_calls`; None: there are none."""
    name: int | None = None
    """Holds the state directory's name in the kernel, see `host.state.exclusion`."""
    printed: Mapping[str, int] = MappingProxyType({})
    """`{run id: offset}`: how far `--logs` has printed each log."""

    @property
    def descriptors(self) -> list[int]:
        """All of them."""
        return [
            self.lock,
            *(fd for fd in (self.name, self.unix, self.tcp, self.requests) if fd is not None),
            *self.connections,
            *self.calls,
        ]

    def take_calls(self) -> dict[int, bytes]:
        """`{connection: what the server must know of its call}`. To be called once."""
        if self.requests is None:
            return {}
        with open(self.requests, "rb") as file:
            file.seek(0)
            return {fd: file.read(int(file.readline())) for fd in self.calls}


FIELDS = (
    "version",
    "began_s",
    "lock",
    "name",
    "listen",
    "unix",
    "tcp",
    "connections",
    "printed",
    "calls",
    "requests",
)
_unpacked: list[Carried] = []


def unpack() -> None:
    """Take what the old program left in the environment, if it is meant for this process. `take_carried` returns it."""
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return  # not written by a supervisor
    if not isinstance(values, dict) or values.pop("pid", None) != os.getpid():
        return  # a child inherited the variable without the descriptors
    # Another version may know more or fewer fields.
    known = {name: values[name] for name in FIELDS if name in values}
    lists = {name: tuple(known.get(name, ())) for name in ("connections", "calls")}
    carried = Carried(**{**known, **lists})
    for fd in carried.descriptors:
        os.set_inheritable(fd, False)
    _unpacked.append(carried)


def held_requests(begun: Mapping[int, bytes]) -> int:
    """A file in memory for `Carried.requests`: an environment variable holds 128 KiB at most. `begun`: see there."""
    file = os.memfd_create("requests", os.MFD_CLOEXEC)
    with open(file, "wb", closefd=False) as written:
        for call in begun.values():
            written.write(b"%d\n" % len(call))
            written.write(call)
    return file


def take_carried() -> Carried | None:
    """What was unpacked, once; None: this start is no upgrade."""
    return _unpacked.pop() if _unpacked else None


def execute(carried: Carried, late: Iterable[int], environ: Mapping[str, str]) -> NoReturn:
    """Become the program that is on the disk now. To be called on the only thread.

    `late`: signals that nobody has heeded yet; `environ`: what was taken out of the environment.

    Raises OSError if it cannot be executed. Then nothing has changed, except that signals are still blocked.
    """
    # Not at the top: the first command does not wait for it. It is loaded: `prepare` came before.
    from supervisor.boot.upgrade.prepare import command_line, environment

    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    for number in late:
        os.kill(os.getpid(), number)
    fields = {name: getattr(carried, name) for name in FIELDS}
    text = json.dumps({"pid": os.getpid(), **fields}, default=dict)
    inheritance.give_back()
    for fd in carried.descriptors:
        os.set_inheritable(fd, True)
    try:
        argv = command_line()
        os.execve(argv[0], argv, {**environment(), **environ, VARIABLE: text})
    finally:
        for fd in carried.descriptors:
            os.set_inheritable(fd, False)
