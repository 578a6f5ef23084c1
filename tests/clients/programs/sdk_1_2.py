"""Drives a supervisor with gitpod-sdk 1.2: sdk_1_2.py SCENARIO ARGUMENTS. Prints one JSON object.

Runs in the client's own environment. Base URL and token are where the client looks for them, in the environment.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from connectrpc.compat import google_protobuf_json_codec
from connectrpc.errors import ConnectError
from gitpod.v1 import environment_automation_pb2 as pb
from gitpod.v1 import environment_pb2, event_pb2, identity_pb2
from gitpod.v1.environment_automation_connect import EnvironmentAutomationServiceClientSync
from gitpod.v1.event_connect import EventServiceClientSync
from gitpod.v1.pagination_pb2 import PaginationRequest
from google.protobuf.json_format import MessageToDict, ParseDict
from ona_sdk import create_client, create_client_from_env

Result = dict[str, Any]

WATCH_MS = 20_000


class Binary:
    """The client as it comes: protobuf's binary form, nothing compressed."""

    def __init__(self) -> None:
        client = create_client_from_env()
        self.automation = client.services.environment_automation
        self.event = client.services.event


class Json:
    """The client's generated parts as they come by themselves: its other HTTP client, and gzip; and the JSON form."""

    def __init__(self) -> None:
        token, address = os.environ["GITPOD_API_KEY"], os.environ["ONA_BASE_URL"]
        options: dict[str, Any] = {"codec": google_protobuf_json_codec(), "interceptors": [Bearer(token)]}
        self.automation = EnvironmentAutomationServiceClientSync(address, **options)
        self.event = EventServiceClientSync(address, **options)


class Bearer:
    """Sends the token, and leaves the headers of compression alone."""

    def __init__(self, token: str) -> None:
        self._token = token

    def on_start_sync(self, ctx: Any) -> None:
        ctx.request_headers["Authorization"] = f"Bearer {self._token}"

    def on_end_sync(self, _token: None, _ctx: Any, _error: Exception | None) -> None:
        pass


FORMS = {"binary": Binary, "json": Json}


class Watcher:
    """Collects events in a thread of its own, which ends with the program."""

    def __init__(self, api: EventServiceClientSync, environment_id: str) -> None:
        self._came: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()
        self.events: list[tuple[str, str, str]] = []
        request = event_pb2.WatchEventsRequest(environment_id=environment_id)
        stream = api.watch_events(request, timeout_ms=WATCH_MS)
        threading.Thread(target=self._collect, args=(stream,), daemon=True).start()

    def until(self, look: Callable[[], Any]) -> Any:
        """Look after every event until there is something to see."""
        while not (found := look()):
            self.events.append(self._came.get(timeout=WATCH_MS / 1000))
        return found

    def rest(self) -> list[tuple[str, str, str]]:
        """All events, once none has come for a while: an answer may be there before the event that it goes with."""
        try:
            while True:
                self.events.append(self._came.get(timeout=1.0))
        except queue.Empty:
            return self.events

    def begin(self, change: Callable[[str], Any]) -> None:
        """Change something until an event arrives: only that tells that the stream has begun."""
        for number in itertools.count():
            change(str(number))
            try:
                self._came.get(timeout=0.1)
                return
            except queue.Empty:
                continue

    def _collect(self, stream: Any) -> None:
        try:
            for event in stream:
                operation = event_pb2.ResourceOperation.Name(event.operation)
                kind = event_pb2.ResourceType.Name(event.resource_type)
                self._came.put((operation, kind, event.resource_id))
        except ConnectError:
            return  # its time is over, and whoever waits for more notices that by itself


