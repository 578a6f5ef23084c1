"""What the event loop is made of is imported piece by piece, and between the pieces commands are attended to.

The first commands are started before there is a loop, and to import one takes 40 ms. By then a short command has long
ended, and the next one could run: a chain of trivial tasks is through with twenty of them when the loop begins.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

PIECES = (
    "typing",
    "threading",
    "ast",
    "dis",
    "tokenize",
    "inspect",
    "traceback",
    "logging",
    "concurrent.futures.thread",
    "locale",
    "subprocess",
    "ssl",
    "dataclasses",
    "typing_extensions",
    "asyncio",
    "anyio",
    "anyio.abc",
    "anyio.lowlevel",
    "anyio.streams.memory",
    "anyio.streams.stapled",
    "anyio.streams.tls",
    "anyio._backends._asyncio",
    "supervisor.host.runs.termination",
)
"""Modules that the loop needs in any case, each before those that import it, so that none takes more than a few
milliseconds. One that is not there does not matter."""


def import_loop(attend: Callable[[], None]) -> None:
    """Import what an event loop needs; `attend` is called before each piece."""
    for name in PIECES:
        attend()
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # another version of a package: the loop imports what it needs itself
    attend()
