"""A scene for each test, and the seed of everything that is drawn."""

import random
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.harness import Project
from tests.faults.scene import Scene
from tests.small_disk import small_disk


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    project = Project(tmp_path)
    yield Scene(project)
    project.close()


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Scene]:
    """A scene whose state is on a disk of its own, of 16 MiB."""
    with small_disk(tmp_path / "s", "16m"):
        project = Project(tmp_path)
        try:
            yield Scene(project)
        finally:
            project.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that hurt one thing in many ways, one way each is drawn; --all-faults: all."""
    if config.getoption("--all-faults"):
        return
    ways: dict[str, list[pytest.Item]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and "hurt" in getattr(item, "fixturenames", ()):
            others = [value for name, value in item.callspec.params.items() if name != "hurt"]
            ways.setdefault(f"{item.path} {item.originalname} {others}", []).append(item)
    draw = random.Random(config.getoption("--seed"))
    left_out = {id(item) for group in ways.values() for item in group} - {
        id(draw.choice(ways[key])) for key in sorted(ways)
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]
