"""`supervisor run`: the supervisor in the foreground."""

from __future__ import annotations

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.setting_flags import RunLike, setting_flags
from supervisor.settings.argv import RunArguments


@click.command("run", cls=RunLike)
@setting_flags
@output_format
def run(arguments: RunArguments) -> int:
    """Run the services and tasks of FILE, or of the workspace's automations file, until Ctrl-C.

    Starts what the triggers start, follows edits of the file, and stops everything at the end. A second Ctrl-C kills.

    Every flag --some-name has a variable SUPERVISOR_SOME_NAME. The flag comes first, then the variable, then the
    runner's initial-spec.json. "supervisor config" prints each value and where it comes from.

    \b
      supervisor run
      supervisor run --logs --exit-when-done
      supervisor run --trigger prebuild
      SUPERVISOR_LISTEN=none supervisor run
    """
    # Not at the top: wrong usage and --help need none of it.
    from supervisor.cli.local import foreground_run

    return foreground_run.run(arguments)
