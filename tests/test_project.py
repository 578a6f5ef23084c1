"""What the project's own files promise to each other, and what holds for all of it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def pins(lock: str) -> dict[str, str]:
    """{package: version}"""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / lock).read_text(), re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~! ;\[]", requirement)[0].lower() for requirement in requirements}


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
