"""Clients that are ready to be used, and a supervisor for each test."""

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.clients import set_up
from tests.clients.harness import Driver, Supervisor
from tests.clients.set_up import Client, SetUpError
from tests.e2e.harness import Project

MakeDriver = Callable[[Client, str], Driver]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests may have to wait for packages."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(set_up.DEADLINE_S + 60))


@pytest.fixture
def supervisor(tmp_path: Path) -> Generator[Supervisor]:
    """One that runs, without an automations file; at the end it must stop and leave nothing."""
    project = Project(tmp_path)
    try:
        running = Supervisor(project)
        yield running
        assert project.stop(running.program) == 130, running.program.err
        assert running.program.err.replace("stopping everything", "").count("rror") == 0, running.program.err
    finally:
        project.close()


@pytest.fixture(scope="session")
def ready() -> Callable[[Client], None]:
    """Makes a client ready; without it a test is skipped, but fails where everything must be there."""

    def make_ready(client: Client) -> None:
        try:
            set_up.make_ready(client)
        except (SetUpError, OSError) as error:
            text = f"cannot set up {client.name}: {error}"
            if os.environ.get("CI"):
                pytest.fail(text, pytrace=False)
            pytest.skip(text)

    return make_ready


@pytest.fixture
def driver(request: pytest.FixtureRequest, ready: Callable[[Client], None]) -> Driver:
    """Drives a supervisor with the PROGRAM of the test's module and its CLIENT, or those of `both_sdks`."""
    client: Client = request.param if hasattr(request, "param") else request.module.CLIENT
    ready(client)
    return Driver(client, request.module.PROGRAM, request.getfixturevalue("supervisor"))