def methods(environment_id: str, arguments: Result) -> Result:
    """Every method of the automation service and the watch. Returns what each answered, by its name."""
    form = FORMS[arguments["form"]]()
    api, watcher = form.automation, Watcher(form.event, environment_id)
    answers: Result = {}

    def call(name: str, **fields: Any) -> Any:
        request = ParseDict(fields, getattr(pb, f"{name}Request")())
        answer = getattr(api, method_name(name))(request)
        answers.setdefault(name, []).append(MessageToDict(answer))
        return answer

    metadata = {
        "reference": "web",
        "name": "Web",
        "triggeredBy": [{"manual": True}],
        "role": "SERVICE_ROLE_EDITOR",
    }
    commands = {"start": "echo up; sleep 1000", "ready": "true"}
    env = [{"name": "A", "value": "b"}]
    service = call(
        "CreateService",
        environmentId=environment_id,
        metadata=metadata,
        spec={"commands": commands, "env": env, "readinessTimeout": "600s", "runsOn": {"machine": {}}},
    ).service

    def describe(text: str) -> None:
        api.update_service(
            ParseDict({"id": service.id, "metadata": {"description": text}}, pb.UpdateServiceRequest())
        )

    watcher.begin(describe)

    def service_is(phase: str) -> Callable[[], Any]:
        def look() -> Any:
            found = api.get_service(pb.GetServiceRequest(id=service.id)).service
            return found if pb.ServicePhase.Name(found.status.phase) == f"SERVICE_PHASE_{phase}" else None

        return look

    call("UpdateService", id=service.id, metadata={"name": "Net"}, spec={"commands": {"start": "sleep 1000"}})
    call("ListServices", filter={"references": ["web"], "roles": ["SERVICE_ROLE_EDITOR"]})
    call("StartService", id=service.id)
    watcher.until(service_is("RUNNING"))
    call("GetService", id=service.id)
    call("StopService", id=service.id)
    watcher.until(service_is("STOPPED"))
    call("DeleteService", id=service.id, force=True)
    watcher.until(lambda: code_of(service_is("DELETED")))

    file = {
        "services": {"db": {"name": "DB", "commands": {"start": "sleep 1000"}, "triggeredBy": ["manual"]}},
        "tasks": {"seed": {"name": "Seed", "command": "echo seed", "triggeredBy": ["manual"]}},
    }
    call("UpsertAutomationsFile", environmentId=environment_id, automationsFile=file)

    first = call(
        "CreateTask",
        environmentId=environment_id,
        metadata={"reference": "first", "name": "First"},
        spec={"command": "echo first", "prebuildRequiresSuccess": True},
    ).task
    second = call(
        "CreateTask",
        environmentId=environment_id,
        dependsOn=[first.id],
        metadata={"reference": "second", "name": "Second", "triggeredBy": [{"postEnvironmentStart": True}]},
        spec={"command": "sleep 1000"},
    ).task
    call("UpdateTask", id=first.id, metadata={"description": "to begin with"}, dependsOn=[])
    call("GetTask", id=second.id)
    call("ListTasks", pagination={"pageSize": 2})
    execution = call("StartTask", id=second.id).task_execution

    def second_is(phase: str) -> Callable[[], Any]:
        def look() -> Any:
            found = api.get_task_execution(pb.GetTaskExecutionRequest(id=execution.id)).task_execution
            steps = [pb.TaskExecutionPhase.Name(step.phase).rpartition("_")[2] for step in found.status.steps]
            return steps == ["SUCCEEDED", phase]

        return look

    watcher.until(second_is("RUNNING"))
    call("ListTaskExecutions", filter={"phases": ["TASK_EXECUTION_PHASE_RUNNING"]})
    call("StopTaskExecution", id=execution.id)
    watcher.until(second_is("STOPPED"))
    call("GetTaskExecution", id=execution.id)
    call("DeleteTask", id=second.id)
    call("DeleteTask", id=first.id)
    return {"answers": answers, "events": watcher.rest(), "served": sorted(answers)}


def pages(environment_id: str, arguments: Result) -> Result:
    """More tasks than one page holds."""
    api = FORMS[arguments["form"]]().automation
    for number in range(arguments["count"]):
        create_task(api, environment_id, f"task-{number}")
    found, token = [], ""
    while True:
        page = api.list_tasks(pb.ListTasksRequest(pagination=PaginationRequest(page_size=10, token=token)))
        found.append([task.metadata.reference for task in page.tasks])
        token = page.pagination.next_token
        if not token:
            return {"pages": found}


