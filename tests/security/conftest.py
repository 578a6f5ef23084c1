"""A scene for each test: the same that the fault suite has, with a TCP address and tokens."""

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
