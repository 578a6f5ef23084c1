"""What a new terminal begins with: variables, folder, user, control group."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.host.proc.cgroups import Cgroups
from supervisor.host.proc.process import RUNS_MARKER
from supervisor.host.runs.spawn.environ import compose
from supervisor.host.work_place import WorkPlace
from supervisor.model.ids import fresh
from supervisor.shim.protocol import UserIds, encode_user
from supervisor.terminals.holder_protocol import NewShell

MOST_TERMINALS = 64
COLS, ROWS = 80, 24
"""Of a terminal for which no size is given."""
_DEFAULTS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
_OF_ANOTHER_SIZE = ("COLUMNS", "LINES")
"""Of the terminal that the supervisor was started on: programs believe them more than the kernel."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class TerminalMaker:
    """Composes terminals for one supervisor."""

    place: WorkPlace
    """Where shells run."""
    runs: Path
    """The folder of run directories: the marker of all that commands and terminals start."""
    cgroups: Cgroups | None = None

    @property
    def workspace(self) -> str:
        """The folder that terminals start in."""
        return self.place.workspace

    @property
    def default_shell(self) -> str:
        """The user's shell."""
        return self.place.environment.base.get("SHELL") or _SHELL

    def new_shell(
        self,
        shell: str = "",
        cwd: str = "",
        size: tuple[int, int] = (0, 0),
        env: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> NewShell:
        """A terminal to be made. What is empty, or 0, is the default. `cwd`: an absolute path."""
        id_, account = fresh(), self.place.account
        user = UserIds(account.uid, account.gid, account.groups) if account else None
        return NewShell(
            id=id_,
            shell=shell or self.default_shell,
            cwd=cwd or self.workspace,
            env=self.variables(cwd or self.workspace, env or {}),
            cols=size[0] or COLS,
            rows=size[1] or ROWS,
            annotations=dict(annotations or {}),
            most=MOST_TERMINALS,
            user=encode_user(user),
            cgroup=self.cgroups.make(f"terminal-{id_}") if self.cgroups else "",
        )

    def variables(self, cwd: str, given: Mapping[str, str]) -> dict[str, str]:
        """What the shell sees: what commands do, but for what is about a run, and what is given."""
        common = self.place.environment
        base = {name: value for name, value in common.base.items() if name not in _OF_ANOTHER_SIZE}
        composed = compose(
            {**base, **_DEFAULTS},
            given,
            (),
            lambda _secret_id: None,
            workspace=cwd,
            run_id="",
            environment_id=common.environment_id,
            output="",
            socket=common.socket,
        )
        return composed | {RUNS_MARKER: os.fspath(self.runs)}

    def discard(self, new: NewShell) -> None:
        """It was not made: remove its control group."""
        if self.cgroups and new.cgroup:
            self.cgroups.discard(f"terminal-{new.id}")


def unusable_variable(env: Mapping[str, str]) -> str:
    """The name of a variable that no shell can have, or whose value none can; empty: all are good."""
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            return name or "''"
    return ""
