"""The automations service, handler by handler: what clients ask for and what they get back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from connect_server.calls import Call
from connect_server.codecs import Encoded, JSONCodec
from connect_server.connect_errors import Code, ConnectError, InvalidArgument
from platform_wire import environment_automation_pb2 as pb
from supervisor.api.platform.automation_service import AutomationService
from supervisor.api.platform.to_wire import Translator
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.hub import Hub
from supervisor.model.action import Action, Spawn
from supervisor.model.command import Drain
from supervisor.model.errors import AlreadyExists, NotFound, Precondition
from supervisor.model.exit import ExitCode
from supervisor.model.fact import EnvironmentStarted, Exited, Started
from supervisor.model.ids import EnvironmentId
from supervisor.model.record import Record
from tests.clocks import HandClock
from tests.core.playbook import SEED

OTHER = "11111111-1111-4111-8111-111111111111"


class Bench:
    """An engine whose machine starts everything at once and ends nothing, with the service in front of it."""

    def __init__(self) -> None:
        self.spawned: list[Spawn] = []
        self.engine = Engine(World(), self, Hub(), HandClock(1.0, 1_700_000_000.0))
        self.engine.performer = self
        self.engine.post(EnvironmentStarted(EnvironmentId(SEED)))
        self.engine.turn()
        self.api = AutomationService(self.engine, Translator(SEED, "http://127.0.0.1:1"))

    def perform(self, action: Action) -> None:
        if isinstance(action, Spawn):
            self.spawned.append(action)
            self.engine.post(Started(action.run_id, 1))

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        pass

    def call(self, name: str, **request: Any) -> dict[str, Any]:
        """Call a method with JSON, as clients write it; returns JSON."""
        method: Callable[[Any, Any], Awaitable[Any]] = getattr(self.api, _snake(name))
        message = ParseDict(request, getattr(pb, f"{name}Request")())

        async def call() -> Any:
            return await method(message, Call(JSONCodec()))

        answer = anyio.run(call)
        return json.loads(answer.data) if isinstance(answer, Encoded) else MessageToDict(answer)

    def exited(self, code: int = 0, tail: str = "", output: dict[str, str] | None = None) -> None:
        self.engine.post(Exited(self.spawned[-1].run_id, ExitCode(code), tail, output))
        self.engine.turn()

    def service(self, reference: str = "web", **spec: Any) -> dict[str, Any]:
        """Create a service; returns it."""
        metadata = {"reference": reference, "name": reference}
        commands = {"start": "serve", **spec}
        created = self.call(
            "CreateService", environmentId=SEED, metadata=metadata, spec={"commands": commands}
        )
        service: dict[str, Any] = created["service"]
        return service

    def task(self, reference: str = "build", *depends_on: str) -> dict[str, Any]:
        """Create a task; returns it."""
        created = self.call(
            "CreateTask",
            environmentId=SEED,
            metadata={"reference": reference, "name": reference},
            spec={"command": "make"},
            dependsOn=depends_on,
        )
        task: dict[str, Any] = created["task"]
        return task


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def refusal(code: Code, text: str) -> Any:
    """What a refusal by the handler itself looks like."""
    return pytest.raises(ConnectError, match=text, check=lambda error: error.code is code)


# Services


def test_created_service_comes_back_as_it_was_asked_for() -> None:
    bench = Bench()
    created = bench.call(
        "CreateService",
        environmentId=SEED,
        metadata={
            "reference": "web",
            "name": "Web",
            "description": "d",
            "triggeredBy": [{"postDevcontainerStart": True}, {"manual": True}],
            "role": "SERVICE_ROLE_EDITOR",
        },
        spec={
            "commands": {"start": "serve", "ready": "probe", "stop": "halt"},
            "runsOn": {"docker": {"image": "redis:7", "environment": ["A=b"]}},
            "env": [{"name": "A", "value": "b"}, {"name": "S", "valueFrom": {"secretRef": {"id": OTHER}}}],
            "readinessTimeout": "1.500s",
        },
    )["service"]
    assert created["metadata"]["creator"] == {"id": SEED, "principal": "PRINCIPAL_ENVIRONMENT"}
    assert created["metadata"]["createdAt"] == "2023-11-14T22:13:20Z"
    assert created["metadata"]["triggeredBy"] == [{"postDevcontainerStart": True}, {"manual": True}]
    assert created["metadata"]["role"] == "SERVICE_ROLE_EDITOR"
    assert created["spec"]["commands"] == {"start": "serve", "ready": "probe", "stop": "halt"}
    assert created["spec"]["runsOn"] == {"docker": {"image": "redis:7", "environment": ["A=b"]}}
    assert created["spec"]["env"][1] == {"name": "S", "valueFrom": {"secretRef": {"id": OTHER}}}
    assert created["spec"]["readinessTimeout"] == "1.500s"
    assert created["status"]["phase"] == "SERVICE_PHASE_STOPPED"
    assert bench.call("GetService", id=created["id"])["service"] == created


def test_started_service_has_a_log_url_and_a_session() -> None:
    bench = Bench()
    id_ = bench.service()["id"]
    bench.call("StartService", id=id_)
    service = bench.call("GetService", id=id_)["service"]
    assert service["status"]["phase"] == "SERVICE_PHASE_RUNNING"
    assert service["status"]["logUrl"] == f"http://127.0.0.1:1/logs/services/{id_}"
    assert service["status"]["session"] == service["spec"]["session"]
    assert service["spec"]["desiredPhase"] == "SERVICE_PHASE_RUNNING"


def test_start_of_a_running_and_stop_of_a_stopped_service_are_no_errors() -> None:
    bench = Bench()
    id_ = bench.service()["id"]
    bench.call("StopService", id=id_)
    bench.call("StartService", id=id_)
    bench.call("StartService", id=id_)
    assert len(bench.spawned) == 1


def test_failed_service_says_why_with_its_last_words() -> None:
    bench = Bench()
    id_ = bench.service()["id"]
    bench.call("StartService", id=id_)
    bench.exited(7, tail="port in use\n")
    status = bench.call("GetService", id=id_)["service"]["status"]
    assert (status["phase"], status["failureMessage"]) == ("SERVICE_PHASE_FAILED", "exited 7\nport in use")


def test_service_that_is_wanted_running_at_once_is_started() -> None:
    bench = Bench()
    spec = {"commands": {"start": "serve"}, "desiredPhase": "SERVICE_PHASE_RUNNING"}
    created = bench.call("CreateService", environmentId=SEED, metadata={"reference": "web"}, spec=spec)
    assert created["service"]["status"]["phase"] == "SERVICE_PHASE_RUNNING"


def test_service_that_cannot_be_started_as_it_was_asked_for_is_not_created() -> None:
    bench = Bench()
    bench.engine.submit(Drain(30.0))
    metadata, spec = (
        {"reference": "web"},
        {"commands": {"start": "x"}, "desiredPhase": "SERVICE_PHASE_RUNNING"},
    )
    with pytest.raises(Precondition, match="shutting down"):
        bench.call("CreateService", environmentId=SEED, metadata=metadata, spec=spec)
    assert bench.call("ListServices") == {"pagination": {}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {"reference": ""}}, "metadata.reference: must not be empty"),
        ({"spec": {"commands": {"start": ""}}}, "spec.commands.start: must not be empty"),
        ({"metadata": {"reference": "x", "triggeredBy": [{"beforeSnapshot": True}]}}, "beforeSnapshot"),
        ({"metadata": {"reference": "x", "triggeredBy": [{}]}}, r"metadata.triggeredBy\[0\]: must have one"),
        ({"metadata": {"reference": "x", "triggeredBy": [{"manual": False}]}}, "one trigger set to true"),
        ({"metadata": {"reference": "x", "role": "SERVICE_ROLE_SECURITY_AGENT"}}, "SECURITY_AGENT"),
        ({"spec": {"commands": {"start": "x"}, "runsOn": {}}}, "spec.runsOn: must have docker or machine"),
        ({"spec": {"commands": {"start": "x"}, "env": [{"name": "A"}]}}, r"spec.env\[0\]: must have a value"),
    ],
)
def test_service_that_cannot_be_is_refused_naming_the_field(change: dict[str, Any], message: str) -> None:
    request = {"metadata": {"reference": "web"}, "spec": {"commands": {"start": "serve"}}} | change
    with refusal(Code.INVALID_ARGUMENT, message):
        Bench().call("CreateService", environmentId=SEED, **request)


def test_second_service_of_a_reference_is_refused() -> None:
    bench = Bench()
    bench.service()
    with pytest.raises(AlreadyExists):
        bench.service()


def test_another_environment_is_not_found() -> None:
    with pytest.raises(NotFound, match=f'cannot find environment "{OTHER}"'):
        Bench().call("CreateService", environmentId=OTHER, metadata={"reference": "x"})


def test_update_changes_what_is_set_and_nothing_else() -> None:
    bench = Bench()
    id_ = bench.service(ready="probe")["id"]
    bench.call(
        "UpdateService", id=id_, metadata={"description": "new"}, spec={"commands": {"start": "other"}}
    )
    service = bench.call("GetService", id=id_)["service"]
    assert service["metadata"]["description"] == "new"
    assert service["metadata"]["name"] == "web"
    assert service["spec"]["commands"] == {"start": "other", "ready": "probe"}
    assert service["spec"]["specVersion"] == "2"


def test_update_replaces_triggers_also_by_none() -> None:
    bench = Bench()
    id_ = bench.service()["id"]
    bench.call("UpdateService", id=id_, metadata={"triggeredBy": {"trigger": [{"prebuild": True}]}})
    assert bench.call("GetService", id=id_)["service"]["metadata"]["triggeredBy"] == [{"prebuild": True}]
    bench.call("UpdateService", id=id_, metadata={"triggeredBy": {}})
    assert "triggeredBy" not in bench.call("GetService", id=id_)["service"]["metadata"]


def test_spec_of_a_running_service_cannot_be_updated() -> None:
    bench = Bench()
    id_ = bench.service()["id"]
    bench.call("StartService", id=id_)
    with pytest.raises(Precondition):
        bench.call("UpdateService", id=id_, spec={"commands": {"start": "other"}})


def test_spec_of_a_running_service_cannot_be_updated_even_by_what_it_is() -> None:
    bench = Bench()
    service = bench.service()
    bench.call("StartService", id=service["id"])
    with pytest.raises(Precondition, match="stop it first"):
        bench.call("UpdateService", id=service["id"], spec={"commands": service["spec"]["commands"]})


def test_status_of_a_service_cannot_be_set() -> None:
    bench = Bench()
    id_ = bench.service()["id"]
    with refusal(Code.PERMISSION_DENIED, "status"):
        bench.call("UpdateService", id=id_, status={"failureMessage": "x"})


def test_deleted_service_is_gone() -> None:
    bench = Bench()
    id_ = bench.service()["id"]
    bench.call("DeleteService", id=id_)
    with pytest.raises(NotFound):
        bench.call("GetService", id=id_)


# Lists


def test_list_is_newest_first_in_pages_that_stay_valid_while_items_go() -> None:
    bench = Bench()
    ids = [bench.service(f"s{n}")["id"] for n in range(5)]
    first = bench.call("ListServices", pagination={"pageSize": 2})
    assert [s["metadata"]["reference"] for s in first["services"]] == ["s4", "s3"]
    bench.call("DeleteService", id=ids[3])
    bench.call("DeleteService", id=ids[2])
    bench.service("new")
    token = first["pagination"]["nextToken"]
    second = bench.call("ListServices", pagination={"pageSize": 2, "token": token})
    assert [s["metadata"]["reference"] for s in second["services"]] == ["s1", "s0"]
    assert second["pagination"] == {}


def test_page_has_25_items_unless_asked_otherwise() -> None:
    bench = Bench()
    for n in range(30):
        bench.task(f"t{n}")
    assert len(bench.call("ListTasks")["tasks"]) == 25


def test_page_of_large_executions_ends_early_and_the_next_goes_on() -> None:
    """40 of 1 MiB of outputs each held up everything for 13 s."""
    bench = Bench()
    task = bench.task()
    started = []
    for number in range(12):
        started.append(bench.call("StartTask", id=task["id"])["taskExecution"]["id"])
        bench.exited(output={f"k{n}": f"{number}" * 1000 for n in range(60)})
    seen, token, pages = [], "", 0
    while token or not pages:
        page = bench.call("ListTaskExecutions", pagination={"pageSize": 100, "token": token})
        seen += [execution["id"] for execution in page["taskExecutions"]]
        token, pages = page["pagination"].get("nextToken", ""), pages + 1
    assert seen == started[::-1]
    assert pages == 2


@pytest.mark.parametrize("token", ["x", "bm9uc2Vuc2U=", "\u00e4", "b2xkZXItdGhhbjp4"])
def test_token_that_no_list_gave_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument, match=r"pagination\.token"):
        Bench().call("ListServices", pagination={"token": token})


def test_filters_must_all_match() -> None:
    bench = Bench()
    bench.service("a")
    b = bench.service("b")["id"]
    found = bench.call("ListServices", filter={"references": ["a", "b"], "serviceIds": [b]})["services"]
    assert [service["id"] for service in found] == [b]
    assert bench.call("ListServices", filter={"environmentIds": [OTHER]}).get("services") is None
    assert len(bench.call("ListServices", filter={"roles": ["SERVICE_ROLE_DEFAULT"]})["services"]) == 2


# Tasks and executions


def test_task_runs_its_dependencies_by_id() -> None:
    bench = Bench()
    below = bench.task("below")["id"]
    task = bench.task("above", below)
    assert task["dependsOn"] == [below]
    execution = bench.call("StartTask", id=task["id"])["taskExecution"]
    plan = execution["spec"]["plan"]
    assert [[step["label"] for step in group["steps"]] for group in plan] == [["below"], ["above"]]
    assert plan[1]["steps"][0]["dependsOn"] == [plan[0]["steps"][0]["id"]]
    assert execution["metadata"]["startedBy"] == "manual"
    assert execution["status"]["phase"] == "TASK_EXECUTION_PHASE_RUNNING"
    assert execution["status"]["logUrl"].endswith(f"/logs/executions/{execution['id']}")


def test_execution_that_fails_names_the_step() -> None:
    bench = Bench()
    execution = bench.call("StartTask", id=bench.task()["id"])["taskExecution"]
    bench.exited(7, tail="no\n")
    status = bench.call("GetTaskExecution", id=execution["id"])["taskExecution"]["status"]
    assert status["phase"] == "TASK_EXECUTION_PHASE_FAILED"
    assert status["failureMessage"] == 'step "build" exited 7\nno'
    assert status["steps"][0]["failureMessage"] == "exited 7"


def test_executions_are_listed_by_task_reference_and_phase() -> None:
    bench = Bench()
    task = bench.task()["id"]
    ids = []
    for code in (0, 1):
        ids.append(bench.call("StartTask", id=task)["taskExecution"]["id"])
        bench.exited(code)
    wanted = {"taskReferences": ["build"], "phases": ["TASK_EXECUTION_PHASE_FAILED"], "taskIds": [task]}
    found = bench.call("ListTaskExecutions", filter=wanted)["taskExecutions"]
    assert [execution["id"] for execution in found] == [ids[1]]
    assert [x["id"] for x in bench.call("ListTaskExecutions")["taskExecutions"]] == ids[::-1]


def test_stop_of_an_execution_wants_it_stopped() -> None:
    bench = Bench()
    execution = bench.call("StartTask", id=bench.task()["id"])["taskExecution"]
    bench.call("StopTaskExecution", id=execution["id"])
    found = bench.call("GetTaskExecution", id=execution["id"])["taskExecution"]
    assert found["spec"]["desiredPhase"] == "TASK_EXECUTION_PHASE_STOPPED"


def test_task_that_others_depend_on_is_not_deleted() -> None:
    bench = Bench()
    below = bench.task("below")["id"]
    bench.task("above", below)
    with pytest.raises(Precondition, match='task "above" depends on it'):
        bench.call("DeleteTask", id=below)


def test_updated_task_runs_the_new_command() -> None:
    bench = Bench()
    id_ = bench.task()["id"]
    bench.call("UpdateTask", id=id_, spec={"command": "other", "prebuildRequiresSuccess": True})
    bench.call("StartTask", id=id_)
    assert bench.spawned[-1].script == "other"


@pytest.mark.parametrize(
    "name", ["GetTask", "StartTask", "DeleteTask", "GetTaskExecution", "StopTaskExecution"]
)
def test_unknown_id_is_not_found(name: str) -> None:
    with pytest.raises(NotFound, match=OTHER):
        Bench().call(name, id=OTHER)


# The file

FILE = {
    "services": {
        "web": {"name": "Web", "commands": {"start": "serve"}, "triggeredBy": ["postEnvironmentStart"]}
    },
    "tasks": {"test": {"name": "Test", "command": "make", "dependsOn": ["web"]}},
}


def upsert(bench: Bench, **file: Any) -> dict[str, Any]:
    return bench.call("UpsertAutomationsFile", environmentId=SEED, automationsFile=file)


def test_upsert_makes_the_items_and_returns_their_ids() -> None:
    bench = Bench()
    ids = upsert(bench, **FILE)
    assert (
        bench.call("GetService", id=ids["updatedServiceIds"][0])["service"]["metadata"]["reference"] == "web"
    )
    task = bench.call("GetTask", id=ids["updatedTaskIds"][0])["task"]
    assert task["dependsOn"] == ids["updatedServiceIds"]


def test_second_upsert_returns_only_what_changed_and_removes_nothing() -> None:
    bench = Bench()
    before = upsert(bench, **FILE)
    assert upsert(bench, **FILE) == {}
    after = upsert(bench, tasks={"test": {"name": "Test", "command": "other"}})
    assert after == {"updatedTaskIds": before["updatedTaskIds"]}
    assert len(bench.call("ListServices")["services"]) == 1


def test_upsert_of_the_other_kind_of_an_item_is_refused_and_changes_nothing() -> None:
    bench = Bench()
    bench.service("web")
    with pytest.raises(AlreadyExists, match='cannot make task "web": there is a service with this reference'):
        upsert(bench, tasks={"new": {"name": "New", "command": "x"}, "web": {"name": "Web", "command": "x"}})
    assert bench.call("ListTasks") == {"pagination": {}}


def test_upsert_of_a_bad_file_is_refused_with_every_problem_and_changes_nothing() -> None:
    bench = Bench()
    bad = {"tasks": {"a": {"name": "A", "command": "x", "dependsOn": ["nobody", "b"]}, "b": {"name": "B"}}}
    with refusal(Code.INVALID_ARGUMENT, "nobody.*command"):
        upsert(bench, **bad)
    assert bench.call("ListTasks") == {"pagination": {}}
