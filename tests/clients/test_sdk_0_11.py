"""gitpod-sdk 0.11: JSON, JSON lines, and the helpers of `gitpod.lib`, unchanged."""

from typing import Any

from tests.clients.harness import Driver
from tests.clients.set_up import SDK_0_11

CLIENT = SDK_0_11
PROGRAM = "sdk_0_11.py"

MANY = "for i in $(seq 3000); do echo line $i; done; sleep 0.2; echo half; sleep 0.2; printf 'no newline'"


def test_run_command_gives_every_line_in_order_and_runs_a_new_command_the_next_time(driver: Driver) -> None:
    found = driver.run("commands", commands=[MANY, "echo again >&2", "echo on its way; exit 7"])

    first, second, third = found["ran"]
    assert first["lines"] == [*(f"line {i}" for i in range(1, 3001)), "half", "no newline"]
    assert second["lines"] == ["again"]
    assert third["lines"] == ["on its way"]
    assert [run["phase"] for run in found["ran"]] == [
        "TASK_EXECUTION_PHASE_SUCCEEDED",
        "TASK_EXECUTION_PHASE_SUCCEEDED",
        "TASK_EXECUTION_PHASE_FAILED",
    ]
    assert "exited 7" in third["why"]
    assert found["executions"] == 3
    (task,) = found["tasks"]
    assert task["metadata"]["reference"] == "gitpod-python-sdk"
    assert task["spec"]["command"] == "echo on its way; exit 7"


def test_run_service_waits_until_ready_and_follows_the_log_to_its_end(driver: Driver) -> None:
    start = "trap 'echo bye; exit 0' TERM; sleep 0.3; touch up; printf 'line %s\\n' 1 2 3; sleep 1000 & wait"
    found = driver.run(
        "service",
        metadata={"reference": "web", "name": "Web"},
        spec={"commands": {"start": start, "ready": "test -e up"}},
        count=3,
    )

    assert found["head"] == ["line 1", "line 2", "line 3"]
    assert found["rest"] == ["bye"]
    assert found["again"] == ["line 1", "line 2", "line 3", "bye"]
    assert found["service"]["status"]["phase"] == "SERVICE_PHASE_RUNNING"
    assert found["service"]["status"]["logUrl"].endswith(f"/logs/services/{found['service']['id']}")


def test_a_service_goes_through_its_life(driver: Driver) -> None:
    found = driver.run(
        "services",
        metadata={
            "reference": "web",
            "name": "Web",
            "description": "serves",
            "triggered_by": [{"manual": True}],
        },
        spec={"commands": {"start": "echo old"}},
        newMetadata={"name": "Net", "triggered_by": {"trigger": [{"post_devcontainer_start": True}]}},
        newSpec={"commands": {"start": "sleep 1000", "ready": "true"}, "env": [{"name": "A", "value": "b"}]},
    )
    id_ = found["created"]["id"]

    assert found["created"]["environmentId"] == driver.supervisor.environment_id
    assert found["created"]["spec"]["commands"]["start"] == "echo old"
    assert found["created"]["metadata"]["triggeredBy"] == [{"manual": True}]
    assert found["updated"]["metadata"]["name"] == "Net"
    assert found["updated"]["metadata"]["description"] == "serves"
    assert found["updated"]["metadata"]["triggeredBy"] == [{"postDevcontainerStart": True}]
    assert found["updated"]["spec"]["commands"] == {"start": "sleep 1000", "ready": "true"}
    assert found["updated"]["spec"]["env"] == [{"name": "A", "value": "b"}]
    assert int(found["updated"]["spec"]["specVersion"]) > int(found["created"]["spec"]["specVersion"])
    assert found["running"]["spec"]["desiredPhase"] == "SERVICE_PHASE_RUNNING"
    assert found["running"]["spec"]["session"] == found["running"]["status"]["session"] != ""
    assert found["byReference"] == [id_]
    assert found["byOther"] == []
    assert (found["refused"]["status"], found["refused"]["code"]) == (400, "failed_precondition")
    assert (found["gone"]["status"], found["gone"]["code"]) == (404, "not_found")
    assert found["left"] == []
    kinds = [event[0] for event in found["events"] if event[1:] == ["SERVICE", id_]]
    assert kinds[0] == "CREATE"
    assert kinds[-1] == "DELETE"
    assert {"UPDATE", "UPDATE_STATUS"} < set(kinds)


