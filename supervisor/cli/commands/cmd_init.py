"""`supervisor init`, `schema` and `completion`: a file to start from, its schema for editors, the shell's Tab."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from supervisor.cli.command_group import Choice
from supervisor.config.lookup import PLACES, find_file, is_there, workspace_of_place
from supervisor.config.resources import schema_text, starter_text
from supervisor.model.errors import SupervisorError
from supervisor.settings.cwd import current


@click.command("init")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def init(file: Path | None) -> None:
    """Write a commented automations file to FILE ("-": standard output).

    Without FILE: to .ona/automations.yaml. An existing file is never overwritten, and a workspace that has one does
    not get a second one: only one of them would be read.
    """
    if str(file) == "-":
        click.echo(starter_text(), nl=False)
        return
    folder = Path("/" if file is not None and file.is_absolute() else current("write an automations file"))
    if file is None:
        file = Path(PLACES[0])
        _refuse_inside_workspace(file, folder)
    _refuse_second(file, folder)
    _write(file)
    click.echo(
        f'wrote {file}; check it with "supervisor validate {file}", run it with "supervisor run {file}"'
    )


@click.command("schema")
def schema() -> None:
    """Print the JSON Schema (2020-12) of the automations file, for editors and other tools.

    The YAML language server reads its name at the top of the file:

    \b
      # yaml-language-server: $schema=./automations.schema.json
    """
    click.echo(schema_text(), nl=False)


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
      bash:  supervisor completion bash > ~/.local/share/bash-completion/completions/supervisor
      zsh:   supervisor completion zsh > "${fpath[1]}/_supervisor"
      fish:  supervisor completion fish > ~/.config/fish/completions/supervisor.fish
    """
    shell_class = get_completion_class(shell)
    assert shell_class is not None
    source = shell_class(ctx.find_root().command, {}, "supervisor", "_SUPERVISOR_COMPLETE")
    click.echo(source.source())


def _refuse_inside_workspace(file: Path, folder: Path) -> None:
    """Raise if a folder above has an automations file: then this folder is hardly meant to be a workspace itself."""
    for above in folder.parents:
        found = find_file(above).path
        if found is not None:
            raise SupervisorError(
                f'cannot write "{file}": this folder is inside the workspace {above}, which has "{found}"; '
                f'edit that, or make a file for this folder with "supervisor init {file}"'
            )


def _refuse_second(file: Path, folder: Path) -> None:
    """Raise if the workspace has another automations file: only one of two is read."""
    if (found := workspace_of_place(folder / file)) is None:
        return
    workspace, place = found
    for other in PLACES:
        if other == place or not is_there(workspace / other):
            continue
        fate = "would no longer be read" if PLACES.index(place) < PLACES.index(other) else "is read instead"
        shown = other if workspace == folder else workspace / other
        raise SupervisorError(
            f'cannot write "{file}": "{shown}" exists already and {fate}; edit that, or move it away first'
        )


def _write(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            try:
                out.write(starter_text())
                out.flush()
            except OSError:  # half a file would block the next attempt
                file.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise SupervisorError(f'cannot write "{file}": it exists already; name another file') from None
    except OSError as error:
        raise SupervisorError(f'cannot write "{file}": {error.strerror or error}') from error
