"""`supervisor self-check`: whether this program could take over from a running supervisor; asked by that one."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import click

from supervisor import __version__


@click.command("self-check", hidden=True)
@click.argument("database", type=click.Path(path_type=Path, exists=True))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(database: Path, arguments: tuple[str, ...]) -> None:
    """Import what `supervisor ARGUMENTS` needs, parse them, and read a copy of DATABASE. Prints the version as JSON."""
    for name in (
        "supervisor.cli.local.foreground_run",
        "supervisor.api.assembly",
        "supervisor.host.state.file_watch",
    ):
        importlib.import_module(name)
    _parse(arguments)
    from supervisor.core.world import World
    from supervisor.host.state.store import Store

    store = Store.copy_of(database)
    try:
        World(*store.load())
    finally:
        store.close()
    click.echo(json.dumps({"version": __version__}))


def _parse(arguments: tuple[str, ...]) -> None:
    """See that the command line is still understood. Raises ClickException, BadSettings."""
    from supervisor.boot.run_settings import told
    from supervisor.cli.app import app
    from supervisor.cli.setting_flags import flags_of
    from supervisor.host.users import program_files
    from supervisor.host.users.account import account
    from supervisor.settings.initial_spec import read_settings

    name, *rest = arguments
    subcommand = app.get_command(click.Context(app), name)
    if subcommand is None:
        raise click.UsageError(f'there is no command "{name}" any more')
    context = subcommand.make_context(name, rest)
    if name == "run":
        settings = told(read_settings(flags_of(context.params), os.environ))
        if settings.user and os.geteuid() == 0 and account(settings.user).uid != 0:
            program_files.check(settings.user)