def test_tasks_and_their_executions(driver: Driver) -> None:
    found = driver.run("tasks")
    first, second = found["first"]["id"], found["second"]["id"]
    succeeded, stopped = found["succeeded"], found["stopped"]

    assert found["second"]["dependsOn"] == [first]
    assert found["second"]["spec"]["env"] == [{"name": "NAME", "value": "value"}]
    assert succeeded["metadata"]["taskId"] == second
    assert succeeded["metadata"]["startedBy"] == "manual"
    assert succeeded["metadata"]["completedAt"] >= succeeded["metadata"]["startedAt"]
    plan = [step["task"] for group in succeeded["spec"]["plan"] for step in group["steps"]]
    assert [(task["id"], task["spec"]["command"]) for task in plan] == [
        (first, "echo first"),
        (second, "echo second"),
    ]
    assert phases(succeeded) == ["SUCCEEDED", "SUCCEEDED"]
    assert stopped["spec"]["desiredPhase"] == "TASK_EXECUTION_PHASE_STOPPED"
    assert found["running"] == [stopped["id"]]
    assert found["ofSecond"] == [stopped["id"], succeeded["id"]]
    assert found["refused"]["code"] == "failed_precondition"
    assert "second" in found["refused"]["message"]
    assert found["gone"]["code"] == "not_found"
    assert found["left"] == []
    assert ["CREATE", "TASK", first] in found["events"]
    assert ["CREATE", "TASK_EXECUTION", succeeded["id"]] in found["events"]
    assert ["UPDATE_STATUS", "TASK_EXECUTION", succeeded["id"]] in found["events"]
    assert [event[0] for event in found["events"] if event[1:] == ["TASK", first]] == [
        "CREATE",
        "UPDATE",
        "DELETE",
    ]


def test_lists_are_paged_by_hand_and_by_the_client_itself(driver: Driver) -> None:
    found = driver.run("pages", count=27)
    newest_first = [f"task-{number}" for number in reversed(range(27))]

    assert found["byHand"] == [newest_first[:10], newest_first[10:20], newest_first[20:]]
    assert found["byItself"] == newest_first
    assert found["inQuery"] == newest_first[:7]


def test_the_environment_and_its_tokens(driver: Driver) -> None:
    found = driver.run(
        "environment",
        file={
            "services": {
                "db": {"name": "DB", "commands": {"start": "sleep 1000"}, "triggeredBy": ["manual"]}
            },
            "tasks": {
                "seed": {"name": "Seed", "command": "true"},
                "load": {"name": "Load", "command": "true", "dependsOn": ["seed"]},
            },
        },
    )
    environment = found["environment"]
    (service,) = found["services"]
    seed, load = found["tasks"]  # the newest first; made in the order of their references

    assert environment["id"] == driver.supervisor.environment_id
    assert environment["metadata"]["name"] == "named by a client"
    assert environment["status"]["phase"] == "ENVIRONMENT_PHASE_RUNNING"
    assert environment["status"]["activitySignal"] == {
        "source": "editor",
        "timestamp": "2030-01-02T03:04:05Z",
    }
    assert found["upserted"]["updatedServiceIds"] == [service["id"]]
    assert sorted(found["upserted"]["updatedTaskIds"]) == sorted([load["id"], seed["id"]])
    assert {load["metadata"]["reference"]: load["dependsOn"]} == {"load": [seed["id"]]}
    assert found["identity"]["subject"] == {"id": environment["id"], "principal": "PRINCIPAL_ENVIRONMENT"}
    assert (found["withLogsToken"]["status"], found["withLogsToken"]["code"]) == (403, "permission_denied")
    assert ["UPDATE", "ENVIRONMENT", environment["id"]] in found["events"]


def test_refusals_are_the_errors_that_the_client_knows(driver: Driver) -> None:
    found = driver.run("errors")

    assert {name: (error["class"], error["status"], error["code"]) for name, error in found.items()} == {
        "not_found": ("NotFoundError", 404, "not_found"),
        "already_exists": ("ConflictError", 409, "already_exists"),
        "invalid_argument": ("BadRequestError", 400, "invalid_argument"),
        "unauthenticated": ("AuthenticationError", 401, "unauthenticated"),
        "unimplemented": ("InternalServerError", 501, "unimplemented"),
        "not_found of a stream": ("NotFoundError", 404, "not_found"),
    }
    assert "id" in found["invalid_argument"]["message"]


def phases(execution: dict[str, Any]) -> list[str]:
    return [step["phase"].rpartition("_")[2] for step in execution["status"]["steps"]]
