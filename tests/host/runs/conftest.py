"""Where a log may be."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(params=["disk", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The path of a log on the filesystem of temporary files, and on tmpfs."""
    if request.param == "disk":
        yield str(tmp_path / "log")
        return
    if not os.path.isdir("/dev/shm"):
        pytest.skip("no /dev/shm here, so no tmpfs to try")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield f"{folder}/log"
