"""Keeps every test of the doctor on this machine: whatever the code under test does, nothing else is ever dialled.

An audit hook sees each connect, datagram and lookup of this process before the kernel does. What would leave the
machine fails there, and then fails the test.
"""

import ipaddress
import sys
from collections.abc import Generator

import pytest

_left: list[str] | None = None
"""What tried to leave; None: nobody watches. An audit hook cannot be taken back."""


class LeavesMachineError(OSError):
    """Something would have been sent to another machine."""


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _left is None:
        return
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "localhost"  # others are Unix sockets
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _stays(str(host)):
        _left.append(f"{event} {host}")
        raise LeavesMachineError(f"{event}: {host} is not this machine")


def _stays(host: str) -> bool:
    # RFC 6761: names below .invalid do not exist, and no resolver asks anyone about them.
    if host == "localhost" or host.endswith(".invalid") or ".." in host:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def loopback_only() -> Generator[list[str]]:
    """Fails a test that tries to leave the machine. A test of this guard empties the list."""
    global _left
    _left = []
    try:
        yield _left
        assert not _left, f"the test tried to leave this machine: {_left}"
    finally:
        _left = None
