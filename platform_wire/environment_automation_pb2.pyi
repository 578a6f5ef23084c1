import datetime

from platform_wire import identity_pb2 as _identity_pb2
from platform_wire import pagination_pb2 as _pagination_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServicePhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_PHASE_UNSPECIFIED: _ClassVar[ServicePhase]
    SERVICE_PHASE_STARTING: _ClassVar[ServicePhase]
    SERVICE_PHASE_RUNNING: _ClassVar[ServicePhase]
    SERVICE_PHASE_STOPPING: _ClassVar[ServicePhase]
    SERVICE_PHASE_STOPPED: _ClassVar[ServicePhase]
    SERVICE_PHASE_FAILED: _ClassVar[ServicePhase]
    SERVICE_PHASE_DELETED: _ClassVar[ServicePhase]

class ServiceRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_ROLE_UNSPECIFIED: _ClassVar[ServiceRole]
    SERVICE_ROLE_DEFAULT: _ClassVar[ServiceRole]
    SERVICE_ROLE_EDITOR: _ClassVar[ServiceRole]
    SERVICE_ROLE_AI_AGENT: _ClassVar[ServiceRole]
    SERVICE_ROLE_SECURITY_AGENT: _ClassVar[ServiceRole]

class TaskExecutionPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_EXECUTION_PHASE_UNSPECIFIED: _ClassVar[TaskExecutionPhase]
    TASK_EXECUTION_PHASE_PENDING: _ClassVar[TaskExecutionPhase]
    TASK_EXECUTION_PHASE_RUNNING: _ClassVar[TaskExecutionPhase]
    TASK_EXECUTION_PHASE_SUCCEEDED: _ClassVar[TaskExecutionPhase]
    TASK_EXECUTION_PHASE_FAILED: _ClassVar[TaskExecutionPhase]
    TASK_EXECUTION_PHASE_STOPPED: _ClassVar[TaskExecutionPhase]
SERVICE_PHASE_UNSPECIFIED: ServicePhase
SERVICE_PHASE_STARTING: ServicePhase
SERVICE_PHASE_RUNNING: ServicePhase
SERVICE_PHASE_STOPPING: ServicePhase
SERVICE_PHASE_STOPPED: ServicePhase
SERVICE_PHASE_FAILED: ServicePhase
SERVICE_PHASE_DELETED: ServicePhase
SERVICE_ROLE_UNSPECIFIED: ServiceRole
SERVICE_ROLE_DEFAULT: ServiceRole
SERVICE_ROLE_EDITOR: ServiceRole
SERVICE_ROLE_AI_AGENT: ServiceRole
SERVICE_ROLE_SECURITY_AGENT: ServiceRole
TASK_EXECUTION_PHASE_UNSPECIFIED: TaskExecutionPhase
TASK_EXECUTION_PHASE_PENDING: TaskExecutionPhase
TASK_EXECUTION_PHASE_RUNNING: TaskExecutionPhase
TASK_EXECUTION_PHASE_SUCCEEDED: TaskExecutionPhase
TASK_EXECUTION_PHASE_FAILED: TaskExecutionPhase
TASK_EXECUTION_PHASE_STOPPED: TaskExecutionPhase

class AutomationTrigger(_message.Message):
    __slots__ = ("manual", "post_machine_start", "post_environment_start", "post_devcontainer_start", "prebuild", "before_snapshot")
    MANUAL_FIELD_NUMBER: _ClassVar[int]
    POST_MACHINE_START_FIELD_NUMBER: _ClassVar[int]
    POST_ENVIRONMENT_START_FIELD_NUMBER: _ClassVar[int]
    POST_DEVCONTAINER_START_FIELD_NUMBER: _ClassVar[int]
    PREBUILD_FIELD_NUMBER: _ClassVar[int]
    BEFORE_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    manual: bool
    post_machine_start: bool
    post_environment_start: bool
    post_devcontainer_start: bool
    prebuild: bool
    before_snapshot: bool
    def __init__(self, manual: _Optional[bool] = ..., post_machine_start: _Optional[bool] = ..., post_environment_start: _Optional[bool] = ..., post_devcontainer_start: _Optional[bool] = ..., prebuild: _Optional[bool] = ..., before_snapshot: _Optional[bool] = ...) -> None: ...

