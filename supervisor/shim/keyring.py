"""The session keyring of another user's commands; session-keyring(7).

It is inherited, like an open file: whoever has it may read the keys in it, whatever user he becomes. Root's, of a login
or a service, may hold keys of root's. So the shim leaves it for a new one before it starts a command as another user;
systemd does the same for its services. All commands of a shim share that one. Of commands that run as the user that
started us it is the keyring of that user, and stays.
"""

from __future__ import annotations

import os
import sys

_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "loongarch64": 219, "ppc64le": 271, "s390x": 280}
"""The number of keyctl(2), which the C library does not have, on machines of 64 bits."""
_JOIN_SESSION_KEYRING = 1


def leave_inherited() -> None:
    """Take a new and empty session keyring. Without effect where that is not allowed: a container's filter, say."""
    number = _KEYCTL.get(os.uname().machine)
    if number is None or sys.maxsize < 2**32:
        return
    try:
        import _ctypes  # what ctypes adds to it takes 5 ms and 300 kB

        syscall = _ctypes.dlsym(_ctypes.dlopen(None, 0), "syscall")  # type: ignore[arg-type]  # None: this program
        _ctypes.call_function(syscall, (number, _JOIN_SESSION_KEYRING, None))
    except (ImportError, AttributeError, OSError):
        pass  # a C library without it: the keyring of whoever started us stays
