"""Messages to specs: what clients ask for, and items as an update leaves them. `to_wire` goes the other way.

A value that a record cannot hold is refused by the name of its field; the rules of the wire have refused their part
before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from google.protobuf.duration_pb2 import Duration

from connect_server.connect_errors import Code, ConnectError
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
    ServiceItem,
    ServiceSpec,
    TaskItem,
    TaskSpec,
    Trigger,
)


def invalid(field: str, why: str) -> ConnectError:
    """The error for a field's value."""
    return ConnectError(Code.INVALID_ARGUMENT, f"{field}: {why}")


def required(field: str, value: str) -> str:
    """The value, which must not be empty. Raises ConnectError."""
    if not value:
        raise invalid(field, "must not be empty")
    return value


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
    """A service's role; unspecified means the default. Raises ConnectError for one that no file may have."""
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
    return ServiceSpec(
        start=required("spec.commands.start", message.commands.start),
        ready=message.commands.ready,
        stop=message.commands.stop,
        runs_on=read_runs_on("spec.runsOn", message.runs_on) if message.HasField("runs_on") else None,
        env=read_variables("spec.env", message.env),
        readiness_timeout_s=seconds(message.readiness_timeout),
    )


def read_task_spec(message: pb.TaskSpec) -> TaskSpec:
    """What a new task runs. Raises ConnectError."""
    return TaskSpec(
        command=required("spec.command", message.command),
        runs_on=read_runs_on("spec.runsOn", message.runs_on) if message.HasField("runs_on") else None,
        env=read_variables("spec.env", message.env),
        prebuild_requires_success=message.prebuild_requires_success,
    )


def seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


# Updates --------------------------------------------------------------------------------------------------------------


def with_service_metadata(
    item: ServiceItem, metadata: pb.UpdateServiceRequest.ServiceMetadata
) -> ServiceItem:
    """A service with the metadata that an update sets. Raises ConnectError."""
    if metadata.HasField("name"):
        item = replace(item, name=metadata.name)
    if metadata.HasField("description"):
        item = replace(item, description=metadata.description)
    if metadata.HasField("triggered_by"):
        triggers = read_service_triggers("metadata.triggeredBy.trigger", metadata.triggered_by.trigger)
        item = replace(item, triggers=triggers)
    if metadata.HasField("role"):
        item = replace(item, role=read_role("metadata.role", metadata.role))
    return item


def with_service_spec(spec: ServiceSpec, update: pb.UpdateServiceRequest.ServiceSpec) -> ServiceSpec:
    """What a service runs, with the fields that an update sets. Raises ConnectError."""
    commands = update.commands
    if commands.HasField("start"):
        spec = replace(spec, start=required("spec.commands.start", commands.start))
    if commands.HasField("ready"):
        spec = replace(spec, ready=commands.ready)
    if commands.HasField("stop"):
        spec = replace(spec, stop=commands.stop)
    if update.HasField("runs_on"):
        spec = replace(spec, runs_on=read_runs_on("spec.runsOn", update.runs_on))
    if update.env:
        spec = replace(spec, env=read_variables("spec.env", update.env))
    if update.HasField("readiness_timeout"):
        spec = replace(spec, readiness_timeout_s=seconds(update.readiness_timeout))
    return spec


def with_task_metadata(item: TaskItem, metadata: pb.UpdateTaskRequest.TaskMetadata) -> TaskItem:
    """A task with the metadata that an update sets. Raises ConnectError."""
    if metadata.HasField("name"):
        item = replace(item, name=metadata.name)
    if metadata.HasField("description"):
        item = replace(item, description=metadata.description)
    if metadata.HasField("triggered_by"):
        triggers = read_triggers("metadata.triggeredBy.trigger", metadata.triggered_by.trigger)
        item = replace(item, triggers=triggers)
    return item


def with_task_spec(spec: TaskSpec, update: pb.UpdateTaskRequest.TaskSpec) -> TaskSpec:
    """What a task runs, with the fields that an update sets. Raises ConnectError."""
    if update.HasField("command"):
        spec = replace(spec, command=required("spec.command", update.command))
    if update.HasField("runs_on"):
        spec = replace(spec, runs_on=read_runs_on("spec.runsOn", update.runs_on))
    if update.env:
        spec = replace(spec, env=read_variables("spec.env", update.env))
    if update.HasField("prebuild_requires_success"):
        spec = replace(spec, prebuild_requires_success=update.prebuild_requires_success)
    return spec
