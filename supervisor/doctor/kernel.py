"""pidfds: how the supervisor knows a process from another with the same number."""

from __future__ import annotations

import os

from supervisor.doctor.finding import State, Verdict


def pidfd() -> Verdict:
    """Whether the kernel gives out pidfds (Linux 5.3), and nothing like a container's seccomp filter forbids it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        why = (error.strerror or "").lower()
        return Verdict(State.WARNING, f"{why}; ends of commands that outlive their shim are found by polling")
    return Verdict(State.OK, f"works, Linux {os.uname().release}")
