"""What clients ask for, as specs. What a message says that a record cannot hold is refused, naming the field.

The rules of the wire (`rules`) have refused their part before; `translate` goes the other way.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from google.protobuf.duration_pb2 import Duration

from platform_wire import environment_automation_pb2 as pb
from supervisor.api.platform.to_wire import ROLES, TRIGGERS
from supervisor.model.spec import (
    SERVICE_TRIGGERS,
    Docker,
    EnvVar,
    Machine,
    Role,
    RunsOn,
    SecretRef,
    ServiceSpec,
    TaskSpec,
    Trigger,
)


def invalid(field: str, why: str) -> ConnectError:
    """The error for a field that cannot be what it is."""
    return ConnectError(Code.INVALID_ARGUMENT, f"{field}: {why}")


def read_triggers(
    field: str, messages: Iterable[pb.AutomationTrigger], allowed: frozenset[Trigger] = frozenset(Trigger)
) -> tuple[Trigger, ...]:
    """Triggers from objects with one key set to true. Raises ConnectError."""
    found = []
    for index, message in enumerate(messages):
        name = message.WhichOneof("trigger")
        if name is None or not getattr(message, name):
            raise invalid(f"{field}[{index}]", "must have one trigger set to true")
        trigger = TRIGGERS[name]
        if trigger not in allowed:
            raise invalid(f"{field}[{index}]", f"a service cannot be triggered by {trigger.value}")
        found.append(trigger)
    return tuple(dict.fromkeys(found))


def read_service_triggers(field: str, messages: Iterable[pb.AutomationTrigger]) -> tuple[Trigger, ...]:
    """The triggers of a service, which has one less than a task."""
    return read_triggers(field, messages, SERVICE_TRIGGERS)


def read_role(field: str, role: pb.ServiceRole) -> Role:
    """A service's role; unspecified is the default one. Raises ConnectError for one that no file may have."""
    if role == pb.SERVICE_ROLE_UNSPECIFIED:
        return Role.DEFAULT
    for ours, theirs in ROLES.items():
        if theirs == role:
            return ours
    raise invalid(field, f"a service here cannot have the role {pb.ServiceRole.Name(role)}")


def read_runs_on(field: str, message: pb.RunsOn) -> RunsOn:
    """Where a command runs. Raises ConnectError if it says neither docker nor machine."""
    match message.WhichOneof("target"):
        case "docker":
            return Docker(message.docker.image, tuple(message.docker.environment))
        case "machine":
            return Machine()
        case _:
            raise invalid(field, "must have docker or machine")


def read_variables(field: str, messages: Iterable[pb.EnvironmentVariableItem]) -> tuple[EnvVar, ...]:
    """Variables of an item. Raises ConnectError for one without a value."""
    found = []
    for index, message in enumerate(messages):
        match message.WhichOneof("source"):
            case "value":
                found.append(EnvVar(message.name, message.value))
            case "value_from" if message.value_from.WhichOneof("source") == "secret_ref":
                found.append(EnvVar(message.name, SecretRef(message.value_from.secret_ref.id)))
            case _:
                raise invalid(f"{field}[{index}]", "must have a value or a secret to take it from")
    return tuple(found)


def read_service_spec(message: pb.ServiceSpec) -> ServiceSpec:
    """What a new service runs. Raises ConnectError."""
    if not message.commands.start:
        raise invalid("spec.commands.start", "must not be empty")
    return ServiceSpec(
        start=message.commands.start,
        ready=message.commands.ready,
        stop=message.commands.stop,
        runs_on=read_runs_on("spec.runsOn", message.runs_on) if message.HasField("runs_on") else None,
        env=read_variables("spec.env", message.env),
        readiness_timeout_s=seconds(message.readiness_timeout),
    )


def read_task_spec(message: pb.TaskSpec) -> TaskSpec:
    """What a new task runs. Raises ConnectError."""
    if not message.command:
        raise invalid("spec.command", "must not be empty")
    return TaskSpec(
        command=message.command,
        runs_on=read_runs_on("spec.runsOn", message.runs_on) if message.HasField("runs_on") else None,
        env=read_variables("spec.env", message.env),
        prebuild_requires_success=message.prebuild_requires_success,
    )


def seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9
