"""Output whose reader may go away: what is supervised must not suffer from that."""

from __future__ import annotations

import os
from typing import TextIO

import click


def echo(line: str, out: TextIO) -> None:
    """Print a line; if nobody can read it any more, drop it and all that follow."""
    try:
        click.echo(line, file=out)
    except OSError:
        abandon(out)


def abandon(out: TextIO) -> None:
    """Let what is written to `out` go nowhere. Python would complain at exit about what it could not flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)
