"""The runner's initial-spec.json: a JSON object. Three of its keys are settings; the others are for other programs.

It is read at the start, and again for its token when the management plane refuses the last one. Reading never blocks,
whatever the path leads to, and stops at the size limit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from supervisor.config.document.source import Unreadable, read_file
from supervisor.model.errors import BadSettings
from supervisor.settings import cwd
from supervisor.settings.resolved import Resolved, Spec, named_spec, resolve
from supervisor.settings.table import DEFAULT_SPEC, SETTINGS

LIMIT_BYTES = 1 << 20
_KEYS = tuple(setting.spec_key for setting in SETTINGS if setting.spec_key)


def read_settings(
    flags: Mapping[str, str], environ: Mapping[str, str], default_spec: str = DEFAULT_SPEC
) -> Resolved:
    """The settings of this start, from the flags, the variables and the runner's spec. Raises BadSettings.

    Paths are absolute, since the supervisor leaves the folder that it is started in.
    """
    named = named_spec(flags, environ)
    if named is None and not _is_there(default_spec):
        return _from_root(resolve(flags, environ))
    return _from_root(resolve(flags, environ, read_spec(named or default_spec)))


def _from_root(resolved: Resolved) -> Resolved:
    values, errors = dict(resolved.values), []
    for name, value in resolved.values.items():
        if isinstance(value, Path) and not value.is_absolute():
            try:
                values[name] = Path(cwd.absolute(str(value)))
            except ValueError as error:
                origin = resolved.origins[name]
                errors.append(f'cannot use {origin.name} "{origin.text}": {error}')
    if errors:
        raise BadSettings(errors)
    return Resolved(values, resolved.origins, resolved.notices)


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # reading it says what is wrong
    return True


def read_spec(path: str | Path) -> Spec:
    """Read the spec at this path; what is wrong with it stands in its `problems`."""
    try:
        return parse_spec(str(path), read_file(cwd.absolute(str(path)), LIMIT_BYTES))
    except (Unreadable, ValueError) as error:
        return Spec(str(path), problems=(_sentence(path, str(error)),))


def parse_spec(path: str, content: bytes) -> Spec:
    """Read the spec from the bytes of its file. A key that is null or an empty text counts as absent."""
    if len(content) > LIMIT_BYTES:
        return Spec(path, problems=(_sentence(path, "it is larger than 1 MiB"),))

    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Spec(path, problems=(_sentence(path, f"it is not UTF-8 at byte {error.start}"),))
    except json.JSONDecodeError as error:
        # Without str(error) and the text around it: a token may stand there.
        where = f"line {error.lineno}, column {error.colno}"
        return Spec(path, problems=(_sentence(path, f"it is not JSON at {where}"),))
    except (ValueError, RecursionError):
        return Spec(path, problems=(_sentence(path, "it is not JSON that makes sense"),))
    if not isinstance(document, dict):
        return Spec(path, problems=(_sentence(path, "it is not a JSON object"),))
    given = {key: document[key] for key in _KEYS if document.get(key) not in (None, "")}
    return Spec(
        path,
        {key: value for key, value in given.items() if isinstance(value, str)},
        tuple(
            f"cannot use {key} in {path}: it is not a text"
            for key, value in given.items()
            if not isinstance(value, str)
        ),
    )


def _sentence(path: str | Path, why: str) -> str:
    return f"cannot use the runner's spec {path}: {why}"
