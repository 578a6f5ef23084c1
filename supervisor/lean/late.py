"""Modules that a running supervisor uses and its first command does not wait for: imported when they are first used.

    from supervisor.lean.late import anyio           # in place of `import anyio` inside every function

    if TYPE_CHECKING:
        from supervisor.host.proc import worker_threads
    else:
        worker_threads = late("supervisor.host.proc.worker_threads")

`boot/preload` imports them all in a running supervisor, whose files may be gone when they are needed.
"""

from __future__ import annotations

import sys

from supervisor.lean.typing import TYPE_CHECKING, Any


class _Late:
    """Stands for a module that may not be imported yet."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        __import__(self._name)  # waits while another thread is importing it
        return getattr(sys.modules[self._name], attribute)


def late(name: str) -> Any:
    """The module of this name, imported when an attribute of it is first read."""
    return _Late(name)


if TYPE_CHECKING:
    import logging as logging

    import anyio as anyio
else:
    anyio = late("anyio")
    logging = late("logging")
