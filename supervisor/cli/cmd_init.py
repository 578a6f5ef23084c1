"""`supervisor init`: a commented file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from supervisor.config.lookup import PLACES
from supervisor.config.starter import starter_text
from supervisor.model.errors import SupervisorError


@click.command("init")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(file: Path | None) -> None:
    """Write a commented automations file to FILE ("-": standard output).

    Without FILE: to .ona/automations.yaml. An existing file is never overwritten.
    """
    if str(file) == "-":
        click.echo(starter_text(), nl=False)
        return
    file = file or Path(PLACES[0])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(starter_text())
    except FileExistsError:
        raise SupervisorError(f'cannot write "{file}": it exists already; name another file') from None
    except OSError as error:
        raise SupervisorError(f'cannot write "{file}": {error.strerror or error}') from error
    click.echo(
        f'wrote {file}; check it with "supervisor validate {file}", run it with "supervisor run {file}"'
    )
