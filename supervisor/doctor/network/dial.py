"""TCP: a connection to the first address that takes one."""

from __future__ import annotations

import errno
import socket
from contextlib import AsyncExitStack

import anyio
from anyio.abc import ByteStream

from supervisor.doctor.network.observation import Seen, Step, Stopped, Trouble
from supervisor.doctor.network.resolve import resolve

_UNREACHABLE = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EACCES,
    errno.EPERM,
}


async def dial(host: str, port: int, seen: Seen, opened: AsyncExitStack) -> ByteStream:
    """A connected stream, which `opened` closes. Raises Stopped."""
    addresses = await resolve(host, port, socket.SOCK_STREAM, seen)
    seen.step = Step.TCP
    last = OSError("no address")
    for number, address in enumerate(addresses):
        try:
            with anyio.fail_after(_share(len(addresses) - number)):
                stream = await anyio.connect_tcp(address, port)
        except TimeoutError:
            last = TimeoutError()
        except OSError as error:
            last = error.__cause__ if isinstance(error.__cause__, OSError) else error
        else:
            opened.push_async_callback(anyio.aclose_forcefully, stream)
            seen.address = address
            return stream
    seen.breaks(trouble_of(last), (last.strerror or str(last)).lower())
    raise Stopped


def trouble_of(error: OSError) -> Trouble:
    """What an error of the network means."""
    if isinstance(error, TimeoutError):  # ETIMEDOUT is one as well
        return Trouble.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Trouble.REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Trouble.CLOSED
    return Trouble.UNREACHABLE if error.errno in _UNREACHABLE else Trouble.OTHER


def _share(addresses_left: int) -> float:
    """How long one address may take of the time that is left, so that a dead one leaves some to the others."""
    return (anyio.current_effective_deadline() - anyio.current_time()) / addresses_left
