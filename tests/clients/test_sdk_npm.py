"""@gitpod/sdk from npm: JSON and JSON lines from Node."""

from tests.clients.harness import Driver
from tests.clients.set_up import SDK_NPM

CLIENT = SDK_NPM
PROGRAM = "sdk_npm.cjs"

MANY = "for i in $(seq 3000); do echo line $i; done; sleep 0.2; printf 'no newline'"


def test_run_command_gives_every_line_in_order_and_runs_a_new_command_the_next_time(driver: Driver) -> None:
    found = driver.run("commands", commands=[MANY, "echo again; exit 7"])

    first, second = found["ran"]
    assert first["lines"] == [*(f"line {i}" for i in range(1, 3001)), "no newline"]
    assert second["lines"] == ["again"]
    assert [run["phase"] for run in found["ran"]] == [
        "TASK_EXECUTION_PHASE_SUCCEEDED",
        "TASK_EXECUTION_PHASE_FAILED",
    ]
    (task,) = found["tasks"]
    assert task["spec"]["command"] == "echo again; exit 7"


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
    assert found["service"]["status"]["phase"] == "SERVICE_PHASE_RUNNING"


def test_a_service_and_a_task_go_through_their_lives_while_they_are_watched(driver: Driver) -> None:
    found = driver.run("lives")
    service, execution = found["service"]["id"], found["failed"]["id"]

    assert [item["id"] for item in found["listed"]] == [service]
    assert found["listed"][0]["metadata"]["description"] == "from Node"
    assert found["running"]["status"]["session"] == found["stopped"]["status"]["session"]
    assert "exited 7" in found["failed"]["status"]["failureMessage"]
    assert found["executions"] == [execution]
    assert found["environment"]["id"] == driver.supervisor.environment_id
    assert ["RESOURCE_OPERATION_CREATE", "RESOURCE_TYPE_SERVICE", service] == found["events"][0]
    assert ["RESOURCE_OPERATION_DELETE", "RESOURCE_TYPE_SERVICE", service] in found["events"]
    assert ["RESOURCE_OPERATION_UPDATE_STATUS", "RESOURCE_TYPE_TASK_EXECUTION", execution] in found["events"]


def test_the_client_pages_by_itself(driver: Driver) -> None:
    found = driver.run("pages", count=27)

    assert found["byItself"] == [f"task-{number}" for number in reversed(range(27))]


def test_refusals_are_the_errors_that_the_client_knows(driver: Driver) -> None:
    found = driver.run("errors")

    assert {name: (error["class"], error["status"], error["code"]) for name, error in found.items()} == {
        "not_found": ("NotFoundError", 404, "not_found"),
        "invalid_argument": ("BadRequestError", 400, "invalid_argument"),
        "unauthenticated": ("AuthenticationError", 401, "unauthenticated"),
        "not_found of a stream": ("NotFoundError", 404, "not_found"),
    }