class AutomationsFile(_message.Message):
    __slots__ = ("services", "tasks")
    class Service(_message.Message):
        __slots__ = ("name", "description", "commands", "triggered_by", "runs_on", "role", "readiness_timeout")
        NAME_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        COMMANDS_FIELD_NUMBER: _ClassVar[int]
        TRIGGERED_BY_FIELD_NUMBER: _ClassVar[int]
        RUNS_ON_FIELD_NUMBER: _ClassVar[int]
        ROLE_FIELD_NUMBER: _ClassVar[int]
        READINESS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
        name: str
        description: str
        commands: ServiceSpec.Commands
        triggered_by: _containers.RepeatedScalarFieldContainer[str]
        runs_on: RunsOn
        role: str
        readiness_timeout: _duration_pb2.Duration
        def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., commands: _Optional[_Union[ServiceSpec.Commands, _Mapping]] = ..., triggered_by: _Optional[_Iterable[str]] = ..., runs_on: _Optional[_Union[RunsOn, _Mapping]] = ..., role: _Optional[str] = ..., readiness_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class Task(_message.Message):
        __slots__ = ("name", "description", "command", "depends_on", "triggered_by", "runs_on", "prebuild_requires_success")
        NAME_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        COMMAND_FIELD_NUMBER: _ClassVar[int]
        DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
        TRIGGERED_BY_FIELD_NUMBER: _ClassVar[int]
        RUNS_ON_FIELD_NUMBER: _ClassVar[int]
        PREBUILD_REQUIRES_SUCCESS_FIELD_NUMBER: _ClassVar[int]
        name: str
        description: str
        command: str
        depends_on: _containers.RepeatedScalarFieldContainer[str]
        triggered_by: _containers.RepeatedScalarFieldContainer[str]
        runs_on: RunsOn
        prebuild_requires_success: bool
        def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., command: _Optional[str] = ..., depends_on: _Optional[_Iterable[str]] = ..., triggered_by: _Optional[_Iterable[str]] = ..., runs_on: _Optional[_Union[RunsOn, _Mapping]] = ..., prebuild_requires_success: _Optional[bool] = ...) -> None: ...
    class ServicesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AutomationsFile.Service
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AutomationsFile.Service, _Mapping]] = ...) -> None: ...
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AutomationsFile.Task
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AutomationsFile.Task, _Mapping]] = ...) -> None: ...
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    services: _containers.MessageMap[str, AutomationsFile.Service]
    tasks: _containers.MessageMap[str, AutomationsFile.Task]
    def __init__(self, services: _Optional[_Mapping[str, AutomationsFile.Service]] = ..., tasks: _Optional[_Mapping[str, AutomationsFile.Task]] = ...) -> None: ...

class CreateServiceRequest(_message.Message):
    __slots__ = ("environment_id", "metadata", "spec")
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    metadata: ServiceMetadata
    spec: ServiceSpec
    def __init__(self, environment_id: _Optional[str] = ..., metadata: _Optional[_Union[ServiceMetadata, _Mapping]] = ..., spec: _Optional[_Union[ServiceSpec, _Mapping]] = ...) -> None: ...

class CreateServiceResponse(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: Service
    def __init__(self, service: _Optional[_Union[Service, _Mapping]] = ...) -> None: ...

class CreateTaskRequest(_message.Message):
    __slots__ = ("environment_id", "metadata", "spec", "depends_on")
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    metadata: TaskMetadata
    spec: TaskSpec
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, environment_id: _Optional[str] = ..., metadata: _Optional[_Union[TaskMetadata, _Mapping]] = ..., spec: _Optional[_Union[TaskSpec, _Mapping]] = ..., depends_on: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: Task
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ...) -> None: ...

