"""UDP: whether datagrams to a port come through. Silence tells nothing: a gateway ignores what it cannot read."""

from __future__ import annotations

import socket

import anyio

from supervisor.doctor.network.dial import trouble_of
from supervisor.doctor.network.observation import Seen, Step, Trouble
from supervisor.doctor.network.resolve import resolve
from supervisor.doctor.network.target import Target

_PROBE = b"\0"
_EVERY_S = 0.5  # one datagram may be lost, and so may the ICMP message that answers it


async def probe(target: Target, seen: Seen) -> None:
    """Send datagrams until something comes back. Raises Stopped.

    An answer leaves `seen.address`. A refusal comes as an error of the connected socket: ICMP port unreachable.
    """
    addresses = await resolve(target.host, target.port, socket.SOCK_DGRAM, seen)
    seen.step = Step.UDP
    family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.connect((addresses[0], target.port))
            await _until_answer(sock)
        except OSError as error:
            trouble = trouble_of(error)
            seen.breaks(
                Trouble.UNREACHABLE if trouble is Trouble.TIMEOUT else trouble, (error.strerror or "").lower()
            )
            return
    seen.address = addresses[0]


async def _until_answer(sock: socket.socket) -> None:
    while True:
        sock.send(_PROBE)
        with anyio.move_on_after(_EVERY_S):
            await anyio.wait_readable(sock)
            try:
                sock.recv(1)
            except BlockingIOError:  # a datagram with a wrong checksum wakes and is gone
                continue
            return
