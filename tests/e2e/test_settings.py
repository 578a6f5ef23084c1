"""Settings of a real start: errors come before anything starts, and a broken spec keeps nothing from running."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.harness import ROOT, Project, until

UUID = "07e03a28-65a5-4d98-b532-8ea67b188048"
OTHER = "17e03a28-65a5-4d98-b532-8ea67b188048"
FILE = """
tasks:
  say:
    name: Say
    triggeredBy: [postEnvironmentStart]
    command: env > seen
"""


def seen(project: Project) -> dict[str, str]:
    """The environment that the task saw."""
    lines = (project.folder / "seen").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.mark.parametrize("arguments", [(), ("--logs",)], ids=["without options", "with options"])
def test_a_bad_variable_is_an_error_before_anything_starts(
    project: Project, arguments: tuple[str, ...]
) -> None:
    project.write(FILE)
    program = project.program("run", *arguments, SUPERVISOR_LOG_LIMIT="0", SUPERVISOR_LISTEN="nowhere")

    assert project.end(program) == 2
    assert [line.partition('"')[0] for line in program.err.splitlines()] == [
        "supervisor: cannot use SUPERVISOR_LOG_LIMIT ",
        "supervisor: cannot use SUPERVISOR_LISTEN ",
    ]
    assert not (project.folder / "seen").exists()
    assert not (project.home.parent / "s").exists()


def test_a_bad_flag_is_an_error_before_anything_starts(project: Project) -> None:
    project.write(FILE)
    for arguments in (("--nonsense",), ("--environment-id", "x"), ("--initial-spec", "missing.json")):
        assert project.end(project.program("run", *arguments)) == 2
    assert not (project.folder / "seen").exists()


def test_a_given_id_is_that_of_the_environment_and_counts_more_than_the_one_before(project: Project) -> None:
    project.write(FILE)
    (project.folder / "spec.json").write_text(
        json.dumps(
            {
                "environmentId": UUID,
                "environmentToken": "s3cret",
                "controlPlaneApiEndpoint": "https://a.example",
            }
        )
    )
    spec = {"SUPERVISOR_INITIAL_SPEC": "spec.json", "SUPERVISOR_LISTEN": "none"}
    assert project.end(project.run("--exit-when-done", **spec)) == 0
    environment = seen(project)
    assert environment["GITPOD_ENVIRONMENT_ID"] == UUID
    assert "s3cret" not in str(environment)
    assert {name for name in environment if name.startswith("SUPERVISOR_")} == {
        "SUPERVISOR_RUN_ID",
        "SUPERVISOR_RUNS",
        "SUPERVISOR_SOCKET",
    }

    # Without the spec the id stays what it was.
    assert project.end(project.run("--exit-when-done", "--listen", "none")) == 0
    assert seen(project)["GITPOD_ENVIRONMENT_ID"] == UUID

    program = project.run("--exit-when-done", "--listen", "none", "--environment-id", OTHER)
    assert project.end(program) == 0
    assert seen(project)["GITPOD_ENVIRONMENT_ID"] == OTHER
    program.event(kind="notice", text=f"goes by the id {OTHER} from now on; until now it was {UUID}")


def test_the_drain_grace_is_that_of_the_settings(project: Project) -> None:
    project.write("services: {deaf: {name: D, triggeredBy: [postEnvironmentStart], commands: {start: "
                  "'trap \"\" TERM; touch up; while :; do sleep 0.05; done'}}}")  # fmt: skip
    program = project.run("--listen", "none", "--drain-grace", "100ms")
    until(lambda: (project.folder / "up").exists(), "the trap")
    began = time.monotonic()

    assert project.stop(program) == 130
    assert time.monotonic() - began < 15.0  # the default would be 30


def test_commands_find_a_supervisor_by_the_variables_that_it_was_started_with(
    project: Project, tmp_path: Path
) -> None:
    project.write("{}")
    where = {"SUPERVISOR_STATE_DIR": str(tmp_path / "state")}
    program = project.run("--listen", "none", **where)
    until((tmp_path / "state/api.sock").exists, "the socket")

    status = project.program("status", stdout=subprocess.PIPE, cwd=project.home, **where)
    assert status.wait() == 0
    assert str(project.folder) in status.out
    project.stop(program)


NAMESPACE = """
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay none -o lowerdir=/usr/local,upperdir=/mnt/upper,workdir=/mnt/work /usr/local
mkdir -p /usr/local/gitpod/config
printf '%s' "$CONTENT" > /usr/local/gitpod/config/initial-spec.json
exec "$@"
"""
"""A mount namespace in which the runner has left a spec at its default place."""


def in_namespace(project: Project, content: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", NAMESPACE, "sh", *command],
        cwd=project.folder,
        env=project.env | {"CONTENT": content},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("content", "notice"),
    [
        (json.dumps({"environmentId": UUID, "more": 1}), ""),
        ('{"environmentId": "', "it is not JSON at line 1"),
    ],
    ids=["right", "cut off"],
)
def test_the_spec_at_its_default_place_is_read_and_a_broken_one_keeps_nothing_from_running(
    project: Project, content: str, notice: str
) -> None:
    if in_namespace(project, content, "true").returncode != 0:
        pytest.skip("no overlay in a mount namespace, which puts a spec at its default place")
    project.write(FILE)
    program = [sys.executable, "-I", str(ROOT / "supervisor/__main__.py")]
    result = in_namespace(project, content, *program, "run", "--exit-when-done", "--listen", "none")

    assert result.returncode == 0, result.stderr
    assert notice in result.stdout
    assert (seen(project)["GITPOD_ENVIRONMENT_ID"] == UUID) is not bool(notice)


def test_a_filter_keeps_other_triggers_from_firing(project: Project) -> None:
    project.write(FILE)
    assert (
        project.end(project.run("--exit-when-done", SUPERVISOR_TRIGGER_FILTER="postDevcontainerStart")) == 0
    )
    assert not (project.folder / "seen").exists()
    assert project.end(project.run("--exit-when-done", SUPERVISOR_TRIGGER_FILTER="postEnvironmentStart")) == 0
    assert (project.folder / "seen").exists()
