"""`supervisor update`: applies an automations file in the running supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from supervisor.cli.common_options import file_argument, output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import print_json, with_client
from supervisor.cli.remote.responses import Json
from supervisor.config.document.source import read
from supervisor.config.problem import Problem, Severity
from supervisor.model.errors import SupervisorError
from supervisor.settings import cwd

_CHANGES = ("added", "removed", "restarted", "updated")


@click.command("update")
@with_client
@file_argument
@click.option("--replace", is_flag=True, help='With "-": remove all other items that came through the API.')
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@output_format
def update(client: Client, file: Path | None, replace: bool, dry_run: bool, format_: str) -> int:
    """Read the workspace's automations file again, apply FILE in its place, or add the items of standard input ("-").

    Standard input adds and changes items beside those of the file, as the API does: it removes nothing, and no edit
    of the file removes the items that it has added. FILE counts as an edit of the workspace's file: new items are
    added, and items that the file had and FILE has not are removed.

    A file with problems changes nothing: its problems are printed, and the exit status is 1. A workspace's file that
    somebody has open for writing is not read.
    """
    from_stdin = str(file) == "-"
    if replace and not from_stdin:
        raise click.UsageError(
            '--replace goes with "-": FILE always replaces the earlier content of the file'
        )
    content = None if file is None else _content(file)
    upserts: Json = {"source": "api", "replace": replace} if from_stdin else {}
    answer = client.control("update", content=content, dryRun=dry_run, **upserts)
    if format_ == "json":
        print_json(answer)
    else:
        _print(answer, "<stdin>" if from_stdin else str(file or _shown(answer["path"])), dry_run)
    return 0 if answer["changes"] is not None else 1


def _content(file: Path) -> str:
    data = read(file)
    if isinstance(data, Problem):
        raise SupervisorError(f"cannot update: {data.render(str(file))}")
    # Bytes that are not UTF-8 travel as surrogates, so that the supervisor can report them.
    return data.decode("utf-8", "surrogateescape")


def _print(answer: Json, name: str, dry_run: bool) -> None:
    for problem in answer["problems"]:
        click.echo(_problem(problem).render(name), err=True)
    changes = answer["changes"]
    if changes is None:
        click.echo(f"supervisor: {name} is refused: nothing changes", err=True)
        return
    done = [f"{word}: {', '.join(changes[word])}" for word in _CHANGES if changes[word]]
    if not done:
        click.echo("nothing would change" if dry_run else "nothing has changed")
    for line in done:
        click.echo(f"would be {line}" if dry_run else line)


def _problem(fields: dict[str, Any]) -> Problem:
    return Problem(**fields | {"severity": Severity(fields["severity"])})


def _shown(path: str) -> str:
    """A path relative to the current folder, if it is below that."""
    here = cwd.started_in()
    return path.removeprefix(f"{here}/") if here else path
