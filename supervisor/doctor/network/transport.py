"""DNS, TCP and UDP: the addresses of a name, a connection to the first that accepts, an answer to a datagram."""

from __future__ import annotations

import errno
import functools
import socket
from contextlib import AsyncExitStack

import anyio
from anyio.abc import ByteStream

from supervisor.doctor.network.bounded_call import bounded_call
from supervisor.doctor.network.observation import AttemptFailed, Cause, Observation, Step
from supervisor.doctor.network.target import Target

_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_UNREACHABLE = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EACCES,
    errno.EPERM,
}
_DATAGRAM = b"\0"
_EVERY_S = 0.5  # a datagram may get lost, and so may the ICMP message that answers it


async def resolve(host: str, port: int, kind: socket.SocketKind, seen: Observation) -> list[str]:
    """The addresses of a name, in the order to try them, from this machine's resolver. Raises AttemptFailed."""
    seen.step = Step.DNS
    try:
        found = await bounded_call(functools.partial(socket.getaddrinfo, host, port, type=kind))
    except OSError as error:  # includes socket.gaierror
        no_name = isinstance(error, socket.gaierror) and error.errno in _NO_NAME
        seen.fail(Cause.NO_NAME if no_name else Cause.OTHER, (error.strerror or str(error)).lower())
        raise AttemptFailed from None
    except UnicodeError:  # a label is empty or has more than 63 characters
        seen.fail(Cause.NO_NAME, "the DNS cannot hold such a name")
        raise AttemptFailed from None
    seen.addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    return seen.addresses


async def dial(host: str, port: int, seen: Observation, opened: AsyncExitStack) -> ByteStream:
    """A connected stream, which `opened` closes. Raises AttemptFailed."""
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
    seen.fail(_cause(last), (last.strerror or str(last)).lower())
    raise AttemptFailed


def _share(addresses_left: int) -> float:
    """The time for one address: an equal share of what is left, so that a dead one leaves some for the others."""
    return (anyio.current_effective_deadline() - anyio.current_time()) / addresses_left


async def probe(target: Target, seen: Observation) -> None:
    """Send datagrams until an answer comes. Raises AttemptFailed if there is no address.

    An answer sets `seen.address`. A refusal (ICMP port unreachable) arrives as an error of the connected socket.
    Silence means nothing: a gateway ignores a datagram that it cannot read.
    """
    addresses = await resolve(target.host, target.port, socket.SOCK_DGRAM, seen)
    seen.step = Step.UDP
    family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.connect((addresses[0], target.port))
            await _receive_answer(sock)
        except OSError as error:
            cause = _cause(error)
            seen.fail(Cause.UNREACHABLE if cause is Cause.TIMEOUT else cause, (error.strerror or "").lower())
            return
    seen.address = addresses[0]


async def _receive_answer(sock: socket.socket) -> None:
    while True:
        sock.send(_DATAGRAM)
        with anyio.move_on_after(_EVERY_S):
            await anyio.wait_readable(sock)
            try:
                sock.recv(1)
            except BlockingIOError:  # the kernel wakes us for a datagram with a wrong checksum, then drops it
                continue
            return


def cause_of_loss(error: anyio.BrokenResourceError | anyio.EndOfStream) -> Cause:
    """Why a stream ended in the middle of a step."""
    cause = _cause(error.__cause__) if isinstance(error.__cause__, OSError) else Cause.CLOSED
    return Cause.CLOSED if cause is Cause.OTHER else cause


def _cause(error: OSError) -> Cause:
    if isinstance(error, TimeoutError):  # includes ETIMEDOUT
        return Cause.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Cause.REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Cause.CLOSED
    return Cause.UNREACHABLE if error.errno in _UNREACHABLE else Cause.OTHER
