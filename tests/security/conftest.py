"""A scene for each test: the same that the fault suite has, with a TCP address and tokens."""

import random
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.harness import Project
from tests.faults.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    project = Project(tmp_path)
    yield Scene(project)
    project.close()


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """What a test draws from: the same for the same --seed and test."""
    return random.Random(f"{request.config.getoption('--seed')} {request.node.nodeid}")
