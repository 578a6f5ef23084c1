"""Imports the event loop piece by piece; between two pieces the supervisor does what commands need.

The first commands are started before there is a loop, and its import takes 40 ms. Meanwhile short commands end and the
next ones can start: of a chain of trivial tasks twenty are done when the loop begins.
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
milliseconds. A missing one is passed over."""


def import_loop(turn: Callable[[], None], tls: bool = True) -> None:
    """Import what an event loop needs; `turn` is called before each piece. `tls`: whether anybody will speak it."""
    if tls:
        _import_pieces(turn)
        return
    turn()
    from supervisor.lean.server_imports import tls_left_out

    with tls_left_out():
        _import_pieces(turn)


def _import_pieces(turn: Callable[[], None]) -> None:
    for name in PIECES:
        turn()
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # another version of a package: the loop imports what it needs itself
    turn()
