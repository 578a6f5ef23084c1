"""`supervisor run`: the supervisor in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from supervisor.boot import Api
from supervisor.cli.options import file_argument, output_format, trigger_option
from supervisor.cli.running import LOG_LIMIT_MIB, Run, run
from supervisor.model.spec import Trigger


@click.command("run")
@file_argument
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where commands run.",
)
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where logs and state are kept.")
@trigger_option(
    multiple=True, help="Fire just this trigger (repeatable). prebuild: run a prebuild, then exit."
)
@click.option(
    "--log-limit",
    type=click.IntRange(min=1),
    default=LOG_LIMIT_MIB,
    show_default=True,
    metavar="MIB",
    help="How much of the end of each command's log is kept.",
)
@click.option(
    "--listen",
    default="",
    metavar="HOST:PORT",
    help='Where the API listens beside its Unix socket; "none": nowhere. Default: 127.0.0.1:24424, or a free port.',
)
@click.option("--public-url", default="", metavar="URL", help="What clients reach the API by, for log URLs.")
@click.option(
    "--host-name", multiple=True, metavar="NAME", help="A name that requests may be for (repeatable)."
)
@click.option("--allow-origin", multiple=True, metavar="URL", help="A web page that may call (repeatable).")
@click.option(
    "--user", default="", metavar="NAME", help="The user that commands run as; only root may choose."
)
@click.option("--no-api", is_flag=True, help="Serve no API: less memory, and nobody can ask.")
@click.option("--no-watch", is_flag=True, help="Do not follow edits of the file.")
@click.option(
    "--exit-when-done", is_flag=True, help="Exit when all tasks have ended: 0, or 1 if one did not succeed."
)
@click.option(
    "--logs", is_flag=True, help="Print the output of the commands, each line with its command's name."
)
@output_format
def command(
    file: Path | None,
    workspace: Path | None,
    state_dir: Path | None,
    trigger: tuple[str, ...],
    log_limit: int,
    listen: str,
    public_url: str,
    host_name: tuple[str, ...],
    allow_origin: tuple[str, ...],
    user: str,
    no_api: bool,
    no_watch: bool,
    exit_when_done: bool,
    logs: bool,
    format_: str,
) -> int:
    """Run the services and tasks of FILE, or of the workspace's automations file, until Ctrl-C.

    Starts what the triggers start, follows edits of the file, and stops everything at the end. A second Ctrl-C kills.

    \b
      supervisor run
      supervisor run --logs --exit-when-done
      supervisor run --trigger prebuild
    """
    asked = Run(
        file=file,
        workspace=workspace,
        state_dir=state_dir,
        triggers=tuple(Trigger(name) for name in trigger),
        log_limit_mib=log_limit,
        api=None if no_api else Api(listen, public_url, host_name, allow_origin),
        watch=not no_watch,
        exit_when_done=exit_when_done,
        logs=logs,
        as_json=format_ == "json",
        user=user,
    )
    return run(asked)
