"""What a user asks for: services, tasks, triggers, where a command runs.

Specs are values: frozen, compared by content, shared freely. Their meaning is in the contract's
`automations-file.md`; `config` makes them from a file, the API from messages.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from supervisor.lean.frozen import dataclass, field


class Trigger(enum.Enum):
    """When an item starts by itself. The value is the name in the file."""

    MANUAL = "manual"
    POST_MACHINE_START = "postMachineStart"
    POST_DEVCONTAINER_START = "postDevcontainerStart"
    POST_ENVIRONMENT_START = "postEnvironmentStart"
    PREBUILD = "prebuild"
    BEFORE_SNAPSHOT = "beforeSnapshot"


SERVICE_TRIGGERS = frozenset(Trigger) - {Trigger.BEFORE_SNAPSHOT}
TASK_TRIGGERS = frozenset(Trigger)


class Role(enum.Enum):
    """What a service is to the platform. The value is the name in the file; `""` and absent mean DEFAULT."""

    DEFAULT = "default"
    EDITOR = "editor"
    AI_AGENT = "ai-agent"


@dataclass(frozen=True, slots=True)
class Machine:
    """The command runs on the machine itself."""


@dataclass(frozen=True, slots=True)
class Docker:
    """The command runs in a container of `image`, with `environment` entries of the form `KEY=VALUE`."""

    image: str
    environment: tuple[str, ...] = ()


RunsOn = Machine | Docker


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Names a secret whose value is looked up when the command starts."""

    id: str


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One variable of an item's environment: a literal value or a secret."""

    name: str
    value: str | SecretRef


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a service runs. Two equal specs run the same: a difference restarts a running service."""

    start: str
    ready: str = ""
    stop: str = ""
    runs_on: RunsOn | None = None
    env: tuple[EnvVar, ...] = ()
    readiness_timeout_s: float = 0.0
    """0: no timeout."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What one task runs. Frozen into a plan when an execution is made."""

    command: str
    runs_on: RunsOn | None = None
    env: tuple[EnvVar, ...] = ()
    prebuild_requires_success: bool = False


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """A service as the file writes it: its spec and what people and triggers know it by."""

    reference: str
    name: str
    spec: ServiceSpec
    description: str = ""
    triggers: tuple[Trigger, ...] = ()
    role: Role = Role.DEFAULT


@dataclass(frozen=True, slots=True)
class TaskItem:
    """A task as the file writes it. `depends_on` holds references of tasks and services of the same file."""

    reference: str
    name: str
    spec: TaskSpec
    description: str = ""
    triggers: tuple[Trigger, ...] = ()
    depends_on: tuple[str, ...] = ()


def _no_services() -> Mapping[str, ServiceItem]:
    return MappingProxyType({})


def _no_tasks() -> Mapping[str, TaskItem]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AutomationsFile:
    """A whole file: `{reference: item}` in the order of the file. References are unique over both maps."""

    services: Mapping[str, ServiceItem] = field(default_factory=_no_services)
    tasks: Mapping[str, TaskItem] = field(default_factory=_no_tasks)
