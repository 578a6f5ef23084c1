"""`supervisor validate`: all problems of an automations file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from supervisor.cli.common_options import file_argument, load, output_format
from supervisor.config import Loaded


@click.command("validate")
@file_argument
@output_format
def validate(file: Path | None, format_: str) -> int:
    """Check FILE, or the workspace's automations file, or standard input for "-".

    Prints one line for each problem, as FILE:LINE:COLUMN: PATH: MESSAGE. Exits 0 if the file is valid (warnings do not
    count), 1 if it is not, 2 if the command line is wrong.
    """
    name, loaded = load(file)
    click.echo(_as_json(name, loaded) if format_ == "json" else _as_text(name, loaded))
    return 0 if loaded.file is not None else 1


def _as_text(name: str, loaded: Loaded) -> str:
    lines = [problem.render(name) for problem in loaded.problems]
    if loaded.file is not None:
        lines.append(f"{name}: valid: {_count(len(loaded.file.services), 'service')}, "
                     f"{_count(len(loaded.file.tasks), 'task')}")  # fmt: skip
    else:
        lines.append(f"{name}: {_count(len(loaded.errors), 'error')}")
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _as_json(name: str, loaded: Loaded) -> str:
    problems = [problem.as_json() for problem in loaded.problems]
    return json.dumps({"file": name, "valid": loaded.file is not None, "problems": problems}, indent=2)
