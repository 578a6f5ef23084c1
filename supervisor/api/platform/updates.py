"""Updates: an item with what a request sets, and everything else as it was."""

from __future__ import annotations

from dataclasses import replace

from platform_wire import environment_automation_pb2 as pb
from supervisor.api.platform.from_wire import (
    invalid,
    read_role,
    read_runs_on,
    read_service_triggers,
    read_triggers,
    read_variables,
    seconds,
)
from supervisor.model.spec import ServiceItem, ServiceSpec, TaskItem, TaskSpec


def required(field: str, value: str) -> str:
    """The value, which must not be empty. Raises ConnectError."""
    if not value:
        raise invalid(field, "must not be empty")
    return value


def with_service_metadata(
    item: ServiceItem, metadata: pb.UpdateServiceRequest.ServiceMetadata
) -> ServiceItem:
    """A service known by what the update says. Raises ConnectError."""
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
    """A service that runs what the update says. Raises ConnectError."""
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
    """A task known by what the update says. Raises ConnectError."""
    if metadata.HasField("name"):
        item = replace(item, name=metadata.name)
    if metadata.HasField("description"):
        item = replace(item, description=metadata.description)
    if metadata.HasField("triggered_by"):
        triggers = read_triggers("metadata.triggeredBy.trigger", metadata.triggered_by.trigger)
        item = replace(item, triggers=triggers)
    return item


def with_task_spec(spec: TaskSpec, update: pb.UpdateTaskRequest.TaskSpec) -> TaskSpec:
    """A task that runs what the update says. Raises ConnectError."""
    if update.HasField("command"):
        spec = replace(spec, command=required("spec.command", update.command))
    if update.HasField("runs_on"):
        spec = replace(spec, runs_on=read_runs_on("spec.runsOn", update.runs_on))
    if update.env:
        spec = replace(spec, env=read_variables("spec.env", update.env))
    if update.HasField("prebuild_requires_success"):
        spec = replace(spec, prebuild_requires_success=update.prebuild_requires_success)
    return spec
