"""`supervisor completion`: what a shell needs to complete our command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from supervisor.cli.command_group import Choice


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
      bash:  supervisor completion bash > ~/.local/share/bash-completion/completions/supervisor
      zsh:   supervisor completion zsh > "${fpath[1]}/_supervisor"
      fish:  supervisor completion fish > ~/.config/fish/completions/supervisor.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None
    source = completion(ctx.find_root().command, {}, "supervisor", "_SUPERVISOR_COMPLETE")
    click.echo(source.source())
