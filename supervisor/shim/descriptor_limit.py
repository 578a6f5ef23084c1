"""How many descriptors the shim may have open, and how many a command: the shim takes three for each run."""

from __future__ import annotations

import resource


class DescriptorLimit:
    """RLIMIT_NOFILE of the shim: as high as it may be, and for the moment of a spawn as it was before.

    A command inherits it, and some programs close, or make room for, every descriptor that they might have.
    """

    def __init__(self) -> None:
        self._commands, self._hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.raise_()

    def lower(self) -> None:
        """Take the commands' limit. What is open stays open."""
        self._set(self._commands)

    def raise_(self) -> None:
        """Take the shim's own limit."""
        self._set(self._hard)

    def _set(self, soft: int) -> None:
        if self._commands != self._hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, self._hard))
