"""A project for each test."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.harness import Project


@pytest.fixture
def project(tmp_path: Path) -> Generator[Project]:
    project = Project(tmp_path)
    yield project
    project.close()