class DeleteServiceRequest(_message.Message):
    __slots__ = ("id", "force")
    ID_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    id: str
    force: bool
    def __init__(self, id: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class DeleteServiceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteTaskRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteTaskResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EnvironmentVariableItem(_message.Message):
    __slots__ = ("name", "value", "value_from")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FROM_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    value_from: EnvironmentVariableSource
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., value_from: _Optional[_Union[EnvironmentVariableSource, _Mapping]] = ...) -> None: ...

class EnvironmentVariableSource(_message.Message):
    __slots__ = ("secret_ref",)
    SECRET_REF_FIELD_NUMBER: _ClassVar[int]
    secret_ref: SecretRef
    def __init__(self, secret_ref: _Optional[_Union[SecretRef, _Mapping]] = ...) -> None: ...

class GetServiceRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetServiceResponse(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: Service
    def __init__(self, service: _Optional[_Union[Service, _Mapping]] = ...) -> None: ...

class GetTaskExecutionRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetTaskExecutionResponse(_message.Message):
    __slots__ = ("task_execution",)
    TASK_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    task_execution: TaskExecution
    def __init__(self, task_execution: _Optional[_Union[TaskExecution, _Mapping]] = ...) -> None: ...

class GetTaskRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: Task
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("pagination", "filter")
    class Filter(_message.Message):
        __slots__ = ("environment_ids", "references", "service_ids", "roles")
        ENVIRONMENT_IDS_FIELD_NUMBER: _ClassVar[int]
        REFERENCES_FIELD_NUMBER: _ClassVar[int]
        SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
        ROLES_FIELD_NUMBER: _ClassVar[int]
        environment_ids: _containers.RepeatedScalarFieldContainer[str]
        references: _containers.RepeatedScalarFieldContainer[str]
        service_ids: _containers.RepeatedScalarFieldContainer[str]
        roles: _containers.RepeatedScalarFieldContainer[ServiceRole]
        def __init__(self, environment_ids: _Optional[_Iterable[str]] = ..., references: _Optional[_Iterable[str]] = ..., service_ids: _Optional[_Iterable[str]] = ..., roles: _Optional[_Iterable[_Union[ServiceRole, str]]] = ...) -> None: ...
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PaginationRequest
    filter: ListServicesRequest.Filter
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PaginationRequest, _Mapping]] = ..., filter: _Optional[_Union[ListServicesRequest.Filter, _Mapping]] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("pagination", "services")
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PaginationResponse
    services: _containers.RepeatedCompositeFieldContainer[Service]
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PaginationResponse, _Mapping]] = ..., services: _Optional[_Iterable[_Union[Service, _Mapping]]] = ...) -> None: ...

class ListTaskExecutionsRequest(_message.Message):
    __slots__ = ("pagination", "filter")
    class Filter(_message.Message):
        __slots__ = ("task_ids", "task_references", "environment_ids", "phases")
        TASK_IDS_FIELD_NUMBER: _ClassVar[int]
        TASK_REFERENCES_FIELD_NUMBER: _ClassVar[int]
        ENVIRONMENT_IDS_FIELD_NUMBER: _ClassVar[int]
        PHASES_FIELD_NUMBER: _ClassVar[int]
        task_ids: _containers.RepeatedScalarFieldContainer[str]
        task_references: _containers.RepeatedScalarFieldContainer[str]
        environment_ids: _containers.RepeatedScalarFieldContainer[str]
        phases: _containers.RepeatedScalarFieldContainer[TaskExecutionPhase]
        def __init__(self, task_ids: _Optional[_Iterable[str]] = ..., task_references: _Optional[_Iterable[str]] = ..., environment_ids: _Optional[_Iterable[str]] = ..., phases: _Optional[_Iterable[_Union[TaskExecutionPhase, str]]] = ...) -> None: ...
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PaginationRequest
    filter: ListTaskExecutionsRequest.Filter
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PaginationRequest, _Mapping]] = ..., filter: _Optional[_Union[ListTaskExecutionsRequest.Filter, _Mapping]] = ...) -> None: ...

