"""The heap of this process."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return to the machine what is free in the heap. glibc keeps it; other C libraries return it by themselves."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
