"""The wheel and the sdist, built as CONTRIBUTING says, and the wheel in an empty environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import time
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import supervisor
from supervisor.config.resources import schema_text, starter_text
from tests.program import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
NAME = "automations_supervisor"
DEADLINE_S = 60.0
FILE = """\
services:
  web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: 'exec sleep 1000'}}
tasks:
  build: {name: Build, triggeredBy: [postEnvironmentStart], command: 'echo built'}
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def locked() -> list[str]:
    return re.findall(r"^[\w.-]+==[^\s;]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


def lowest() -> list[str]:
    """Every dependency in the oldest version that is said to do."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return [dependency.partition(",")[0].replace(">=", "==") for dependency in dependencies]


def installs(folder: Path, pins: list[str], *words: str) -> Path:
    """The command of a new environment with what pip installs for these words, in the pinned versions.

    Skips the test where no package index is reached; in CI that fails.
    """
    venv.EnvBuilder(symlinks=True).create(folder / "environment")
    (folder / "pins.txt").write_text("\n".join(pins))
    pip = (sys.executable, "-I", "-m", "pip", "--python", folder / "environment/bin/python", "install", "-q")
    done = subprocess.run(
        [*pip, "-c", folder / "pins.txt", *words],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "connection broken by" in done.stderr and done.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"no package index is reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder / "environment/bin/supervisor"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both: the wheel is built from the sdist. No network is needed."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-I", "-m", "build", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module", params=[locked, lowest])
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return installs(tmp_path_factory.mktemp("empty"), request.param(), str(wheel))


class User:
    """Somebody who uses the installed command in a folder of their own."""

    def __init__(self, command: Path, folder: Path) -> None:
        self.command = command
        self.folder = folder
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "SUPERVISOR_STATE_DIR": str(folder / "s"),
            "SUPERVISOR_SOCKET": str(folder / "s/api.sock"),
            "SUPERVISOR_TEST_SESSION": os.environ["SUPERVISOR_TEST_SESSION"],
        }

    def runs(self, *words: str) -> str:
        """What a command prints, which must succeed."""
        done = subprocess.run(
            [self.command, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def starts(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.command, *words], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )


@pytest.fixture
def user(installed: Path, tmp_path: Path) -> User:
    return User(installed, tmp_path)


def test_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(path).decode()

    assert wheel.name == f"{NAME}-{supervisor.__version__}-py3-none-any.whl"
    assert "\nName: automations-supervisor\n" in metadata
    assert f"\nVersion: {supervisor.__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata


def test_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {name.partition("/")[0] for name in names} == {
        *PACKAGES,
        f"{NAME}-{supervisor.__version__}.dist-info",
    }
    assert {
        "supervisor/schemas/automations.schema.json",
        "supervisor/config/starter.yaml",
        "supervisor/doctor/endpoints.yaml",
        "supervisor/py.typed",
    } <= names


def test_sdist_holds_the_whole_tree(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True
    ).stdout.split()

    assert set(tracked) <= names


def test_installed_command_writes_a_file_that_it_finds_right(user: User) -> None:
    user.runs("init")

    assert user.runs("init", "-") == starter_text()
    assert ": valid: " in user.runs("validate")
    assert "web" in user.runs("plan", "--trigger", "postEnvironmentStart")


def test_installed_command_prints_the_published_schema(user: User) -> None:
    assert user.runs("schema") == schema_text()
    assert json.loads(schema_text())["title"] == "Automations file"


def test_installed_command_runs_a_file_to_its_end(user: User) -> None:
    (user.folder / "automations.yaml").write_text(FILE)

    said = user.runs("run", "automations.yaml", "--exit-when-done", "--logs", "--listen", "none")

    assert re.search(r"build +\| built", said)
    assert re.search(r"task +build +succeeded", said)


def test_installed_command_upgrades_itself(user: User) -> None:
    """That checks the program first: see `supervisor self-check`."""
    (user.folder / "automations.yaml").write_text(FILE)
    with user.starts("run", "automations.yaml", "--listen", "none") as program:
        try:
            serves(user)
            assert f"to {supervisor.__version__}" in user.runs("upgrade")
            assert '"web"' in user.runs("service", "list", "--format", "json")
        finally:
            user.runs("shutdown")
        assert program.wait(DEADLINE_S) == 0


def test_checkout_that_is_installed_for_editing_works_with_its_own_schema(tmp_path: Path) -> None:
    user = User(installs(tmp_path, locked(), "--editable", str(ROOT)), tmp_path)

    assert user.runs("schema") == schema_text()
    assert not (ROOT / "supervisor/schemas").exists()


def serves(user: User) -> None:
    """Wait until the supervisor answers."""
    deadline = time.monotonic() + DEADLINE_S
    while not (user.folder / "s/api.sock").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