class ListTaskExecutionsResponse(_message.Message):
    __slots__ = ("pagination", "task_executions")
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PaginationResponse
    task_executions: _containers.RepeatedCompositeFieldContainer[TaskExecution]
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PaginationResponse, _Mapping]] = ..., task_executions: _Optional[_Iterable[_Union[TaskExecution, _Mapping]]] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ("pagination", "filter")
    class Filter(_message.Message):
        __slots__ = ("environment_ids", "references", "task_ids")
        ENVIRONMENT_IDS_FIELD_NUMBER: _ClassVar[int]
        REFERENCES_FIELD_NUMBER: _ClassVar[int]
        TASK_IDS_FIELD_NUMBER: _ClassVar[int]
        environment_ids: _containers.RepeatedScalarFieldContainer[str]
        references: _containers.RepeatedScalarFieldContainer[str]
        task_ids: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, environment_ids: _Optional[_Iterable[str]] = ..., references: _Optional[_Iterable[str]] = ..., task_ids: _Optional[_Iterable[str]] = ...) -> None: ...
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PaginationRequest
    filter: ListTasksRequest.Filter
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PaginationRequest, _Mapping]] = ..., filter: _Optional[_Union[ListTasksRequest.Filter, _Mapping]] = ...) -> None: ...

class ListTasksResponse(_message.Message):
    __slots__ = ("pagination", "tasks")
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PaginationResponse
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PaginationResponse, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ...) -> None: ...