def errors(environment_id: str, arguments: Result) -> Result:
    """What the client makes of refusals, by the code that they should have."""
    form = FORMS[arguments["form"]]()
    api = form.automation
    task = create_task(api, environment_id, "one").task
    create_task(api, environment_id, "two", depends_on=[task.id])
    others = create_client(api_key=arguments["logsToken"], base_url=arguments["baseUrl"]).services
    nobody = create_client(api_key="nonsense", base_url=arguments["baseUrl"]).services
    status = pb.UpdateServiceRequest(
        id=environment_id, status=pb.UpdateServiceRequest.ServiceStatus(session="x")
    )
    unserved = environment_pb2.StopEnvironmentRequest(environment_id=environment_id)
    watch = event_pb2.WatchEventsRequest(environment_id=task.id)
    return {
        "not_found": refusal(lambda: api.get_task(pb.GetTaskRequest(id=environment_id))),
        "already_exists": refusal(lambda: create_task(api, environment_id, "one")),
        "invalid_argument": refusal(lambda: api.get_task(pb.GetTaskRequest(id="no-uuid"))),
        "failed_precondition": refusal(lambda: api.delete_task(pb.DeleteTaskRequest(id=task.id))),
        "unauthenticated": refusal(lambda: nobody.environment_automation.list_tasks(pb.ListTasksRequest())),
        "permission_denied": refusal(lambda: others.environment_automation.list_tasks(pb.ListTasksRequest())),
        "permission_denied of a status": refusal(lambda: api.update_service(status)),
        "unimplemented": refusal(
            lambda: create_client_from_env().services.environment.stop_environment(unserved)
        ),
        "not_found of a stream": refusal(lambda: next(form.event.watch_events(watch, timeout_ms=WATCH_MS))),
        "deadline_exceeded of a stream": refusal(
            lambda: list(
                form.event.watch_events(
                    event_pb2.WatchEventsRequest(environment_id=environment_id), timeout_ms=300
                )
            )
        ),
    }


def environment(environment_id: str, _arguments: Result) -> Result:
    """What is not automations."""
    services = create_client_from_env().services
    api = services.environment
    api.mark_environment_active(
        environment_pb2.MarkEnvironmentActiveRequest(
            environment_id=environment_id,
            activity_signal=environment_pb2.EnvironmentActivitySignal(source="editor"),
        )
    )
    update = environment_pb2.UpdateEnvironmentRequest(environment_id=environment_id)
    update.metadata.name = "named by a client"
    update.spec.timeout.disconnected.FromSeconds(3600)
    api.update_environment(update)
    get = environment_pb2.GetEnvironmentRequest(environment_id=environment_id)
    of_logs = environment_pb2.CreateEnvironmentLogsTokenRequest(environment_id=environment_id)
    of_access = environment_pb2.CreateEnvironmentAccessTokenRequest(environment_id=environment_id)
    access = api.create_environment_access_token(of_access).access_token
    made = create_client(api_key=access, base_url=os.environ["ONA_BASE_URL"])
    who = made.services.identity.get_authenticated_identity(identity_pb2.GetAuthenticatedIdentityRequest())
    found = create_client_from_env().environments().get(environment_id)
    return {
        "environment": MessageToDict(api.get_environment(get).environment),
        "logsToken": api.create_environment_logs_token(of_logs).access_token,
        "identity": MessageToDict(who),
        "found": type(found).__name__,
    }


def create_task(
    api: EnvironmentAutomationServiceClientSync,
    environment_id: str,
    reference: str,
    depends_on: list[str] | None = None,
) -> Any:
    return api.create_task(
        pb.CreateTaskRequest(
            environment_id=environment_id,
            metadata=pb.TaskMetadata(reference=reference, name=reference),
            spec=pb.TaskSpec(command="true"),
            depends_on=depends_on,
        )
    )


def code_of(call: Callable[[], Any]) -> str | None:
    found = refusal(call)
    return found and found["code"]


def refusal(call: Callable[[], Any]) -> Result | None:
    """How a call was refused; None if it was not."""
    try:
        call()
    except ConnectError as error:
        return {"code": error.code.value, "message": error.message}
    return None


def method_name(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


SCENARIOS = {scenario.__name__: scenario for scenario in (methods, pages, errors, environment)}

arguments = json.loads(sys.argv[2])
print(json.dumps(SCENARIOS[sys.argv[1]](arguments["environmentId"], arguments)), flush=True)
os._exit(0)  # a thread that waits for events in native code would be waited for
