"""Which supervisor the bundle is about, whether it runs or not, and whom to ask about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from supervisor.doctor.findings import Finding
from supervisor.shim.regular_file import read_regular

Question = Literal["status", "recent", "activity", "services", "tasks", "executions"]
"""What the bundle asks a running supervisor. The entry `supervisor/<question>.json` has the answer."""


class Sources(Protocol):
    """Answers that take a moment: each is asked for when its entry is packed."""

    def answer(self, question: Question) -> Any:
        """The running supervisor's answer, as JSON. Raises SupervisorError."""

    def config(self) -> Any:
        """Every setting with its source, as JSON."""

    def findings(self) -> list[Finding]:
        """The doctor's findings on this machine."""


@dataclass(frozen=True, slots=True)
class BundleContext:
    """One supervisor: its process, its files, and whom to ask about it."""

    pid: int | None
    """The supervisor's process; None: none runs, or nobody knows which it is."""
    state: Path
    """The state directory. It may not exist."""
    workspace: Path
    file: Path | None
    """The automations file."""
    specs: Sequence[Path]
    """Where the runner's initial-spec.json may be, the likeliest path first. None of them need exist."""
    token_files: Sequence[Path]
    """Where the environment's token may be."""
    environ: Mapping[str, str]
    """The environment of this process."""
    sources: Sources
    not_running: str
    """Why no supervisor can be asked; empty if one answers."""


def holder(state: Path) -> int | None:
    """The process of the supervisor that holds a state directory, or None."""
    try:
        pid = int(read_regular(state / "lock", 32))
        # The file keeps the last holder's number, which another process may have by now.
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"supervisor" in command else None
