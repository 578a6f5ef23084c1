"""`supervisor terminal`: shells that outlive the window in which they were opened."""

from __future__ import annotations

from datetime import datetime

import click
from click.shell_completion import CompletionItem

from supervisor.cli.command_group import Group
from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import OPERATIONS, Client
from supervisor.cli.remote.discovery import find_socket
from supervisor.cli.remote.options import COMPLETION_TIMEOUT_S, print_json, with_client
from supervisor.cli.remote.responses import Json, RequestRefused
from supervisor.cli.terminal import detach_keys
from supervisor.cli.terminal.tables import table
from supervisor.cli.terminal.visible import visible
from supervisor.model.errors import SupervisorError

detach_keys_option = click.option(
    "--detach-keys",
    metavar="KEYS",
    envvar="SUPERVISOR_DETACH_KEYS",
    default=detach_keys.DEFAULT,
    show_default=True,
    help="What to type to leave without ending the shell: characters or ctrl-X, separated by commas; empty: nothing. "
    "[env: SUPERVISOR_DETACH_KEYS]",
)


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ids of terminals, if a running supervisor answers quickly."""
    try:
        client = Client(find_socket(ctx.params.get("socket")), COMPLETION_TIMEOUT_S)
        terminals = _terminals(client)
    except (Exception, click.ClickException):
        return []  # no supervisor, a slow one, or not ours: nothing to offer, and no place to say why
    return [
        CompletionItem(terminal["terminalId"], help=terminal.get("shell", ""))
        for terminal in terminals
        if terminal["terminalId"].startswith(incomplete)
    ]


id_argument = click.argument("id_", metavar="ID", shell_complete=_complete)


@click.group("terminal", cls=Group)
def terminal() -> None:
    """Open, list, attach to and close terminals of the running supervisor.

    A terminal is a shell that outlives the window in which it was opened, and the supervisor itself. Several windows
    may show it at one time. Ctrl-P Ctrl-Q leaves it, and the shell goes on; --detach-keys names other keys. ID is that
    of the list, or its beginning. Exits 0 if it was done, 1 if not, 2 if the command line is wrong, 3 if no supervisor
    runs; "new" and "attach" exit as the shell does.

    \b
      supervisor terminal new             a shell in the workspace
      supervisor terminal list
      supervisor terminal attach 3f2a     show it again, here
    """


@terminal.command("new")
@with_client
@click.argument("shell", required=False)
@click.option("--cwd", metavar="DIR", default="", help="Where the shell starts [default: the workspace].")
@click.option(
    "--env",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    help="A variable for the shell, beside those of tasks.",
)
@click.option(
    "--annotation", "annotations", metavar="NAME=VALUE", multiple=True, help="A note that the list shows."
)
@click.option("--detach", "-d", is_flag=True, help="Do not attach: print the terminal's id.")
@detach_keys_option
def new(
    client: Client,
    shell: str | None,
    cwd: str,
    variables: tuple[str, ...],
    annotations: tuple[str, ...],
    detach: bool,
    detach_keys: str,
) -> int:
    """Open a terminal and attach to it. SHELL: a program instead of the user's default shell.

    Exits with the exit code of the shell, or with 0 when the detach keys were typed.
    """
    request: Json = {
        "shell": shell or "",
        "workingDirectory": cwd,
        "env": _pairs(variables, "--env"),
        "annotations": _pairs(annotations, "--annotation"),
    }
    if detach:
        click.echo(_created(client, request))
        return 0
    return _attach_to_new(client, request, detach_keys)


@terminal.command("list")
@with_client
@output_format
def list_(client: Client, format_: str) -> None:
    """List the terminals whose shells run, the oldest first."""
    terminals = _terminals(client)
    if format_ == "json":
        print_json(terminals)
    elif not terminals:
        click.echo("there are no terminals")
    else:
        click.echo(table(("TERMINAL", "OPENED", "SIZE", "SHELL", "FOLDER", "NOTES"), map(_row, terminals)))


@terminal.command("attach")
@with_client
@id_argument
@detach_keys_option
def attach(client: Client, id_: str, detach_keys: str) -> int:
    """Show the terminal ID here, and type into it.

    It gets the size of this window. One whose shell has ended can be shown for ten minutes. Exits with the exit code of
    the shell, or with 0 when the detach keys were typed.
    """
    keys = _keys(detach_keys)
    return _attached(client, _whole(client, id_), keys)


@terminal.command("close")
@with_client
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=_complete)
def close(client: Client, ids: tuple[str, ...]) -> None:
    """Close terminals as if their windows were closed: their shells get a hangup. What ignores hangups goes on."""
    for id_ in [_whole(client, id_) for id_ in ids]:
        client.call("CloseTerminal", OPERATIONS, terminalId=id_)


def _terminals(client: Client) -> list[Json]:
    found: list[Json] = client.call("ListTerminals", OPERATIONS).get("terminals", [])
    return found


def _whole(client: Client, beginning: str) -> str:
    """The id that begins so. What no id begins with may be the id of one whose shell has ended."""
    found = [item["terminalId"] for item in _terminals(client) if item["terminalId"].startswith(beginning)]
    if beginning in found or not found:
        return beginning
    if len(found) > 1:
        raise SupervisorError(
            f'cannot tell which terminal "{visible(beginning)}" is: {len(found)} ids begin so; write more of it'
        )
    return str(found[0])


def _created(client: Client, request: Json) -> str:
    id_: str = client.call("CreateTerminal", OPERATIONS, **request)["terminalId"]
    return id_


def _attach_to_new(client: Client, request: Json, notation: str) -> int:
    # Not at the top: completion and the list do without.
    from supervisor.cli.terminal.raw_terminal import RawTerminal

    keys = _keys(notation)
    cols, rows = RawTerminal().size()  # refuses where there is none, before a shell is started
    id_ = _created(client, request | {"initialCols": cols, "initialRows": rows})
    return _attached(client, id_, keys)


def _attached(client: Client, id_: str, keys: detach_keys.DetachKeys) -> int:
    from supervisor.cli.remote.attached_terminal import attach

    try:
        status = attach(client, id_, keys)
    except RequestRefused as refused:
        if refused.code != "not_found":
            raise
        raise SupervisorError(
            f'cannot attach to terminal "{visible(id_)}": there is none; "supervisor terminal list" shows all'
        ) from None
    if status is None:
        click.echo(
            f'supervisor: left terminal {id_}; "supervisor terminal attach {id_}" shows it again', err=True
        )
        return 0
    return status


def _keys(notation: str) -> detach_keys.DetachKeys:
    try:
        return detach_keys.DetachKeys(notation)
    except detach_keys.BadKeys as error:
        raise click.UsageError(str(error)) from None


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise click.UsageError(f'cannot use {option} "{visible(name)}": write NAME=VALUE')
    return {name: value for name, _, value in pairs}


def _row(item: Json) -> tuple[str, ...]:
    opened = datetime.fromisoformat(item["createdAt"]).astimezone()
    notes = ", ".join(f"{name}={value}" for name, value in sorted(item.get("annotations", {}).items()))
    return (
        item["terminalId"],
        f"{opened:%d %b %H:%M}",
        f"{item.get('cols', 0)} x {item.get('rows', 0)}",
        item.get("shell", ""),
        item.get("workingDirectory", ""),
        notes,
    )
