"""The files that flags and variables name: those of the running supervisor, and the variables of this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from supervisor.settings.table import Setting
from supervisor.shim.regular_file import read_regular


def named_files(
    setting: Setting[Any], pid: int | None, environ: Mapping[str, str], state: Path | None = None
) -> list[Path]:
    """The files that a setting names, those of the running supervisor first.

    Args:
        setting: its value is a path.
        pid: the supervisor's process; None: none runs.
        environ: the variables of this process.
        state: the supervisor's state directory.
    """
    folders = [] if pid is None else _folders(pid, state)
    found = [Path(folder, name) for name in (_of_process(setting, pid) if pid else []) for folder in folders]
    return [*found, *(Path(name) for name in [environ.get(setting.variable, "")] if name)]


def process_environ(pid: int) -> dict[str, str]:
    """The environment that a process was started with; empty if it cannot be read."""
    entries = (entry.partition("=") for entry in _words(pid, "environ"))
    return {name: value for name, equals, value in entries if equals}


def _of_process(setting: Setting[Any], pid: int) -> Iterator[str]:
    words = _words(pid, "cmdline")
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == setting.flag:
            yield following
        elif word.startswith(f"{setting.flag}="):
            yield word.partition("=")[2]
    if name := process_environ(pid).get(setting.variable, ""):
        yield name


def _words(pid: int, name: str) -> list[str]:
    try:
        data = Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return []
    return data.decode("utf-8", "surrogateescape").removesuffix("\0").split("\0")


def _folders(pid: int, state: Path | None) -> list[str]:
    """The folders that a supervisor's relative paths may start from. A newer one has left the folder of its start."""
    folders = []
    try:
        if state is not None:
            folders.append(os.fsdecode(read_regular(state / "cwd", 4097)).rstrip("\n"))
    except OSError:
        pass
    try:
        folders.append(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        pass
    return folders or ["/"]
