"""gitpod.v1.EnvironmentAutomationService: services, tasks and executions of this environment.

Calls are thin. They look at records, or submit one command, never two: so a call that is refused changes nothing. Calls
that start, stop or delete return at once. The errors of the model get their codes in one place for all services
(`access_policy.PROGRAM`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from connect_server import codecs
from connect_server.calls import Call
from connect_server.connect_errors import Code, ConnectError
from connect_server.pages import Aged, page
from platform_wire import environment_automation_pb2 as pb
from platform_wire import pagination_pb2
from platform_wire.environment_automation_handler import EnvironmentAutomationServiceHandler
from supervisor.api.platform.from_wire import (
    invalid,
    read_role,
    read_service_spec,
    read_service_triggers,
    read_task_spec,
    read_triggers,
    required,
    with_service_metadata,
    with_service_spec,
    with_task_metadata,
    with_task_spec,
)
from supervisor.api.platform.to_wire import EXECUTION_PHASES, ROLES, Translator, size_bytes
from supervisor.config import load_bytes
from supervisor.core import queries
from supervisor.core.items.diff import upsert
from supervisor.core.records import Records
from supervisor.engine import Engine
from supervisor.host.proc import worker_threads
from supervisor.model.command import (
    CreateService,
    CreateTask,
    DeleteService,
    DeleteTask,
    StartService,
    StartTask,
    StopExecution,
    StopService,
    UpdateService,
    UpdateTask,
    UpsertFile,
)
from supervisor.model.errors import Precondition
from supervisor.model.ids import EnvironmentId, ExecutionId, ServiceId, TaskId, fresh, item_id
from supervisor.model.record import Execution, Service, Task
from supervisor.model.spec import ServiceItem, TaskItem

T = TypeVar("T", bound=Aged)
M = TypeVar("M", bound=Message)


class AutomationService(EnvironmentAutomationServiceHandler):
    """The service's methods. Requests have passed the rules of the wire."""

    def __init__(self, engine: Engine, translator: Translator) -> None:
        """Serve what `engine` holds."""
        self._engine = engine
        self._translator = translator

    @property
    def _records(self) -> Records:
        return self._engine.world.records

    # Services

    async def create_service(self, request: pb.CreateServiceRequest, _call: Call) -> pb.CreateServiceResponse:
        """Add a service of the API's, started at once if its desired phase is running."""
        self._check_environment(request.environment_id)
        metadata = request.metadata
        item = ServiceItem(
            reference=required("metadata.reference", metadata.reference),
            name=metadata.name or metadata.reference,
            spec=read_service_spec(request.spec),
            description=metadata.description,
            triggers=read_service_triggers("metadata.triggeredBy", metadata.triggered_by),
            role=read_role("metadata.role", metadata.role),
        )
        id_ = fresh()
        wanted = request.spec.desired_phase == pb.SERVICE_PHASE_RUNNING
        self._engine.submit(CreateService(item, id_, session=fresh() if wanted else ""))
        return pb.CreateServiceResponse(service=self._translator.service(self._service(id_)))

    async def get_service(self, request: pb.GetServiceRequest, _call: Call) -> pb.GetServiceResponse:
        """The service of an id."""
        return pb.GetServiceResponse(service=self._translator.service(self._service(request.id)))

    async def list_services(self, request: pb.ListServicesRequest, call: Call) -> pb.ListServicesResponse:
        """A page of the services that match a filter."""
        wanted = request.filter
        references, roles = frozenset(wanted.references), frozenset(wanted.roles)

        def passes(service: Service) -> bool:
            if references and service.item.reference not in references:
                return False
            return not roles or ROLES[service.item.role] in roles

        found = self._of_mine(self._records.services, wanted.environment_ids, wanted.service_ids)
        items, pagination = _page(found, request.pagination, passes, size_bytes)

        def make() -> pb.ListServicesResponse:
            messages = [self._translator.service(service) for service in items]
            return pb.ListServicesResponse(pagination=pagination, services=messages)

        return await _encoded(make, sum(map(size_bytes, items)), call)

    async def update_service(self, request: pb.UpdateServiceRequest, _call: Call) -> pb.UpdateServiceResponse:
        """Change metadata at any time, the spec only at rest; never the status."""
        if request.HasField("status"):
            text = "cannot set the status of a service: only the environment that runs it may, and it needs no call"
            raise ConnectError(Code.PERMISSION_DENIED, text)
        service = self._service(request.id)
        item = service.item
        if request.HasField("metadata"):
            item = with_service_metadata(item, request.metadata)
        if request.HasField("spec"):
            # Even if the spec stays the same: whether a call is an error must not depend on that.
            if not service.at_rest:
                text = f"it is {service.phase.value}; stop it first"
                raise Precondition(f'cannot change the spec of service "{item.reference}": {text}')
            item = replace(item, spec=with_service_spec(item.spec, request.spec))
        self._engine.submit(UpdateService(ServiceId(request.id), item))
        return pb.UpdateServiceResponse()

    async def delete_service(self, request: pb.DeleteServiceRequest, _call: Call) -> pb.DeleteServiceResponse:
        """Stop a service, by force at once, and forget it."""
        self._engine.submit(DeleteService(ServiceId(request.id), request.force))
        return pb.DeleteServiceResponse()

    async def start_service(self, request: pb.StartServiceRequest, _call: Call) -> pb.StartServiceResponse:
        """Want a service up, in a new session."""
        self._engine.submit(StartService(ServiceId(request.id), fresh()))
        return pb.StartServiceResponse()

    async def stop_service(self, request: pb.StopServiceRequest, _call: Call) -> pb.StopServiceResponse:
        """Want a service down."""
        self._engine.submit(StopService(ServiceId(request.id)))
        return pb.StopServiceResponse()

    # The file

    async def upsert_automations_file(
        self, request: pb.UpsertAutomationsFileRequest, _call: Call
    ) -> pb.UpsertAutomationsFileResponse:
        """Add and change the items of a whole file, which is read as the workspace's own would be."""
        self._check_environment(request.environment_id)
        # A JSON document is a YAML document: one reader judges both by the same rules. The wire's maps have no order,
        # not even the same one twice, so their keys are sorted.
        loaded = load_bytes(json.dumps(MessageToDict(request.automations_file), sort_keys=True).encode())
        if loaded.file is None:
            raise invalid("automationsFile", "; ".join(f"{p.path}: {p.text}" for p in loaded.errors))
        changes = upsert(loaded.file, self._records)
        self._engine.submit(UpsertFile(loaded.file, fresh()))
        after = queries.items(self._records)
        touched = [after[name] for name in changes.touched]
        return pb.UpsertAutomationsFileResponse(
            updated_service_ids=[item.id for item in touched if isinstance(item, Service)],
            updated_task_ids=[item.id for item in touched if isinstance(item, Task)],
        )

    # Tasks

    async def create_task(self, request: pb.CreateTaskRequest, _call: Call) -> pb.CreateTaskResponse:
        """Add a task of the API's."""
        self._check_environment(request.environment_id)
        metadata = request.metadata
        item = TaskItem(
            reference=required("metadata.reference", metadata.reference),
            name=metadata.name or metadata.reference,
            spec=read_task_spec(request.spec),
            description=metadata.description,
            triggers=read_triggers("metadata.triggeredBy", metadata.triggered_by),
        )
        id_ = fresh()
        self._engine.submit(CreateTask(item, tuple(map(item_id, request.depends_on)), id_))
        return pb.CreateTaskResponse(task=self._translator.task(self._task(id_)))

    async def get_task(self, request: pb.GetTaskRequest, _call: Call) -> pb.GetTaskResponse:
        """The task of an id."""
        return pb.GetTaskResponse(task=self._translator.task(self._task(request.id)))

    async def list_tasks(self, request: pb.ListTasksRequest, _call: Call) -> pb.ListTasksResponse:
        """A page of the tasks that match a filter."""
        wanted = request.filter
        references = frozenset(wanted.references)

        def passes(task: Task) -> bool:
            return not task.gone and (not references or task.item.reference in references)

        found = self._of_mine(self._records.tasks, wanted.environment_ids, wanted.task_ids)
        items, pagination = _page(found, request.pagination, passes)
        messages = [self._translator.task(task) for task in items]
        return pb.ListTasksResponse(pagination=pagination, tasks=messages)

    async def update_task(self, request: pb.UpdateTaskRequest, _call: Call) -> pb.UpdateTaskResponse:
        """Change a task; executions that run keep their plan."""
        task = self._task(request.id)
        item = task.item
        if request.HasField("metadata"):
            item = with_task_metadata(item, request.metadata)
        if request.HasField("spec"):
            item = replace(item, spec=with_task_spec(item.spec, request.spec))
        depends_on = tuple(map(item_id, request.depends_on)) or task.depends_on
        self._engine.submit(UpdateTask(TaskId(request.id), item, depends_on))
        return pb.UpdateTaskResponse()

    async def delete_task(self, request: pb.DeleteTaskRequest, _call: Call) -> pb.DeleteTaskResponse:
        """Stop a task's executions and forget it."""
        self._engine.submit(DeleteTask(TaskId(request.id)))
        return pb.DeleteTaskResponse()

    async def start_task(self, request: pb.StartTaskRequest, call: Call) -> pb.StartTaskResponse:
        """Start an execution of a task and of what it depends on."""
        id_ = fresh()
        self._engine.submit(StartTask(TaskId(request.id), id_))
        execution = self._execution(id_)

        def make() -> pb.StartTaskResponse:
            return pb.StartTaskResponse(task_execution=self._translator.execution(execution))

        return await _encoded(make, size_bytes(execution), call)

    # Executions

    async def list_task_executions(
        self, request: pb.ListTaskExecutionsRequest, call: Call
    ) -> pb.ListTaskExecutionsResponse:
        """A page of the executions that match a filter."""
        wanted = request.filter
        task_ids, references = frozenset(wanted.task_ids), frozenset(wanted.task_references)
        phases = frozenset(wanted.phases)

        def passes(execution: Execution) -> bool:
            if (task_ids and execution.task_id not in task_ids) or (
                references and execution.reference not in references
            ):
                return False
            return not phases or EXECUTION_PHASES[execution.phase] in phases

        found = self._of_mine(self._records.executions, wanted.environment_ids, ())
        shown, pagination = _page(found, request.pagination, passes, size_bytes)
        items = list(queries.shown_all(self._records, shown))

        def make() -> pb.ListTaskExecutionsResponse:
            messages = [self._translator.execution(execution) for execution in items]
            return pb.ListTaskExecutionsResponse(pagination=pagination, task_executions=messages)

        return await _encoded(make, sum(map(size_bytes, items)), call)

    async def get_task_execution(
        self, request: pb.GetTaskExecutionRequest, call: Call
    ) -> pb.GetTaskExecutionResponse:
        """The execution of an id."""
        execution = self._execution(request.id)

        def make() -> pb.GetTaskExecutionResponse:
            return pb.GetTaskExecutionResponse(task_execution=self._translator.execution(execution))

        return await _encoded(make, size_bytes(execution), call)

    async def stop_task_execution(
        self, request: pb.StopTaskExecutionRequest, _call: Call
    ) -> pb.StopTaskExecutionResponse:
        """Stop an execution."""
        self._engine.submit(StopExecution(ExecutionId(request.id)))
        return pb.StopTaskExecutionResponse()

    # Parts

    def _service(self, id_: str) -> Service:
        return queries.service(self._records, ServiceId(id_))

    def _task(self, id_: str) -> Task:
        return queries.present_task(self._records, TaskId(id_))

    def _execution(self, id_: str) -> Execution:
        return queries.execution(self._records, ExecutionId(id_))

    def _check_environment(self, id_: str) -> None:
        """Raises NotFound."""
        queries.environment(self._records, EnvironmentId(id_))

    def _of_mine(self, table: Mapping[Any, T], environment_ids: Any, ids: Iterable[str]) -> list[T]:
        """The records with these ids, the oldest first; all without ids; none for another environment alone."""
        if environment_ids and self._translator.environment_id not in environment_ids:
            return []
        if not ids:
            return list(table.values())  # which stand in the order of their making
        found = [table[id_] for id_ in dict.fromkeys(ids) if id_ in table]
        return sorted(found, key=lambda record: record.born)


def _page(
    found: Sequence[T],
    asked: pagination_pb2.PaginationRequest,
    wanted: Callable[[T], bool],
    size_bytes: Callable[[T], int] = lambda _: 0,
) -> tuple[list[T], pagination_pb2.PaginationResponse]:
    items, next_token = page(found, asked.page_size, asked.token, size_bytes, wanted)
    return items, pagination_pb2.PaginationResponse(next_token=next_token)


async def _encoded(make: Callable[[], M], size_bytes: int, call: Call) -> M:
    """See `codecs.encoded`: of a plan of 3,000 steps that takes 0.2 s, and the event loop goes on."""
    return await codecs.encoded(make, size_bytes, call, worker_threads.run)
