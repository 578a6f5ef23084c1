"""The flags of `supervisor run` as click shows and completes them, made from the table of settings.

They are read by `settings/argv`, which `supervisor run` uses without click.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from supervisor.settings.argv import BadArguments, MisusedFlag, UnknownFlag, read_arguments
from supervisor.settings.table import SETTINGS, Setting

F = TypeVar("F", bound=Callable[..., Any])


class RunLike(click.Command):
    """A subcommand with the arguments of `supervisor run`; its function gets them as `arguments: RunArguments`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises click.UsageError."""
        if ctx.resilient_parsing:  # a shell asks for completions, and click knows which
            return super().parse_args(ctx, args)
        try:
            arguments = read_arguments(args)
        except UnknownFlag as error:
            raise click.NoSuchOption(str(error), possibilities=error.near, ctx=ctx) from None
        except MisusedFlag as error:
            raise click.UsageError(str(error)) from None
        except BadArguments as error:
            raise click.UsageError(str(error), ctx) from None
        if arguments.help:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        ctx.params = {"arguments": arguments}
        return []


def setting_flags(function: F) -> F:
    """FILE, and a flag for each setting."""
    for setting in reversed(SETTINGS):
        if not setting.only_in_spec:
            function = _option(setting)(function)
    # Not looked at by click: every source is parsed in one place, and by one rule.
    return click.argument("file", required=False, type=click.Path())(function)


def _option(setting: Setting[Any]) -> Callable[[F], F]:
    default = f"  [default: {setting.default}]" if setting.default and not setting.switch else ""
    settings: dict[str, Any] = {"help": f"{setting.help}{default}", "hidden": setting.hidden}
    if setting.switch:
        return click.option(setting.flag, is_flag=True, **settings)
    if setting.choices:
        settings["shell_complete"] = partial(_complete, setting.choices)
    elif setting.metavar in ("FILE", "FOLDER"):
        settings["type"] = click.Path(file_okay=setting.metavar == "FILE")
    return click.option(setting.flag, metavar=setting.metavar, multiple=setting.many, **settings)


def _complete(
    choices: tuple[str, ...], ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(choice) for choice in choices if choice.startswith(incomplete)]
