"""Who is at the other end of a Unix socket: SO_PEERCRED of unix(7)."""

from __future__ import annotations

import socket
import struct

_UCRED = struct.Struct("3i")  # pid, uid, gid


def peer_of(connected: socket.socket) -> tuple[int, int]:
    """Its pid, 0 if that cannot be seen from here, and its uid. Raises OSError."""
    pid, uid, _ = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return pid, uid
