"""A filesystem that does not answer, as one over the network does whose server is gone."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MNT_DETACH = 2
_BOUND_S = 30.0

needs_fuse = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="needs root and /dev/fuse"
)


@contextmanager
def silent_filesystem(folder: Path, uid: int = 0, gid: int = 0) -> Iterator[None]:
    """Stands over `folder`: who asks it for anything waits until the end of this, or for 30 s, and then fails.

    `uid`, `gid`: of who mounted it, who alone is let in.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={server},rootmode=40000,user_id={uid},group_id={gid}".encode()
    if libc.mount(b"silent", bytes(folder), b"fuse", 0, options) != 0:
        os.close(server)
        pytest.skip(f"cannot mount: {os.strerror(ctypes.get_errno())}")
    lost = threading.Timer(_BOUND_S, os.close, [server])
    lost.start()
    try:
        yield
        assert lost.is_alive(), "somebody waited for it"
    finally:
        in_time = lost.is_alive()
        lost.cancel()
        lost.join()
        if in_time:
            os.close(server)
        libc.umount2(bytes(folder), _MNT_DETACH)
