"""A process that sleeps, and how to name it."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from supervisor.host.proc import process_tree
from supervisor.host.proc.process import ProcRef

Process = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Process]:
    with subprocess.Popen(
        ["sleep", "60"], start_new_session=True, env=os.environ | {"SUPERVISOR_RUN_ID": "mine"}
    ) as process:
        yield process
        process.kill()


def ref(process: Process) -> ProcRef:
    (found,) = process_tree.census({"mine": None})["mine"]
    assert found.pid == process.pid
    return found
