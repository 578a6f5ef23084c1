"""What the fields of a file become."""

import pytest

from supervisor.config import load_bytes
from supervisor.model.spec import (
    AutomationsFile,
    Docker,
    Machine,
    Role,
    ServiceItem,
    ServiceSpec,
    TaskItem,
    TaskSpec,
    Trigger,
)


def load(text: str) -> AutomationsFile:
    loaded = load_bytes(text.encode())
    assert loaded.file is not None, loaded.problems
    return loaded.file


def service(fields: str) -> ServiceItem:
    return load(f"services: {{web: {{name: Web, commands: {{start: serve}}, {fields}}}}}").services["web"]


def task(fields: str) -> TaskItem:
    services = "services: {web: {name: Web, commands: {start: serve}}}"
    return load(f"{services}\ntasks: {{a: {{name: A, command: b, {fields}}}}}").tasks["a"]


def test_smallest_items() -> None:
    assert service("") == ServiceItem("web", "Web", ServiceSpec("serve"))
    assert task("") == TaskItem("a", "A", TaskSpec("b"))


@pytest.mark.parametrize("text", ["", "# nothing", "{}", "services:\ntasks:", "null"])
def test_file_with_nothing_in_it_is_the_empty_file(text: str) -> None:
    assert load(text) == AutomationsFile()


def test_service_with_every_field() -> None:
    text = """
      services:
        web:
          name: Web
          description: Serves
          commands: {start: serve, ready: probe, stop: end}
          triggeredBy: [postEnvironmentStart, manual]
          role: ai-agent
          runsOn: {docker: {image: "node:22", environment: [A=b, C=]}}
          readinessTimeout: 90.5s
    """
    runs_on = Docker("node:22", ("A=b", "C="))
    spec = ServiceSpec("serve", "probe", "end", runs_on, readiness_timeout_s=90.5)
    triggers = (Trigger.POST_ENVIRONMENT_START, Trigger.MANUAL)

    assert load(text).services["web"] == ServiceItem("web", "Web", spec, "Serves", triggers, Role.AI_AGENT)


def test_task_with_every_field() -> None:
    text = """
      services: {db: {name: Db, commands: {start: serve}}}
      tasks:
        build: {name: Build, command: make}
        test:
          name: Test
          description: Tests
          command: |
            one
            two
          dependsOn: [db, build]
          triggeredBy: [prebuild, beforeSnapshot]
          runsOn: {machine: {}}
          prebuildRequiresSuccess: true
    """
    spec = TaskSpec("one\ntwo\n", Machine(), prebuild_requires_success=True)
    triggers = (Trigger.PREBUILD, Trigger.BEFORE_SNAPSHOT)

    assert load(text).tasks["test"] == TaskItem("test", "Test", spec, "Tests", triggers, ("db", "build"))


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("triggeredBy: [manual]", "triggered_by: [manual]"),
        ("runsOn: {machine: {}}", "runs_on: {machine: {}}"),
        ("readinessTimeout: 5s", "readiness_timeout: 5s"),
    ],
)
def test_both_spellings_of_a_services_field_mean_the_same(usual: str, other: str) -> None:
    assert service(usual) == service(other) != service("")


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("triggeredBy: [manual]", "triggered_by: [manual]"),
        ("runsOn: {machine: {}}", "runs_on: {machine: {}}"),
        ("dependsOn: [web]", "depends_on: [web]"),
        ("prebuildRequiresSuccess: true", "prebuild_requires_success: true"),
    ],
)
def test_both_spellings_of_a_tasks_field_mean_the_same(usual: str, other: str) -> None:
    assert task(usual) == task(other) != task("")


def test_null_counts_as_absent() -> None:
    nulls = "description: null, triggeredBy: ~, role: null, runsOn: null, readinessTimeout: null"

    assert service(nulls) == service("")
    assert task("description: , dependsOn: , triggeredBy: , runsOn: , prebuildRequiresSuccess: ") == task("")
    assert task("runsOn: {docker: null, machine: {}}").spec.runs_on == Machine()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0s", 0),
        ("600s", 600),
        ("1.5s", 1.5),
        ("0.000000001s", 1e-9),
        ("86400s", 86400),
        ("00086400.000s", 86400),
    ],
)
def test_readiness_timeout_is_in_seconds(written: str, seconds: float) -> None:
    assert service(f"readinessTimeout: {written}").spec.readiness_timeout_s == seconds


@pytest.mark.parametrize(
    ("written", "role"), [("''", "default"), ("default", "default"), ("editor", "editor")]
)
def test_empty_role_is_the_default(written: str, role: str) -> None:
    assert service(f"role: {written}").role is Role(role)


def test_what_is_listed_twice_counts_once() -> None:
    assert service("triggeredBy: [prebuild, manual, prebuild]").triggers == (Trigger.PREBUILD, Trigger.MANUAL)
    assert task("dependsOn: [web, web]").depends_on == ("web",)


def test_items_keep_the_order_of_the_file() -> None:
    text = "tasks: {" + ", ".join(f"{name}: {{name: x, command: y}}" for name in ("b", "a", "10", "9")) + "}"

    assert list(load(text).tasks) == ["b", "a", "10", "9"]


@pytest.mark.parametrize("reference", ["a", "9", "-", "_", "A-b_9", "x" * 128, "null", "true"])
def test_reference_has_letters_digits_and_two_signs(reference: str) -> None:
    assert list(load(f"tasks: {{{reference}: {{name: x, command: y}}}}").tasks) == [reference]


@pytest.mark.parametrize("reference", ["''", "x" * 129, "a.b", "a b", "é", "~", '"a\\n"', "'a '", "a/b"])
def test_other_reference_is_refused(reference: str) -> None:
    [problem] = load_bytes(f"tasks: {{{reference}: {{name: x, command: y}}}}".encode()).errors

    assert "cannot be a reference" in problem.message


def test_reference_that_looks_like_a_number_is_its_text() -> None:
    text = "tasks: {0x1F: {name: x, command: y}, 007: {name: x, command: y, dependsOn: ['0x1F']}}"

    assert load(text).tasks["007"].depends_on == ("0x1F",)


def test_aliases_and_merge_keys_are_written_out() -> None:
    text = """
      services:
        web: &web {name: Web, commands: &commands {start: serve, stop: end}, triggeredBy: [manual]}
        api: {<<: *web, name: Api}
        worker: {<<: *web, commands: {<<: *commands, start: work}}
    """
    services = load(text).services

    assert (services["api"].name, services["api"].spec) == ("Api", services["web"].spec)
    assert services["worker"].spec == ServiceSpec("work", stop="end")


def test_equal_files_are_equal_and_what_they_hold_cannot_change() -> None:
    first, second = (load("tasks: {a: {name: x, command: y}}") for _ in range(2))

    assert first == second
    assert not hasattr(first.tasks, "__setitem__")
