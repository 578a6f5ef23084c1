"""Unix sockets: who is at the other end, and paths that are longer than an address.

The shim imports this module, so it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable

MAX_PATH_BYTES = 107
"""How long a path in an address may be: `sun_path` of unix(7), less its final NUL."""
_UCRED = struct.Struct("3i")  # pid, uid, gid


def peer_credentials(connected: socket.socket) -> tuple[int, int]:
    """The pid and the uid of the process at the other end: SO_PEERCRED. Raises OSError.

    They are those of the moment in which that process called connect(2) or listen(2). The pid is 0 where our PID
    namespace does not show the process.
    """
    pid, uid, _ = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return pid, uid


def bind(listening: socket.socket, path: str | os.PathLike[str]) -> None:
    """Bind a socket at a path of any length. Raises OSError."""
    _call_with_address(listening.bind, os.fspath(path))


def connect(connecting: socket.socket, path: str | os.PathLike[str]) -> None:
    """Connect a socket to a path of any length. Raises OSError."""
    _call_with_address(connecting.connect, os.fspath(path))


def _call_with_address(call: Callable[[str], None], path: str) -> None:
    """Call with the path, or with a short one that leads to the same file through a descriptor of its folder."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        call(path)
        return
    folder, name = os.path.split(path)
    fd = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        call(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)
