"""Logs of the running supervisor on standard output, byte by byte."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from supervisor.cli.remote.client import Client
from supervisor.model.sysexits import EXIT_INTERRUPTED


def log_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--follow` and `--tail`."""
    follow = click.option(
        "-f", "--follow", is_flag=True, help="Go on until the run has ended and all is printed."
    )
    tail = click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
    return follow(tail(function))


def print_log(client: Client, path: str, follow: bool, tail: int | None) -> None:
    """Print a log as the supervisor gives it. Raises BrokenPipeError when nobody reads it any more."""
    with client.log(path, follow, tail) as pieces:
        try:
            for piece in pieces:
                write(piece)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)


def write(data: bytes) -> None:
    """Print bytes at once: who follows a log wants to see them now."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
