"""Collects the values of secrets that this machine knows, so that they can be masked wherever they were printed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from supervisor.bundle.archive import LeftOut
from supervisor.bundle.context import BundleContext
from supervisor.bundle.shapes import is_secret_name
from supervisor.bundle.start_options import process_environ
from supervisor.bundle.state import rows
from supervisor.bundle.workspace_file import automations_file
from supervisor.config.document import source
from supervisor.config.problem import Problem
from supervisor.shim.regular_file import read_regular

LEAST = 4
"""A shorter value occurs in every second word."""
_PLAIN = re.compile(r"true|false|none|null|yes|off|[0-9]{1,5}", re.IGNORECASE)


def known_secrets(context: BundleContext) -> set[str]:
    """All values that must not be in the bundle, from every place that holds secrets by name."""
    found = {*_key(context.state / "token.key"), *_of_variables(context.environ)}
    if context.pid is not None:
        found.update(_of_variables(process_environ(context.pid)))
    found.update(_text(path).strip() for path in context.token_files)
    for spec in context.specs:
        found.update(_of_json(_parsed(_text(spec))))
    with contextlib.suppress(Exception):  # the entry of the records reports a damaged database
        for _, _, _, body in rows(context.state):
            found.update(_of_json(_parsed(body)))
    if context.file is not None:
        with contextlib.suppress(LeftOut):  # its own entry is left out as well
            content = automations_file(context.file, context.workspace)
            found.update(_of_entries(content.decode("utf-8", "surrogateescape")))
    return {value for value in found if value.strip()}


def _key(path: Path) -> Iterator[str]:
    """The key that signs tokens. It is binary."""
    with contextlib.suppress(OSError):
        yield read_regular(path, 4096).decode("utf-8", "surrogateescape")


def _of_variables(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if is_secret_name(name) and len(value) >= LEAST and not _PLAIN.fullmatch(value):
            yield value


def _of_json(value: Any) -> Iterator[str]:
    """Texts under secret names, at any depth, and variables with secret names."""
    match value:
        case {"_": "EnvVar", "name": str(name), "value": str(text)}:
            yield from _of_variables({name: text})
        case {"_": "Docker", "environment": [*entries]}:
            yield from _of_variables(dict(str(entry).partition("=")[::2] for entry in entries))
        case Mapping():
            for name, item in value.items():
                yield from _of_variables({str(name): item}) if isinstance(item, str) else _of_json(item)
        case list():
            for item in value:
                yield from _of_json(item)
        case _:
            return


def _of_entries(text: str) -> Iterator[str]:
    """The secrets among `KEY=VALUE` and `KEY: VALUE` in an automations file, valid or not."""
    for name, value in re.findall(
        r"""([A-Za-z0-9_]{1,64})\s?[=:]\s?["']?([^\s"'\[{][^\s"']{3,4095})""", text
    ):
        for each in {value, value.rstrip(")]},;")}:
            yield from _of_variables({name: each})


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _text(path: Path) -> str:
    """The text of a file; empty if it cannot be read."""
    data = source.read(path)
    return "" if isinstance(data, Problem) else data.decode("utf-8", "surrogateescape")
