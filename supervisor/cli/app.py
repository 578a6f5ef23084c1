"""The command group: which subcommands there are, and how an error reaches the user."""

from __future__ import annotations

import importlib
import sys

import click

from supervisor import __version__
from supervisor.cli.command_group import Group
from supervisor.cli.terminal.output import OUTPUT_ERRORS, print_error, unwritten
from supervisor.model.errors import SupervisorError
from supervisor.model.sysexits import EXIT_INTERRUPTED

COMMANDS = {
    "run": "Run the services and tasks of an automations file.",
    "run-task": "Run one task with its dependencies.",
    "exec": "Run a command in the environment.",
    "operations": "List the commands that clients have run.",
    "status": "Show what the running supervisor does and waits for.",
    "service": "List, start, stop and restart services.",
    "task": "List, start and stop tasks.",
    "terminal": "Open, list, attach to and close terminals.",
    "logs": "Print logs of services and tasks, and go on with what comes.",
    "runs": "List the runs of a service or a task that are kept.",
    "update": "Apply an automations file in the running supervisor.",
    "trigger": "Fire a trigger.",
    "resumed": "Report that the machine was resumed.",
    "events": "Print changes as they happen.",
    "config": "Print every setting and where its value comes from.",
    "activity": "Show what keeps the environment awake.",
    "keep-alive": "Keep the environment awake while a process lives.",
    "token": "Print a token for clients that use TCP.",
    "upgrade": "Replace the running program with the one on the disk.",
    "shutdown": "End the running supervisor.",
    "doctor": "Check this machine and the endpoints it must reach.",
    "bundle": "Pack what support needs to know into one file, without secrets.",
    "validate": "Check an automations file and list everything that is wrong with it.",
    "plan": "Show what a task or a trigger would run.",
    "init": "Write a commented automations file to start from.",
    "schema": "Print the JSON Schema of the automations file.",
    "completion": "Print the completion script of a shell.",
}
"""What each subcommand is for. Its function has its name and stands in `cmd_<name>`, or where MODULES says."""
HIDDEN = frozenset({"self-check"})
"""Subcommands for programs."""
MODULES = {
    "activity": "cmd_status",
    "completion": "cmd_init",
    "resumed": "cmd_trigger",
    "schema": "cmd_init",
    "self-check": "cmd_lifecycle",
    "shutdown": "cmd_lifecycle",
    "upgrade": "cmd_lifecycle",
}
"""The modules of subcommands that share one with another."""


class Commands(Group):
    """A group that imports a subcommand only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and cmd_name not in HIDDEN:
            return None
        function = cmd_name.replace("-", "_")
        module = MODULES.get(cmd_name, f"cmd_{function}")
        command = getattr(importlib.import_module(f"supervisor.cli.commands.{module}"), function)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand. The reader of our output may close it, as `| head` does; click would exit 1 then."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            ctx.exit(unwritten(error))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of subcommands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="supervisor")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Runs the services and tasks of an automations file, in order, and keeps track of them.

    \b
    Start here:
      supervisor init                 write a commented automations.yaml
      supervisor validate             check it
      supervisor run                  run it until Ctrl-C
      supervisor run-task build --standalone
    """
    # Standard output itself decides about colours; click would remove escape sequences from the text of commands.
    ctx.color = True


def guarded(command: click.Command) -> int:
    """Run the command line. An error is one sentence and an exit status; only a bug shows a traceback."""
    out, err = sys.stdout, sys.stderr
    try:
        status = command.main(standalone_mode=False, prog_name="supervisor")
    except SystemExit:
        if sys.stdout is out:
            raise
        # The reader of the help has closed it: click has replaced both files, and has its own status for that.
        sys.stdout, sys.stderr = out, err
        return unwritten(BrokenPipeError())
    except click.exceptions.Abort:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SupervisorError as error:
        return print_error(error)
    except OSError as error:
        if error.filename is not None or error.errno not in OUTPUT_ERRORS:
            raise
        return unwritten(error)
    return status if isinstance(status, int) else 0
