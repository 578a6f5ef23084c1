"""Git by both SDKs: `git_changes`, also while files come and go, and many callers at one time."""

from __future__ import annotations

import base64
import random
import shutil
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.clients.harness import Driver, Supervisor, both_sdks
from tests.clients.set_up import SDK_1_2
from tests.e2e.harness import Project
from tests.workspace.git.random_edits import do_something
from tests.workspace.git.real_repository import RealRepository

PROGRAM = "ops_git.py"
CLIENT = SDK_1_2
USER = "[user]\n\tname = Dev\n\temail = dev@example.com\n[init]\n\tdefaultBranch = main\n"


@pytest.fixture
def supervisor(tmp_path: Path) -> Generator[Supervisor]:
    """One whose git writes down how it is called."""
    project, programs = Project(tmp_path), tmp_path / "bin"
    programs.mkdir()
    git = programs / "git"
    git.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)
    project.env["PATH"] = f"{programs}:{project.env['PATH']}"
    (project.home / ".gitconfig").write_text(USER)
    try:
        running = Supervisor(project)
        yield running
        assert project.stop(running.program) == 130, running.program.err
    finally:
        project.close()


@pytest.fixture
def repository(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> RealRepository:
    """The workspace."""
    project = driver.supervisor.project
    monkeypatch.setenv("HOME", str(project.home))
    found = RealRepository(project.folder)
    found.git("init", "--quiet")
    return found


@both_sdks
def test_git_changes_are_the_status_and_the_hunks(driver: Driver, repository: RealRepository) -> None:
    repository.write("edited", "one\ntwo\n")
    repository.write("gone", "x\n")
    start = repository.commit()
    repository.write("edited", "one\n2\n")
    (repository.top / "gone").unlink()
    repository.write(b"a\xff\n", "new")
    repository.write("data", b"\0")

    found = driver.run("changes", unified=1)

    assert found["files"] == {
        "a\uefff\n": ["+new"],
        "data": [],
        "edited": [" one\n-two\n+2\n"],
        "gone": ["-x\n"],
    }
    assert found["binary"] == ["data"]
    assert (found["status"]["branch"], found["status"]["latestCommit"]) == ("main", start)
    assert found["status"]["totalUnpushedCommits"] == 1
    assert driver.run("changes", baseRef="main")["files"]["edited"] == ["-two\n+2\n"]


def test_the_other_methods_and_refusals(driver: Driver, repository: RealRepository) -> None:
    repository.write("f", "one\n")
    repository.commit()
    repository.write("f", "two\n")
    repository.commit()
    driver.run("changes")

    found = driver.run("methods", baseRef="HEAD~1", path="f")

    change = {"path": "f", "changeType": "CHANGE_TYPE_MODIFIED"}
    assert found["files"] == {"changedFiles": [change], "totalChangedFiles": 1}
    assert found["content"] == dict.fromkeys(
        ("originalContent", "newContent"), base64.b64encode(b"two\n").decode()
    )
    assert found["branch"] == {"branch": "main"}
    assert found["refused"] is None  # nothing changed, so the SDK asks for no hunks
    assert (found["leads out"]["code"], found["leads out"]["kind"]) == ("invalid_argument", "ConnectError")
    kept = found["environment"]["status"]["content"]["git"]  # what GetGitStatus has answered last
    assert (kept["branch"], kept["totalUnpushedCommits"]) == ("main", 2)
    repository.write("g")
    assert driver.run("methods", baseRef="HEAD", path="g")["refused"]["kind"] == "NotFoundError"


def test_without_a_repository_the_sdk_says_why(driver: Driver) -> None:
    refused = driver.run("without")["refused"]

    assert refused["kind"] == "EnvironmentPolicyError"
    assert f"no git repository at {driver.supervisor.project.folder}" in refused["message"]


@pytest.mark.slow
def test_twenty_at_once_start_one_git(driver: Driver, repository: RealRepository, tmp_path: Path) -> None:
    repository.write("f", "x\n")
    repository.commit()
    slow = repository.top / ".git/info/attributes"  # so that all come while the first is at work
    slow.write_text("f filter=slow\n")
    repository.git("config", "filter.slow.clean", "sleep 2; cat")
    repository.write("f", "y\n")
    calls = tmp_path / "calls"
    calls.unlink(missing_ok=True)

    found = driver.run("at_once", count=20)

    assert found == {"answers": 20, "different": 1}
    assert sum(" ls-files " in f"{line} " for line in calls.read_text().splitlines()) == 1


@pytest.mark.slow
@both_sdks
def test_git_changes_never_fails_while_files_come_and_go(
    driver: Driver, repository: RealRepository, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    seconds = request.config.getoption("--fuzz-seconds") / 2  # with either SDK
    repository.commit()
    program = driver.start("meanwhile", seconds=seconds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        do_something(repository, dice)

    found = driver.result(program, "meanwhile")

    assert found["errors"] == []
    assert found["rounds"] > 0
    print(found)
