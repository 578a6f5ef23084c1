"""What the values of messages must hold, beside their types in `schemas/`: the contract's wire facts, as rules."""

from __future__ import annotations

from dataclasses import replace

from connect_server.field_rules import (
    Constraint,
    FieldRule,
    Rules,
    at_most,
    between,
    both,
    length,
    matches,
    nanoseconds,
    one_of,
)

DAY = 86_400 * 1_000_000_000
HALF_AN_HOUR = 1_800 * 1_000_000_000
# RFC 3986. No two neighbouring parts may match the same character: a long text that does not match would take a time
# that grows with the square of its length.
NAME = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})"
PATH = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})"
AUTHORITY = rf"//(?:(?:{NAME}|:)*@)?(?:\[[0-9A-Fa-fvV:.]+\]|{NAME}*)(?::[0-9]*)?"
REST = rf"(?:\?(?:{PATH}|\?)*)?(?:#(?:{PATH}|\?)*)?"
URI_PATTERN = rf"[A-Za-z][A-Za-z0-9+.-]*:(?:{AUTHORITY}(?:/{PATH}*)?|(?!//){PATH}*){REST}"
LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

REQUIRED = FieldRule(required=True)
DEFINED = FieldRule(defined=True)
NOT_EMPTY = FieldRule((Constraint("must not be empty", bool, shown=False),))
UUID = matches("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", "must be a UUID")
URI = matches(URI_PATTERN, "must be a URI with its scheme")
REFERENCE = matches("[a-zA-Z0-9_-]{1,128}", 'must have 1 to 128 letters, digits, "_" and "-"')
RELATIVE_PATH = FieldRule(
    (Constraint('must be a relative path, without "/" at its start', lambda text: not text.startswith("/")),)
)
HOST = matches(
    rf"({LABEL}[.])*{LABEL}(:{PORT})?", "must be a host name or an address, with or without a port"
)
TRIGGER = one_of("manual", "postEnvironmentStart", "postDevcontainerStart", "prebuild")
UP_TO_A_DAY = FieldRule(
    (Constraint("must be from 0s to 86400s", lambda value: 0 <= nanoseconds(value) <= DAY),)
)
TIMEOUT = FieldRule(
    (
        Constraint(
            "must be 0s (never) or at least 1800s",
            lambda value: nanoseconds(value) == 0 or nanoseconds(value) >= HALF_AN_HOUR,
        ),
    )
)
OUTPUT = FieldRule(keys=length(1, 128), each=length(0, 4096))
TCP_PORT = between(1024, 65535)
UUIDS = FieldRule(each=UUID)
UP_TO_25_UUIDS = at_most(25, UUID)
UP_TO_25_TEXTS = at_most(25, NOT_EMPTY)

