"""Where a log may be, and what becomes of shims whose supervisor was killed."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.runs.harness import DEADLINE_S, reaped, shims


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


@pytest.fixture
def no_shim_left() -> Iterator[None]:
    """The shims of killed supervisors are our children; they end once they hold nothing."""
    yield
    deadline = time.monotonic() + DEADLINE_S
    while any([not reaped(pid) for pid in shims()]):
        assert time.monotonic() < deadline, "a shim is left"
        time.sleep(0.005)
