"""`supervisor init`: a commented file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from supervisor.config.lookup import PLACES, find_file, is_there, workspace_of_place
from supervisor.config.resources import starter_text
from supervisor.model.errors import SupervisorError
from supervisor.settings.cwd import current


@click.command("init")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(file: Path | None) -> None:
    """Write a commented automations file to FILE ("-": standard output).

    Without FILE: to .ona/automations.yaml. An existing file is never overwritten, and a workspace that has one gets no
    second: only one of them would be read.
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


def _refuse_inside_workspace(file: Path, folder: Path) -> None:
    """A folder above has an automations file: this one is hardly meant to be a workspace of its own."""
    for above in folder.parents:
        found = find_file(above).path
        if found is not None:
            raise SupervisorError(
                f'cannot write "{file}": this folder is inside the workspace {above}, which has "{found}"; '
                f'edit that, or make a file for this folder with "supervisor init {file}"'
            )


def _refuse_second(file: Path, folder: Path) -> None:
    """Of two files in a workspace only one is read."""
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
            except OSError:  # half of it would be in the way of the next attempt
                file.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise SupervisorError(f'cannot write "{file}": it exists already; name another file') from None
    except OSError as error:
        raise SupervisorError(f'cannot write "{file}": {error.strerror or error}') from error