class RunsOn(_message.Message):
    __slots__ = ("docker", "machine")
    class Docker(_message.Message):
        __slots__ = ("image", "environment")
        IMAGE_FIELD_NUMBER: _ClassVar[int]
        ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
        image: str
        environment: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, image: _Optional[str] = ..., environment: _Optional[_Iterable[str]] = ...) -> None: ...
    class Machine(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    DOCKER_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    docker: RunsOn.Docker
    machine: RunsOn.Machine
    def __init__(self, docker: _Optional[_Union[RunsOn.Docker, _Mapping]] = ..., machine: _Optional[_Union[RunsOn.Machine, _Mapping]] = ...) -> None: ...

class SecretRef(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("id", "environment_id", "metadata", "spec", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    environment_id: str
    metadata: ServiceMetadata
    spec: ServiceSpec
    status: ServiceStatus
    def __init__(self, id: _Optional[str] = ..., environment_id: _Optional[str] = ..., metadata: _Optional[_Union[ServiceMetadata, _Mapping]] = ..., spec: _Optional[_Union[ServiceSpec, _Mapping]] = ..., status: _Optional[_Union[ServiceStatus, _Mapping]] = ...) -> None: ...

class ServiceMetadata(_message.Message):
    __slots__ = ("reference", "name", "description", "created_at", "creator", "triggered_by", "role")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    TRIGGERED_BY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    reference: str
    name: str
    description: str
    created_at: _timestamp_pb2.Timestamp
    creator: _identity_pb2.Subject
    triggered_by: _containers.RepeatedCompositeFieldContainer[AutomationTrigger]
    role: ServiceRole
    def __init__(self, reference: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., creator: _Optional[_Union[_identity_pb2.Subject, _Mapping]] = ..., triggered_by: _Optional[_Iterable[_Union[AutomationTrigger, _Mapping]]] = ..., role: _Optional[_Union[ServiceRole, str]] = ...) -> None: ...

class ServiceSpec(_message.Message):
    __slots__ = ("spec_version", "desired_phase", "commands", "session", "runs_on", "env", "readiness_timeout")
    class Commands(_message.Message):
        __slots__ = ("start", "ready", "stop")
        START_FIELD_NUMBER: _ClassVar[int]
        READY_FIELD_NUMBER: _ClassVar[int]
        STOP_FIELD_NUMBER: _ClassVar[int]
        start: str
        ready: str
        stop: str
        def __init__(self, start: _Optional[str] = ..., ready: _Optional[str] = ..., stop: _Optional[str] = ...) -> None: ...
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    DESIRED_PHASE_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    RUNS_ON_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    READINESS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    spec_version: int
    desired_phase: ServicePhase
    commands: ServiceSpec.Commands
    session: str
    runs_on: RunsOn
    env: _containers.RepeatedCompositeFieldContainer[EnvironmentVariableItem]
    readiness_timeout: _duration_pb2.Duration
    def __init__(self, spec_version: _Optional[int] = ..., desired_phase: _Optional[_Union[ServicePhase, str]] = ..., commands: _Optional[_Union[ServiceSpec.Commands, _Mapping]] = ..., session: _Optional[str] = ..., runs_on: _Optional[_Union[RunsOn, _Mapping]] = ..., env: _Optional[_Iterable[_Union[EnvironmentVariableItem, _Mapping]]] = ..., readiness_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ServiceStatus(_message.Message):
    __slots__ = ("status_version", "phase", "failure_message", "log_url", "session", "output")
    class OutputEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LOG_URL_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    status_version: int
    phase: ServicePhase
    failure_message: str
    log_url: str
    session: str
    output: _containers.ScalarMap[str, str]
    def __init__(self, status_version: _Optional[int] = ..., phase: _Optional[_Union[ServicePhase, str]] = ..., failure_message: _Optional[str] = ..., log_url: _Optional[str] = ..., session: _Optional[str] = ..., output: _Optional[_Mapping[str, str]] = ...) -> None: ...

class StartServiceRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class StartServiceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartTaskRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class StartTaskResponse(_message.Message):
    __slots__ = ("task_execution",)
    TASK_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    task_execution: TaskExecution
    def __init__(self, task_execution: _Optional[_Union[TaskExecution, _Mapping]] = ...) -> None: ...

class StopServiceRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class StopServiceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopTaskExecutionRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class StopTaskExecutionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Task(_message.Message):
    __slots__ = ("id", "environment_id", "metadata", "spec", "depends_on")
    ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    id: str
    environment_id: str
    metadata: TaskMetadata
    spec: TaskSpec
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., environment_id: _Optional[str] = ..., metadata: _Optional[_Union[TaskMetadata, _Mapping]] = ..., spec: _Optional[_Union[TaskSpec, _Mapping]] = ..., depends_on: _Optional[_Iterable[str]] = ...) -> None: ...

class TaskExecution(_message.Message):
    __slots__ = ("id", "metadata", "spec", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    metadata: TaskExecutionMetadata
    spec: TaskExecutionSpec
    status: TaskExecutionStatus
    def __init__(self, id: _Optional[str] = ..., metadata: _Optional[_Union[TaskExecutionMetadata, _Mapping]] = ..., spec: _Optional[_Union[TaskExecutionSpec, _Mapping]] = ..., status: _Optional[_Union[TaskExecutionStatus, _Mapping]] = ...) -> None: ...

class TaskExecutionMetadata(_message.Message):
    __slots__ = ("task_id", "environment_id", "created_at", "creator", "started_by", "started_at", "completed_at")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    STARTED_BY_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    environment_id: str
    created_at: _timestamp_pb2.Timestamp
    creator: _identity_pb2.Subject
    started_by: str
    started_at: _timestamp_pb2.Timestamp
    completed_at: _timestamp_pb2.Timestamp
    def __init__(self, task_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., creator: _Optional[_Union[_identity_pb2.Subject, _Mapping]] = ..., started_by: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., completed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TaskExecutionSpec(_message.Message):
    __slots__ = ("plan", "desired_phase")
    class Group(_message.Message):
        __slots__ = ("steps",)
        STEPS_FIELD_NUMBER: _ClassVar[int]
        steps: _containers.RepeatedCompositeFieldContainer[TaskExecutionSpec.Step]
        def __init__(self, steps: _Optional[_Iterable[_Union[TaskExecutionSpec.Step, _Mapping]]] = ...) -> None: ...
    class Step(_message.Message):
        __slots__ = ("id", "depends_on", "label", "task", "service_id")
        ID_FIELD_NUMBER: _ClassVar[int]
        DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
        LABEL_FIELD_NUMBER: _ClassVar[int]
        TASK_FIELD_NUMBER: _ClassVar[int]
        SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
        id: str
        depends_on: _containers.RepeatedScalarFieldContainer[str]
        label: str
        task: TaskExecutionSpec.Task
        service_id: str
        def __init__(self, id: _Optional[str] = ..., depends_on: _Optional[_Iterable[str]] = ..., label: _Optional[str] = ..., task: _Optional[_Union[TaskExecutionSpec.Task, _Mapping]] = ..., service_id: _Optional[str] = ...) -> None: ...
    class Task(_message.Message):
        __slots__ = ("id", "spec")
        ID_FIELD_NUMBER: _ClassVar[int]
        SPEC_FIELD_NUMBER: _ClassVar[int]
        id: str
        spec: TaskSpec
        def __init__(self, id: _Optional[str] = ..., spec: _Optional[_Union[TaskSpec, _Mapping]] = ...) -> None: ...
    PLAN_FIELD_NUMBER: _ClassVar[int]
    DESIRED_PHASE_FIELD_NUMBER: _ClassVar[int]
    plan: _containers.RepeatedCompositeFieldContainer[TaskExecutionSpec.Group]
    desired_phase: TaskExecutionPhase
    def __init__(self, plan: _Optional[_Iterable[_Union[TaskExecutionSpec.Group, _Mapping]]] = ..., desired_phase: _Optional[_Union[TaskExecutionPhase, str]] = ...) -> None: ...

class TaskExecutionStatus(_message.Message):
    __slots__ = ("status_version", "phase", "failure_message", "steps", "log_url")
    class Step(_message.Message):
        __slots__ = ("id", "phase", "failure_message", "output")
        class OutputEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        ID_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        OUTPUT_FIELD_NUMBER: _ClassVar[int]
        id: str
        phase: TaskExecutionPhase
        failure_message: str
        output: _containers.ScalarMap[str, str]
        def __init__(self, id: _Optional[str] = ..., phase: _Optional[_Union[TaskExecutionPhase, str]] = ..., failure_message: _Optional[str] = ..., output: _Optional[_Mapping[str, str]] = ...) -> None: ...
    STATUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    LOG_URL_FIELD_NUMBER: _ClassVar[int]
    status_version: int
    phase: TaskExecutionPhase
    failure_message: str
    steps: _containers.RepeatedCompositeFieldContainer[TaskExecutionStatus.Step]
    log_url: str
    def __init__(self, status_version: _Optional[int] = ..., phase: _Optional[_Union[TaskExecutionPhase, str]] = ..., failure_message: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[TaskExecutionStatus.Step, _Mapping]]] = ..., log_url: _Optional[str] = ...) -> None: ...

class TaskMetadata(_message.Message):
    __slots__ = ("reference", "name", "description", "created_at", "creator", "triggered_by")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    TRIGGERED_BY_FIELD_NUMBER: _ClassVar[int]
    reference: str
    name: str
    description: str
    created_at: _timestamp_pb2.Timestamp
    creator: _identity_pb2.Subject
    triggered_by: _containers.RepeatedCompositeFieldContainer[AutomationTrigger]
    def __init__(self, reference: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., creator: _Optional[_Union[_identity_pb2.Subject, _Mapping]] = ..., triggered_by: _Optional[_Iterable[_Union[AutomationTrigger, _Mapping]]] = ...) -> None: ...

class TaskSpec(_message.Message):
    __slots__ = ("command", "runs_on", "env", "prebuild_requires_success")
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    RUNS_ON_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    PREBUILD_REQUIRES_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    command: str
    runs_on: RunsOn
    env: _containers.RepeatedCompositeFieldContainer[EnvironmentVariableItem]
    prebuild_requires_success: bool
    def __init__(self, command: _Optional[str] = ..., runs_on: _Optional[_Union[RunsOn, _Mapping]] = ..., env: _Optional[_Iterable[_Union[EnvironmentVariableItem, _Mapping]]] = ..., prebuild_requires_success: _Optional[bool] = ...) -> None: ...

class UpdateServiceRequest(_message.Message):
    __slots__ = ("id", "metadata", "spec", "status")
    class AutomationTriggerUpdate(_message.Message):
        __slots__ = ("trigger",)
        TRIGGER_FIELD_NUMBER: _ClassVar[int]
        trigger: _containers.RepeatedCompositeFieldContainer[AutomationTrigger]
        def __init__(self, trigger: _Optional[_Iterable[_Union[AutomationTrigger, _Mapping]]] = ...) -> None: ...
    class ServiceMetadata(_message.Message):
        __slots__ = ("name", "description", "triggered_by", "role")
        NAME_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        TRIGGERED_BY_FIELD_NUMBER: _ClassVar[int]
        ROLE_FIELD_NUMBER: _ClassVar[int]
        name: str
        description: str
        triggered_by: UpdateServiceRequest.AutomationTriggerUpdate
        role: ServiceRole
        def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., triggered_by: _Optional[_Union[UpdateServiceRequest.AutomationTriggerUpdate, _Mapping]] = ..., role: _Optional[_Union[ServiceRole, str]] = ...) -> None: ...
    class ServiceSpec(_message.Message):
        __slots__ = ("commands", "runs_on", "env", "readiness_timeout")
        class Commands(_message.Message):
            __slots__ = ("start", "ready", "stop")
            START_FIELD_NUMBER: _ClassVar[int]
            READY_FIELD_NUMBER: _ClassVar[int]
            STOP_FIELD_NUMBER: _ClassVar[int]
            start: str
            ready: str
            stop: str
            def __init__(self, start: _Optional[str] = ..., ready: _Optional[str] = ..., stop: _Optional[str] = ...) -> None: ...
        COMMANDS_FIELD_NUMBER: _ClassVar[int]
        RUNS_ON_FIELD_NUMBER: _ClassVar[int]
        ENV_FIELD_NUMBER: _ClassVar[int]
        READINESS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
        commands: UpdateServiceRequest.ServiceSpec.Commands
        runs_on: RunsOn
        env: _containers.RepeatedCompositeFieldContainer[EnvironmentVariableItem]
        readiness_timeout: _duration_pb2.Duration
        def __init__(self, commands: _Optional[_Union[UpdateServiceRequest.ServiceSpec.Commands, _Mapping]] = ..., runs_on: _Optional[_Union[RunsOn, _Mapping]] = ..., env: _Optional[_Iterable[_Union[EnvironmentVariableItem, _Mapping]]] = ..., readiness_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class ServiceStatus(_message.Message):
        __slots__ = ("phase", "failure_message", "log_url", "session", "output")
        class OutputEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        PHASE_FIELD_NUMBER: _ClassVar[int]
        FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        LOG_URL_FIELD_NUMBER: _ClassVar[int]
        SESSION_FIELD_NUMBER: _ClassVar[int]
        OUTPUT_FIELD_NUMBER: _ClassVar[int]
        phase: ServicePhase
        failure_message: str
        log_url: str
        session: str
        output: _containers.ScalarMap[str, str]
        def __init__(self, phase: _Optional[_Union[ServicePhase, str]] = ..., failure_message: _Optional[str] = ..., log_url: _Optional[str] = ..., session: _Optional[str] = ..., output: _Optional[_Mapping[str, str]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    metadata: UpdateServiceRequest.ServiceMetadata
    spec: UpdateServiceRequest.ServiceSpec
    status: UpdateServiceRequest.ServiceStatus
    def __init__(self, id: _Optional[str] = ..., metadata: _Optional[_Union[UpdateServiceRequest.ServiceMetadata, _Mapping]] = ..., spec: _Optional[_Union[UpdateServiceRequest.ServiceSpec, _Mapping]] = ..., status: _Optional[_Union[UpdateServiceRequest.ServiceStatus, _Mapping]] = ...) -> None: ...

class UpdateServiceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UpdateTaskRequest(_message.Message):
    __slots__ = ("id", "metadata", "spec", "depends_on")
    class AutomationTriggerUpdate(_message.Message):
        __slots__ = ("trigger",)
        TRIGGER_FIELD_NUMBER: _ClassVar[int]
        trigger: _containers.RepeatedCompositeFieldContainer[AutomationTrigger]
        def __init__(self, trigger: _Optional[_Iterable[_Union[AutomationTrigger, _Mapping]]] = ...) -> None: ...
    class TaskMetadata(_message.Message):
        __slots__ = ("name", "description", "triggered_by")
        NAME_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        TRIGGERED_BY_FIELD_NUMBER: _ClassVar[int]
        name: str
        description: str
        triggered_by: UpdateTaskRequest.AutomationTriggerUpdate
        def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., triggered_by: _Optional[_Union[UpdateTaskRequest.AutomationTriggerUpdate, _Mapping]] = ...) -> None: ...
    class TaskSpec(_message.Message):
        __slots__ = ("command", "runs_on", "env", "prebuild_requires_success")
        COMMAND_FIELD_NUMBER: _ClassVar[int]
        RUNS_ON_FIELD_NUMBER: _ClassVar[int]
        ENV_FIELD_NUMBER: _ClassVar[int]
        PREBUILD_REQUIRES_SUCCESS_FIELD_NUMBER: _ClassVar[int]
        command: str
        runs_on: RunsOn
        env: _containers.RepeatedCompositeFieldContainer[EnvironmentVariableItem]
        prebuild_requires_success: bool
        def __init__(self, command: _Optional[str] = ..., runs_on: _Optional[_Union[RunsOn, _Mapping]] = ..., env: _Optional[_Iterable[_Union[EnvironmentVariableItem, _Mapping]]] = ..., prebuild_requires_success: _Optional[bool] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    id: str
    metadata: UpdateTaskRequest.TaskMetadata
    spec: UpdateTaskRequest.TaskSpec
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., metadata: _Optional[_Union[UpdateTaskRequest.TaskMetadata, _Mapping]] = ..., spec: _Optional[_Union[UpdateTaskRequest.TaskSpec, _Mapping]] = ..., depends_on: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateTaskResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UpsertAutomationsFileRequest(_message.Message):
    __slots__ = ("environment_id", "automations_file")
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIONS_FILE_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    automations_file: AutomationsFile
    def __init__(self, environment_id: _Optional[str] = ..., automations_file: _Optional[_Union[AutomationsFile, _Mapping]] = ...) -> None: ...

class UpsertAutomationsFileResponse(_message.Message):
    __slots__ = ("updated_service_ids", "updated_task_ids")
    UPDATED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    updated_service_ids: _containers.RepeatedScalarFieldContainer[str]
    updated_task_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, updated_service_ids: _Optional[_Iterable[str]] = ..., updated_task_ids: _Optional[_Iterable[str]] = ...) -> None: ...
