"""A group of subcommands that suggests another for one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

_SUGGESTIONS = {
    **dict.fromkeys(
        ("start", "restart"),
        'write "supervisor service {} REF" for a service, "supervisor task start REF" for a task',
    ),
    "stop": 'write "supervisor service stop REF", "supervisor task stop REF", or "supervisor shutdown" for everything',
    **dict.fromkeys(("list", "ls", "ps"), 'write "supervisor service list" or "supervisor task list"'),
    **dict.fromkeys(("up", "serve", "daemon"), 'write "supervisor run"'),
    **dict.fromkeys(("down", "quit", "exit", "kill"), 'write "supervisor shutdown"'),
    **dict.fromkeys(("reload", "apply", "sync"), 'write "supervisor update"'),
    **dict.fromkeys(("check", "lint"), 'write "supervisor validate"'),
    **dict.fromkeys(("execute", "exec"), 'write "supervisor run-task REF"'),
    "help": 'write "supervisor --help", or "supervisor COMMAND --help"',
    "version": 'write "supervisor --version"',
    "automations": "leave that word out",
}
"""Names that other programs use, each with what to write here; for the outermost group."""


class Group(click.Group):
    """A group whose error for an unknown subcommand names the nearest one, or all."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand. Raises click.UsageError."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise click.UsageError(f'there is no command "{name}"; {self._hint(ctx, name)}', ctx)
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: click.Context, name: str) -> str:
        names = self.list_commands(ctx)
        if ctx.parent is None and name in _SUGGESTIONS:
            return _SUGGESTIONS[name].format(name)
        return did_you_mean(name, names) or f"the commands are {', '.join(names)}"


class Choice(click.Choice[str]):
    """One of several words; the error for another names the nearest one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word. Raises click.BadParameter."""
        names = list(map(str, self.choices))
        if value not in names:
            near = did_you_mean(str(value), names)
            hint = "; ".join(filter(None, [near, f"there are {', '.join(names)}"]))
            raise click.BadParameter(f'there is no "{value}"; {hint}', ctx, param)
        return str(value)


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A hint with the nearest of these names; empty if none is near."""
    # Its package imports everything that reads an automations file: 8 ms, which only a mistake needs.
    from supervisor.config.suggest import Suggester

    return Suggester().did_you_mean(word, names)