# {message without `gitpod.v1.`: {field or oneof: rule}}. The messages of `supervisor.v1` have none.
_RULES: dict[str, dict[str, FieldRule]] = {
    "AutomationsFile": {"services": FieldRule(keys=REFERENCE), "tasks": FieldRule(keys=REFERENCE)},
    "AutomationsFile.Service": {
        "name": NOT_EMPTY,
        "triggered_by": FieldRule(each=TRIGGER),
        "role": one_of("", "default", "editor", "ai-agent"),
        "readiness_timeout": UP_TO_A_DAY,
    },
    "AutomationsFile.Task": {
        "name": NOT_EMPTY,
        "command": NOT_EMPTY,
        "triggered_by": FieldRule(each=TRIGGER),
    },
    "ContextURLInitializer": {"url": URI},
    "CreateEnvironmentAccessTokenRequest": {"environment_id": replace(UUID, required=True)},
    "CreateEnvironmentAccessTokenResponse": {"access_token": REQUIRED},
    "CreateEnvironmentLogsTokenRequest": {"environment_id": UUID},
    "CreateEnvironmentLogsTokenResponse": {"access_token": REQUIRED},
    "CreateServiceRequest": {"environment_id": UUID},
    "CreateServiceResponse": {"service": REQUIRED},
    "CreateTaskRequest": {"environment_id": UUID, "depends_on": UUIDS},
    "CreateTaskResponse": {"task": REQUIRED},
    "DeleteServiceRequest": {"id": UUID},
    "DeleteTaskRequest": {"id": UUID},
    "EnvironmentActivitySignal": {"source": length(3, 80)},
    "EnvironmentGitStatus": {"unpushed_commits": at_most(101), "changed_files": at_most(101)},
    "EnvironmentInitializer.Spec": {"spec": REQUIRED},
    "EnvironmentMetadata": {"organization_id": UUID, "name": length(0, 80), "prebuild_id": UUID},
    "EnvironmentSpec": {"workflow_action_id": UUID, "security_policy_id": replace(UUID, if_populated=True)},
    "EnvironmentSpec.AutomationsFile": {"automations_file_path": RELATIVE_PATH},
    "EnvironmentSpec.DevContainer": {"devcontainer_file_path": RELATIVE_PATH, "lifecycle_stage": DEFINED},
    "EnvironmentSpec.DevContainer.Dotfiles": {"repository": replace(URI, required=True)},
    "EnvironmentSpec.EnvironmentPort": {"port": TCP_PORT, "name": length(1, 100)},
    "EnvironmentSpec.Secret": {"mount": REQUIRED},
    "EnvironmentSpec.Timeout": {"disconnected": TIMEOUT},
    "EnvironmentStatus.Content": {"phase": DEFINED},
    "EnvironmentStatus.DevContainer": {"phase": DEFINED},
    "EnvironmentStatus.EnvironmentPortURL": {"port": TCP_PORT},
    "EnvironmentStatus.Machine": {"phase": DEFINED},
    "EnvironmentStatus.RunnerACK": {"status_code": DEFINED},
    "EnvironmentVariableItem": {"name": NOT_EMPTY},
    "FileChange": {"path": length(0, 255), "old_path": length(0, 255)},
    "GetEnvironmentRequest": {"environment_id": replace(UUID, required=True)},
    "GetEnvironmentResponse": {"environment": REQUIRED},
    "GetServiceRequest": {"id": UUID},
    "GetServiceResponse": {"service": REQUIRED},
    "GetTaskExecutionRequest": {"id": UUID},
    "GetTaskExecutionResponse": {"task_execution": REQUIRED},
    "GetTaskRequest": {"id": UUID},
    "GetTaskResponse": {"task": REQUIRED},
    "ListServicesRequest.Filter": {
        "environment_ids": UP_TO_25_UUIDS,
        "references": UP_TO_25_TEXTS,
        "service_ids": UP_TO_25_UUIDS,
        "roles": at_most(25, DEFINED),
    },
    "ListTaskExecutionsRequest.Filter": {
        "task_ids": UP_TO_25_UUIDS,
        "task_references": at_most(25),
        "environment_ids": UP_TO_25_UUIDS,
        "phases": at_most(25),
    },
    "ListTasksRequest.Filter": {
        "environment_ids": UP_TO_25_UUIDS,
        "references": UP_TO_25_TEXTS,
        "task_ids": UP_TO_25_UUIDS,
    },
    "MarkEnvironmentActiveRequest": {"environment_id": UUID},
    "PaginationRequest": {"page_size": between(0, 100)},
    "RunsOn.Docker": {"image": NOT_EMPTY},
    "Secret.Source.OidcJFrog": {"host": both(NOT_EMPTY, HOST), "provider_name": NOT_EMPTY},
    "SecretRef": {"id": UUID},
    "Service": {"id": UUID, "environment_id": UUID},
    "ServiceMetadata": {"reference": REFERENCE, "name": NOT_EMPTY},
    "ServiceSpec": {"desired_phase": DEFINED, "readiness_timeout": UP_TO_A_DAY},
    "ServiceSpec.Commands": {"start": NOT_EMPTY},
    "ServiceStatus": {"output": OUTPUT},
    "StartEnvironmentRequest": {"environment_id": UUID},
    "StartServiceRequest": {"id": UUID},
    "StartTaskRequest": {"id": UUID},
    "StartTaskResponse": {"task_execution": REQUIRED},
    "StopEnvironmentRequest": {"environment_id": UUID},
    "StopServiceRequest": {"id": UUID},
    "StopTaskExecutionRequest": {"id": UUID},
    "Subject": {"id": replace(UUID, if_populated=True), "principal": DEFINED},
    "Task": {"id": UUID, "environment_id": UUID, "depends_on": UUIDS},
    "TaskExecution": {"id": UUID},
    "TaskExecutionMetadata": {"task_id": UUID, "environment_id": UUID},
    "TaskExecutionSpec": {"desired_phase": DEFINED},
    "TaskExecutionSpec.Step": {"id": UUID, "service_id": UUID},
    "TaskExecutionSpec.Task": {"id": UUID},
    "TaskExecutionStatus.Step": {"id": UUID, "phase": DEFINED, "output": OUTPUT},
    "TaskMetadata": {"reference": REFERENCE, "name": NOT_EMPTY},
    "UpdateEnvironmentRequest": {"environment_id": UUID},
    "UpdateEnvironmentRequest.AutomationsFile": {"automations_file_path": RELATIVE_PATH},
    "UpdateEnvironmentRequest.DevContainer": {"devcontainer_file_path": RELATIVE_PATH},
    "UpdateEnvironmentRequest.Metadata": {"name": length(0, 128)},
    "UpdateEnvironmentRequest.Timeout": {"disconnected": TIMEOUT},
    "UpdateServiceRequest": {"id": UUID},
    "UpdateServiceRequest.ServiceMetadata": {"name": NOT_EMPTY},
    "UpdateServiceRequest.ServiceSpec": {"readiness_timeout": UP_TO_A_DAY},
    "UpdateServiceRequest.ServiceStatus": {"phase": DEFINED},
    "UpdateTaskRequest": {"id": UUID, "depends_on": UUIDS},
    "UpdateTaskRequest.TaskMetadata": {"name": NOT_EMPTY},
    "UpsertAutomationsFileRequest": {"environment_id": UUID},
    "WatchEventsRequest": {"resource_type_filters": at_most(50)},
    "WatchEventsRequest.ResourceTypeFilter": {
        "resource_type": FieldRule((Constraint("must be set", bool, shown=False),), defined=True),
        "resource_ids": UP_TO_25_UUIDS,
        "creator_ids": UP_TO_25_UUIDS,
    },
    "WatchEventsResponse": {"resource_id": UUID},
}

RULES: Rules = {f"gitpod.v1.{message}": rules for message, rules in _RULES.items()}
"""For `connect_server.validation.Validator`."""
