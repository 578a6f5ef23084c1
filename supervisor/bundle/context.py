"""What the bundle is about: one supervisor, whether it runs or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.doctor.finding import Finding
from supervisor.shim.regular_file import read_regular


@dataclass(frozen=True, slots=True)
class Scene:
    """Whom and what to look at, and how to ask."""

    pid: int | None
    """The supervisor; None: none runs, or it cannot be told which."""
    state: Path
    """The state directory; it may not be there."""
    workspace: Path
    file: Path | None
    """The automations file."""
    specs: Sequence[Path]
    """What may be the runner's initial-spec.json, the likeliest first; not one need be there."""
    token_files: Sequence[Path]
    """What may hold the environment's token."""
    environ: Mapping[str, str]
    """Of this process."""
    ask: Mapping[str, Callable[[], Any]]
    """{name: what the running supervisor answers, as JSON}; empty: none runs."""
    not_running: str
    """Why none could be asked; empty: one runs."""
    config: Callable[[], Any]
    """Every setting with its source, as JSON."""
    examine: Callable[[], list[Finding]]
    """The doctor's round."""


def holder(state: Path) -> int | None:
    """The supervisor that holds a state directory; None: nobody does."""
    try:
        pid = int(read_regular(state / "lock", 32))
        # The file keeps the number of the last holder; another process may have it now.
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"supervisor" in command else None
