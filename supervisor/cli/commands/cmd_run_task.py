"""`supervisor run-task`: runs one task with its dependencies, and exits with its exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from supervisor.cli.common_options import complete_task, output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning, find_socket
from supervisor.cli.remote.options import complete_from_supervisor, print_json, socket_option
from supervisor.cli.remote.responses import Json

_complete_running = complete_from_supervisor("tasks")


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the tasks of the running supervisor; if none runs, those of the file."""
    return _complete_running(ctx, param, incomplete) or complete_task(ctx, param, incomplete)


@click.command("run-task")
@click.argument("reference", metavar="REF", shell_complete=_complete)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--standalone", is_flag=True, help="Run the task in this process, without a running supervisor."
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    help="The workspace whose supervisor to use; with --standalone: where commands run.",
)
@socket_option
@output_format
def run_task(
    reference: str,
    file: Path | None,
    standalone: bool,
    workspace: Path | None,
    socket: str | None,
    format_: str,
) -> int:
    """Run the task REF in the running supervisor, and exit with its exit code.

    The output of the commands goes to standard output, reports about them go to standard error. On a terminal, what
    could take it over is left out of the output; colours pass, unless NO_COLOR is set. If a step fails, its exit code
    is this command's. Ctrl-C stops the execution and exits 130; a second one leaves that to the supervisor. Services
    that were started for it go on. Exits 3 if no supervisor is running.

    With --standalone no supervisor is needed: this process runs the task of FILE, or of the workspace's automations
    file, with its dependencies, and stops the services that were started for it at the end.

    \b
      supervisor run-task build
      supervisor run-task build automations.yaml --standalone
    """
    if standalone:
        if socket is not None:
            raise click.UsageError("--socket names a running supervisor, and --standalone uses none")
        # Not at the top: a task in a running supervisor does not wait for this import.
        from supervisor.cli.local.standalone_task import run_standalone

        return run_standalone(reference, file, workspace, as_json=format_ == "json")
    if file is not None:
        raise click.UsageError("FILE is for --standalone: a running supervisor has its own")
    return _run_in_supervisor(reference, socket, workspace, format_)


def _run_in_supervisor(reference: str, socket: str | None, workspace: Path | None, format_: str) -> int:
    from supervisor.cli.remote import attached_task

    try:
        client = Client(find_socket(socket, None if workspace is None else str(workspace)))
    except NotRunning as error:
        raise NotRunning(
            f'cannot run task "{reference}": {error.message}; '
            f'"supervisor run-task {reference} --standalone" runs it in this process'
        ) from None
    status, ended = attached_task.run_task(client, reference)
    _print_end(ended, format_)
    return status


def _print_end(ended: Json, format_: str) -> None:
    """Print how the task ended, unless it succeeded."""
    if format_ == "json":
        print_json(ended, err=True)
    elif ended["phase"] != "succeeded":
        why = f": {ended['reason']}" if ended["reason"] else ""
        sys.stdout.flush()
        click.echo(f'supervisor: task "{ended["reference"]}" {_in_words(ended["phase"])}{why}', err=True)


def _in_words(phase: str) -> str:
    return {"failed": "has failed", "stopped": "was stopped", "stopping": "is being stopped"}.get(
        phase, phase
    )
