"""The options and arguments of subcommands that ask a running supervisor: `--socket`, REF and its completion."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import find_socket

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

COMPLETION_TIMEOUT_S = 0.3
"""A person who presses Tab does not wait longer."""

socket_option = click.option(
    "--socket",
    metavar="PATH",
    help="The supervisor's socket [default: SUPERVISOR_SOCKET, or that of the workspace around this folder].",
)


def with_client(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--socket`, and passes the client of the running supervisor as the first argument."""

    @socket_option
    @functools.wraps(function)
    def connected(*args: Any, socket: str | None, **kwargs: Any) -> Any:
        return function(Client(find_socket(socket)), *args, **kwargs)

    return connected


def reference_argument(complete: Complete, many: bool = False, required: bool = True) -> Callable[..., Any]:
    """REF, or REF... if `many`, or [REF]... if none is required."""
    name = "references" if many else "reference"
    several = "REF..." if required else "[REF]..."
    return click.argument(
        name,
        metavar=several if many else "REF",
        nargs=-1 if many else 1,
        required=required,
        shell_complete=complete,
    )


def complete_from_supervisor(*kinds: str) -> Complete:
    """Completes references of `services`, `tasks` or both, if a running supervisor answers quickly."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            items = _items(ctx.params.get("socket"), kinds)
        except (Exception, click.ClickException):
            return []  # no supervisor, a slow one, or not ours: nothing to offer, and no place to say why
        return [item for item in items if item.value.startswith(incomplete)]

    return complete


def _items(socket: str | None, kinds: tuple[str, ...]) -> list[CompletionItem]:
    from supervisor.cli.remote import references

    client = Client(find_socket(socket), COMPLETION_TIMEOUT_S)
    lists = {"services": references.services, "tasks": references.tasks}
    return [
        CompletionItem(references.name_of(item), help=item["metadata"].get("name", ""))
        for kind in kinds
        for item in lists[kind](client)
    ]


def print_json(value: object, err: bool = False) -> None:
    """Print JSON, for `--format json`; `err`: to standard error, beside the output of commands."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False), err=err)
