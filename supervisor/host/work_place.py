"""Where clients work: where their commands and terminals run, where their files are, and what is watched for them.

The machine for now. In a dev container the same questions have other answers, and who asks them stays as it is: the
worker of the workspace (files, git, Watch) and what begins terminals; of the workspace alone, what takes operations
and what the environment reports of itself. What an operation sees is composed as for tasks: `runs.spawn`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.users.account import Account


class WorkPlace(Protocol):
    """One place to work at."""

    @property
    def workspace(self) -> str:
        """The absolute path of the workspace folder, as it is seen there."""

    @property
    def environment(self) -> CommandEnvironment:
        """What commands see there."""

    @property
    def account(self) -> Account | None:
        """The user that processes become there; None: they stay ours."""


@dataclass(frozen=True, slots=True)
class MachinePlace:
    """The machine that the supervisor itself runs on."""

    environment: CommandEnvironment
    account: Account | None = None

    @property
    def workspace(self) -> str:
        """The folder that commands start in."""
        return self.environment.workspace
