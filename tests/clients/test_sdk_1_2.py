"""gitpod-sdk 1.2: protobuf over Connect, through every method of the automation service and the watch.

`binary` is the client as it comes; `json` its generated parts by themselves, with another HTTP client and gzip.
"""

from typing import Any

import pytest

from platform_wire import environment_automation_pb2
from tests.clients.harness import Driver
from tests.clients.set_up import SDK_1_2

CLIENT = SDK_1_2
PROGRAM = "sdk_1_2.py"
both_forms = pytest.mark.parametrize("form", ["binary", "json"])


@both_forms
def test_every_method_of_the_automation_service_and_the_watch(driver: Driver, form: str) -> None:
    found = driver.run("methods", form=form)
    answers: dict[str, list[dict[str, Any]]] = found["answers"]
    service, task = answers["CreateService"][0]["service"], answers["CreateTask"][1]["task"]
    execution = answers["StartTask"][0]["taskExecution"]["id"]

    (wire,) = environment_automation_pb2.DESCRIPTOR.services_by_name.values()
    assert found["served"] == sorted(method.name for method in wire.methods)
    assert service["metadata"]["role"] == "SERVICE_ROLE_EDITOR"
    assert service["spec"]["readinessTimeout"] == "600s"
    assert service["spec"]["runsOn"] == {"machine": {}}
    (listed,) = answers["ListServices"][0]["services"]
    assert (listed["metadata"]["name"], listed["spec"]["commands"]["start"]) == ("Net", "sleep 1000")
    running = answers["GetService"][0]["service"]
    assert running["status"]["phase"] == "SERVICE_PHASE_RUNNING"
    assert running["status"]["logUrl"].endswith(f"/logs/services/{service['id']}")
    upserted = answers["UpsertAutomationsFile"][0]
    assert (len(upserted["updatedServiceIds"]), len(upserted["updatedTaskIds"])) == (1, 1)
    assert task["dependsOn"] == [answers["CreateTask"][0]["task"]["id"]]
    assert answers["GetTask"][0]["task"] == task
    assert answers["ListTasks"][0]["tasks"][0]["id"] == task["id"]
    assert answers["ListTasks"][0]["pagination"]["nextToken"]
    assert [x["id"] for x in answers["ListTaskExecutions"][0]["taskExecutions"]] == [execution]
    stopped = answers["GetTaskExecution"][0]["taskExecution"]
    assert [step["phase"].rpartition("_")[2] for step in stopped["status"]["steps"]] == [
        "SUCCEEDED",
        "STOPPED",
    ]
    for method in (
        "UpdateService",
        "StartService",
        "StopService",
        "DeleteService",
        "UpdateTask",
        "DeleteTask",
    ):
        assert answers[method][0] == {}

    assert told(found["events"], "SERVICE", service["id"])[-1] == "DELETE"
    assert told(found["events"], "TASK", task["id"])[0] == "CREATE"
    assert told(found["events"], "TASK_EXECUTION", execution)[:2] == ["CREATE", "UPDATE_STATUS"]


@both_forms
def test_lists_are_paged(driver: Driver, form: str) -> None:
    newest_first = [f"task-{number}" for number in reversed(range(27))]

    found = driver.run("pages", form=form, count=27)

    assert found["pages"] == [newest_first[:10], newest_first[10:20], newest_first[20:]]


@both_forms
def test_refusals_have_their_codes(driver: Driver, form: str) -> None:
    found = driver.run("errors", form=form, logsToken=driver.supervisor.token("Logs"))

    assert {name: error and error["code"] for name, error in found.items()} == {
        name: name.partition(" ")[0] for name in found
    }
    assert "id" in found["invalid_argument"]["message"]
    assert "two" in found["failed_precondition"]["message"]


def test_the_environment_and_its_tokens(driver: Driver) -> None:
    found = driver.run("environment")
    environment = found["environment"]

    assert environment["id"] == driver.supervisor.environment_id
    assert environment["metadata"]["name"] == "named by a client"
    assert environment["spec"]["timeout"] == {"disconnected": "3600s"}
    assert environment["status"]["phase"] == "ENVIRONMENT_PHASE_RUNNING"
    assert environment["status"]["activitySignal"]["source"] == "editor"
    assert found["identity"]["subject"]["id"] == environment["id"]
    assert found["logsToken"]
    assert found["found"] == "Environment"


def told(events: list[list[str]], kind: str, id_: str) -> list[str]:
    """What was done to a resource."""
    return [
        operation.removeprefix("RESOURCE_OPERATION_")
        for operation, its_kind, its_id in events
        if (its_kind, its_id) == (f"RESOURCE_TYPE_{kind}", id_)
    ]
