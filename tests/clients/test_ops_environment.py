"""What an environment without a plane says of itself, to both SDKs: where its workspace is, and how to work in it."""

from __future__ import annotations

import subprocess

from platform_wire import OTHERS, SERVICES, environment_automation_pb2, environmentopts_pb2
from tests.clients.harness import Driver, both_sdks
from tests.clients.set_up import SDK_1_2

PROGRAM = "ops_environment.py"


@both_sdks
def test_the_sdk_finds_the_workspace_and_the_way_to_work_in_it(driver: Driver) -> None:
    supervisor = driver.supervisor

    found = driver.run("workspace")

    assert found["workspaceDir"] == str(supervisor.project.folder)
    assert found["opsUrl"] == f"http://127.0.0.1:{supervisor.port}"
    status = found["environment"]["status"]
    assert status["phase"] == "ENVIRONMENT_PHASE_RUNNING"
    assert status["content"]["phase"] == "CONTENT_PHASE_READY"
    assert "failureMessage" not in status
    assert found["capabilities"] == {"capabilities": ["CAPABILITY_WATCH"]}
    assert found["refreshed"] == found["environment"]["id"] == supervisor.environment_id


@both_sdks
def test_environment_knows_the_git_status_that_was_answered_last(driver: Driver) -> None:
    workspace = driver.supervisor.project.folder
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=workspace, check=True)
    (workspace / "new").touch()

    found = driver.run("git_status")

    assert found["before"] is None
    assert found["answered"]["changedFiles"] == [{"path": "new", "changeType": "CHANGE_TYPE_UNTRACKED"}]
    assert found["after"] == found["answered"]


@both_sdks
def test_example_of_the_sdk_works_from_its_workspace_to_its_last_read(driver: Driver) -> None:
    """Its wheel is gitpod-sdk's: ona-sdk brings none."""
    (example,) = SDK_1_2.folder.glob("lib/*/site-packages/examples/start_environment_and_run_command/main.py")
    folder = driver.supervisor.project.folder
    (folder / "README.md").write_text("# A project\n")

    found = driver.run("example", example=str(example))

    assert found["first"] == "workspace_dir = env.workspace_dir()"
    printed = found["printed"]
    assert {"exit_code: 0", f"workspace_dir={folder}", f"pwd={folder}", "stderr is captured too"} <= set(
        printed
    )
    assert f"read 12 bytes from {folder}/README.md" in printed
    assert printed[-1] == "verified file content: created by the Ona SDK environment interactions example"


@both_sdks
def test_what_needs_a_plane_is_unimplemented(driver: Driver) -> None:
    found = driver.run("without_plane")

    assert {name: (error["kind"], error["code"]) for name, error in found.items()} == dict.fromkeys(
        ["list", "start", "stop", "delete", "create"], ("CapabilityUnavailableError", "unimplemented")
    )
    assert "EnvironmentService/ListEnvironments is not served" in found["list"]["message"]
    assert "RunnerService/ParseContextURL is not served" in found["create"]["message"]


@both_sdks
def test_every_method_that_is_not_served_is_named_and_never_not_found(driver: Driver) -> None:
    served = [
        *environment_automation_pb2.DESCRIPTOR.services_by_name.values(),
        *environmentopts_pb2.DESCRIPTOR.services_by_name.values(),
    ]
    skip = [f"{service.full_name}/{method.name}" for service in served for method in service.methods]
    skip.remove("supervisor.v1.EnvironmentOpsService/StartBrowser")

    answers = driver.run("every_method", skip=skip)

    assert len(answers["unimplemented"]) > 270
    for method, message in answers["unimplemented"].items():
        assert f"{method} is not served by this supervisor" in message
    assert {method.partition("/")[0] for method in answers["unimplemented"]} <= {*SERVICES, *OTHERS}
    # An empty request is none for the few that are served.
    assert answers.keys() == {"", "unimplemented", "invalid_argument"}
    assert set(answers[""]) == {"gitpod.v1.IdentityService/GetAuthenticatedIdentity"}
    assert "gitpod.v1.EnvironmentService/GetEnvironment" in answers["invalid_argument"]
