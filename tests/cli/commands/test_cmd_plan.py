"""`supervisor plan`: what would run, without running it."""

from pathlib import Path

import pytest

from tests.cli.conftest import Invoke

BEHAVIOURS = Path(__file__).resolve().parents[3] / "fixtures/behaviours"


def test_task_is_shown_in_groups_with_shared_dependencies_once(supervisor: Invoke) -> None:
    result = supervisor("plan", BEHAVIOURS / "diamond.yaml", "--task", "top")

    assert (result.status, result.err) == (0, "")
    assert result.out == (
        "task top:\n"
        "  1. task shared: mkdir -p .scratch …\n"
        "  2. task left: touch .scratch/left …\n"
        "     task right: touch .scratch/right …\n"
        "  3. task top: echo top\n"
    )


def test_service_that_a_task_needs_is_a_step_of_its_own(supervisor: Invoke) -> None:
    result = supervisor("plan", BEHAVIOURS / "service-dependency.yaml", "--task", "ask")

    assert "  1. service db: start, wait until RUNNING\n  2. task ask: " in result.out


def test_trigger_shows_all_that_it_starts(supervisor: Invoke) -> None:
    result = supervisor("plan", BEHAVIOURS / "prebuild.yaml", "--trigger", "prebuild")

    assert result.out.startswith("service cache: start\ntask compile:\n")
    assert "task optional:\n" in result.out
    assert "clean" not in result.out


SHARED = """
services:
  db: {name: Db, commands: {start: postgres}, triggeredBy: [prebuild]}
tasks:
  deps: {name: Deps, command: npm ci}
  build: {name: Build, command: make, dependsOn: [deps, db], triggeredBy: [prebuild]}
  test:
    name: Test
    command: |
      #!/bin/bash
      # Tests, all of them.

      make test
    dependsOn: [deps, build]
    triggeredBy: [prebuild]
"""


def test_trigger_shows_which_items_share_a_run(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text(SHARED)

    assert supervisor("plan", "a.yaml", "--trigger", "prebuild").out == (
        "service db: start\n"
        "task build:\n"
        "  1. task deps: npm ci\n"
        "     service db: wait until RUNNING\n"
        "  2. task build: make\n"
        "task test:\n"
        '  1. task deps: the run of "build" above\n'
        "     service db: wait until RUNNING\n"
        '  2. task build: the run of "build" above\n'
        "  3. task test: make test\n"
    )
    build, test = supervisor("plan", "a.yaml", "--trigger=prebuild", "--format=json").json["executions"]
    assert [step.get("sharedWith") for group in build["groups"] for step in group] == [
        None,
        "service db",
        None,
    ]
    assert [step.get("sharedWith") for group in test["groups"] for step in group] == [
        "build",
        "service db",
        "build",
        None,
    ]


def test_trigger_that_nothing_has_says_so(supervisor: Invoke) -> None:
    result = supervisor("plan", BEHAVIOURS / "chain.yaml", "--trigger", "postMachineStart")

    assert (result.status, result.out) == (0, "nothing would run\n")


def test_json_form_names_steps_and_commands(supervisor: Invoke) -> None:
    result = supervisor("plan", BEHAVIOURS / "service-dependency.yaml", "--task=ask", "--format=json")

    (execution,) = result.json["executions"]
    assert result.json["services"] == []
    assert execution["task"] == "ask"
    assert execution["groups"] == [
        [{"service": "db", "waitsFor": "RUNNING", "ready": "mv .scratch/found .scratch/answer"}],
        [{"task": "ask", "command": 'test "$(cat .scratch/answer)" = 42'}],
    ]


def test_unknown_task_is_told_with_those_there_are(supervisor: Invoke) -> None:
    result = supervisor("plan", BEHAVIOURS / "chain.yaml", "--task", "five")

    assert (result.status, result.out) == (1, "")
    assert result.err == (
        'supervisor: cannot plan task "five": the file has no such task; it has four, one, three, two\n'
    )


def test_file_with_a_cycle_has_no_plan_and_says_why(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "tasks:\n  a: {name: A, command: a, dependsOn: [b]}\n  b: {name: B, command: b, dependsOn: [a]}\n"
    )

    result = supervisor("plan", "a.yaml", "--task", "a")

    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("supervisor: cannot use the automations file:\na.yaml:")
    assert "a -> b -> a" in result.err


@pytest.mark.parametrize("arguments", [(), ("--task", "one", "--trigger", "prebuild")])
def test_either_task_or_trigger_must_be_said(supervisor: Invoke, arguments: tuple[str, ...]) -> None:
    result = supervisor("plan", BEHAVIOURS / "chain.yaml", *arguments)

    assert result.status == 2
    assert "either --task REF or --trigger NAME" in result.err


def test_unknown_trigger_is_wrong_usage_and_names_those_there_are(supervisor: Invoke) -> None:
    result = supervisor("plan", BEHAVIOURS / "chain.yaml", "--trigger", "postStart")

    assert result.status == 2
    assert 'there is no "postStart"; there are ' in result.err
    assert "prebuild" in result.err
