"""System calls that Python lacks, as far as the shim needs them. Each is without effect where it is not possible."""

from __future__ import annotations

import os
import struct
import sys

_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "loongarch64": 219, "ppc64le": 271, "s390x": 280}
"""The number of keyctl(2), which the C library does not wrap, on 64-bit machines."""
_JOIN_SESSION_KEYRING = 1
_PR_SET_CHILD_SUBREAPER = 36
_SS_DISABLE = 2


def become_subreaper() -> bool:
    """Have every process below us that loses its parent become our child; PR_SET_CHILD_SUBREAPER of prctl(2).

    So a daemon that left its session and wiped the marker out of its environment is still found, as a child of ours.
    Returns whether it is so.
    """
    return _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def leave_inherited_keyring() -> None:
    """Take a new and empty session keyring; session-keyring(7).

    A keyring is inherited like an open file: a process may read the keys in it, whatever user it becomes. The shim's
    comes from a login or a service of root's, and may hold keys of root's. So the shim leaves it before it starts a
    command as another user, as systemd does for its services. All commands of a shim share the new one.
    """
    number = _KEYCTL.get(os.uname().machine)
    if number is not None and sys.maxsize > 2**32:
        _call("syscall", number, _JOIN_SESSION_KEYRING, None)


def leave_alternate_stack() -> None:
    """Have signal handlers run on the ordinary stack of this thread; sigaltstack(2).

    faulthandler gives the main thread a small stack for signals. Python's own handlers use it as well, and some thirty
    signals at once overflow it, which ends the process. It is useful only after an overflow of the ordinary stack.
    """
    _call("sigaltstack", struct.pack("@PiN", 0, _SS_DISABLE, 0), None)


def _call(name: str, *arguments: int | bytes | None) -> bool:
    try:
        import _ctypes  # the rest of ctypes would take 5 ms and 300 kB

        function = _ctypes.dlsym(_ctypes.dlopen(None, 0), name)  # type: ignore[arg-type]  # None: this program
        return bool(_ctypes.call_function(function, arguments) == 0)
    except (ImportError, AttributeError, OSError):
        return False  # a C library without it
