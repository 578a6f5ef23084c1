"""DNS: what addresses a name stands for, by this machine's own resolver."""

from __future__ import annotations

import functools
import socket

from supervisor.doctor.network.bounded_call import aside
from supervisor.doctor.network.observation import Seen, Step, Stopped, Trouble

_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


async def resolve(host: str, port: int, kind: socket.SocketKind, seen: Seen) -> list[str]:
    """The addresses, in the order to try them. Raises Stopped."""
    seen.step = Step.DNS
    try:
        found = await aside(functools.partial(socket.getaddrinfo, host, port, type=kind))
    except OSError as error:  # socket.gaierror is one
        no_name = isinstance(error, socket.gaierror) and error.errno in _NO_NAME
        seen.breaks(Trouble.NO_NAME if no_name else Trouble.OTHER, (error.strerror or str(error)).lower())
        raise Stopped from None
    except UnicodeError:  # a label that is empty or has more than 63 characters
        seen.breaks(Trouble.NO_NAME, "it is no name that the DNS can hold")
        raise Stopped from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    seen.addresses = addresses
    return addresses
