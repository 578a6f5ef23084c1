"""A small program of the supervisor's own: run to its end, in time, or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.host.proc import child_process
from tests.host.runs.harness import until

pytestmark = pytest.mark.anyio
PYTHON = (sys.executable, "-I", "-S", "-c")


async def test_status_and_output_are_returned() -> None:
    done = await child_process.run(
        [*PYTHON, "import os; os.write(1, b'a'); os.write(2, b'b'); os._exit(3)"], 20
    )
    assert done == child_process.Done(3, b"ab")


async def test_program_that_cannot_run_raises() -> None:
    with pytest.raises(FileNotFoundError):
        await child_process.run(["/no/such/program"], 20)


async def test_one_that_takes_too_long_is_killed() -> None:
    with pytest.raises(TimeoutError):
        await child_process.run([*PYTHON, "import time; time.sleep(1000)"], 0.2)


async def test_cancelled_program_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(f'{{os.getpid()}}.'); time.sleep(1000)"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child_process.run, [*PYTHON, code], 1000)
        await until(lambda: pid.exists() and pid.read_text().endswith("."))
        tasks.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()[:-1]), 0)


async def test_a_process_that_cannot_be_had_at_first_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    popen, refused = subprocess.Popen, [errno.EAGAIN, errno.ENOMEM, errno.EMFILE]

    def short(*arguments: Any, **more: Any) -> Any:
        if refused:
            number = refused.pop()
            raise OSError(number, os.strerror(number))
        return popen(*arguments, **more)

    monkeypatch.setattr(subprocess, "Popen", short)
    monkeypatch.setattr(child_process, "_PAUSE_S", 0.01)
    assert (await child_process.run([*PYTHON, ""], 20)).status == 0
