"""`supervisor exec`: runs a command in the environment, once for an id, and exits with its exit code."""

from __future__ import annotations

import shlex
import sys

import click
from click.shell_completion import CompletionItem

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import find_socket
from supervisor.cli.remote.options import COMPLETION_TIMEOUT_S, print_json, with_client


def _complete_id(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The ids of operations, if a running supervisor answers quickly."""
    try:
        client = Client(find_socket(ctx.params.get("socket")), COMPLETION_TIMEOUT_S)
        operations = client.operations()
    except (Exception, click.ClickException):
        return []  # nothing to offer, and no place to say why
    return [
        CompletionItem(one["id"], help=one["command"].partition("\n")[0])
        for one in operations
        if one["id"].startswith(incomplete)
    ]


@click.command("exec", context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@with_client
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True)
@click.option(
    "--timeout",
    "limit_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=0.0,
    help="End the command after so long: exit code 124. 0: never.  [default: 0]",
)
@click.option("--cwd", metavar="FOLDER", default="", help="Where it runs: absolute, or below the workspace.")
@click.option(
    "--id",
    "operation_id",
    metavar="ID",
    default="",
    shell_complete=_complete_id,
    help="Run it once for this id. If one of the id runs already, wait for that; if one has ended, print its result.",
)
@output_format
def exec(
    client: Client, words: tuple[str, ...], limit_s: float, cwd: str, operation_id: str, format_: str
) -> int:
    """Run COMMAND in the environment, and exit with its exit code.

    One word is a text for "sh -c"; several are a program and its arguments. It runs in the workspace, as the user and
    with the variables of the environment's commands, and its standard input is empty. What it prints comes here as it
    is printed, each stream on its own. A command outlives this one, a kill of the supervisor and an upgrade; its result
    is kept: ask again with the same --id. Ctrl-C cancels it: exit code 130. A second one leaves that to the supervisor.
    Processes that it leaves behind live on until the supervisor shuts down.

    \b
      supervisor exec -- make -j4 test
      supervisor exec --timeout 60 'make test 2>&1 | tail'
      supervisor exec --id build-17 -- make     # once, however often it is said
    """
    # Not at the top: completion and help do not wait for it.
    from supervisor.cli.remote.attached_operation import AttachedOperation
    from supervisor.model.ids import fresh

    request = {
        "id": operation_id or fresh(),
        "command": words[0] if len(words) == 1 else shlex.join(words),
        "workingDirectory": cwd,
        "limitSeconds": limit_s,
    }
    status, ended = AttachedOperation(client, request).run()
    sys.stdout.flush()
    if format_ == "json" and ended is not None:
        print_json(ended, err=True)
    elif ended is not None and ended["exitStatus"] is None:
        click.echo(f"supervisor: nobody knows how the command ended: {ended['end']}", err=True)
    return status
