"""What the project's own files promise to each other, and what holds for all of it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# fmt: off
HEAVY = {
    "ctypes", "dataclasses", "datetime", "hashlib", "inspect", "logging", "queue", "sqlite3", "subprocess", "threading",
    "typing", "uuid",
    "aiohttp", "anyio", "asyncio", "click", "encodings.idna", "google.protobuf", "jsonschema", "jwt", "psutil",
    "supervisor.activity.activity", "watchfiles", "yaml",
}
"""Not to be imported before the first command, which waits for every import."""
# fmt: on
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def pins(lock: str) -> dict[str, str]:
    """{package: version}"""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / lock).read_text(), re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~! ;\[]", requirement)[0].lower() for requirement in requirements}


UNTIL_THE_FIRST_COMMAND = """
import os, sys
from supervisor.host.runs.shim_client import ShimClient
def spawn(*_, **__):
    print(*sys.modules, flush=True)
    os._exit(0)
ShimClient.spawn = spawn
sys.argv = ["supervisor", "run", "automations.yaml"]
from supervisor.cli import main
main()
"""


def test_supervisor_run_imports_nothing_heavy_before_its_first_command(tmp_path: Path) -> None:
    (tmp_path / "automations.yaml").write_text(
        "services: {a: {name: A, triggeredBy: [postEnvironmentStart], commands: {start: 'true'}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", UNTIL_THE_FIRST_COMMAND],
        cwd=tmp_path,
        # Any free port, since a notice about one that is taken starts the thread that prints.
        env={
            "PATH": "/usr/bin:/bin",
            "SUPERVISOR_STATE_DIR": str(tmp_path / "s"),
            "SUPERVISOR_LISTEN": "127.0.0.1:0",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules = set(done.stdout.split())
    assert "supervisor.boot.supervisor" in modules
    assert not HEAVY & modules


def test_version_stands_in_the_package_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "supervisor/__init__.py"


def test_locks_name_every_package_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert wanted(project["dependencies"]) <= pins("requirements.lock").keys()
    assert wanted(project["optional-dependencies"]["dev"]) <= pins("requirements-dev.lock").keys()


def test_developer_lock_holds_the_runtime_lock_so_that_tests_run_what_users_run() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_address_so_that_any_index_serves_it(lock: str) -> None:
    assert (
        re.findall(r"^\s*--(?!hash=sha256:).*|.*(?:://|@|/opt/).*", (ROOT / lock).read_text(), re.MULTILINE)
        == []
    )


def test_changelog_has_a_dated_section_for_the_version() -> None:
    from supervisor import __version__

    releases = re.findall(
        r"^## \[(.+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )

    assert releases[0] == __version__
