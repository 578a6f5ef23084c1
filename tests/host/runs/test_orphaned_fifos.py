"""Which FIFOs a shim is asked to pump."""

import os
from pathlib import Path
from typing import cast

import pytest

from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.orphaned_fifos import OrphanedFifos
from supervisor.host.runs.run import OUTPUT_BYTES, Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.runs.spawn.shim_pool import ShimPool
from supervisor.model.action import RunKind
from supervisor.model.exit import ExitCode
from supervisor.model.ids import RunId
from supervisor.shim.protocol import PumpRequest

pytestmark = pytest.mark.anyio


class Client:
    """A shim that notes which runs' FIFOs it was asked to pump."""

    def __init__(self) -> None:
        self.requests: list[PumpRequest] = []

    @property
    def asked(self) -> list[str]:
        return [request.run_id for request in self.requests]

    def pump(self, request: PumpRequest) -> None:
        self.requests.append(request)


class Pool:
    """Has one shim."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def current(self) -> Client:
        return self._client

    def is_current(self, client: object) -> bool:
        return client is self._client


def a_run(folder: Path, name: str, shim: Client | None, *, has_begun: bool, has_fifo: bool) -> Run:
    run_id = RunId(name)
    run = Run(run_id, RunKind.TASK, name, RunDir(folder, run_id))
    run.shim, run.is_pumped = cast(ShimClient | None, shim), True
    run.main = ProcRef(1, 1) if has_begun else None
    (folder / name).mkdir()
    if has_fifo:
        os.mkfifo(folder / name / "fifo")
    return run


async def test_a_new_shim_is_asked_for_what_another_one_has_started(tmp_path: Path) -> None:
    present, other = Client(), Client()
    runs = [
        a_run(tmp_path, "its own", present, has_begun=True, has_fifo=True),
        a_run(tmp_path, "its own, removed", present, has_begun=True, has_fifo=False),
        a_run(tmp_path, "not begun", None, has_begun=False, has_fifo=False),
        a_run(tmp_path, "orphan", None, has_begun=True, has_fifo=True),
        a_run(tmp_path, "orphan, removed", None, has_begun=True, has_fifo=False),
        a_run(tmp_path, "of another", other, has_begun=True, has_fifo=True),
    ]
    (tmp_path / "long over").mkdir()
    os.mkfifo(tmp_path / "long over/fifo")
    fifos = OrphanedFifos(cast(ShimPool, Pool(present)), tmp_path, {run.run_id: run for run in runs}, 1)

    await fifos.take_over_all()

    assert sorted(present.asked) == ["long over", "of another", "orphan", "orphan, removed"]


@pytest.mark.parametrize(("lives", "head_bytes"), [(True, OUTPUT_BYTES), (False, OUTPUT_BYTES + 5)])
async def test_of_an_operation_that_is_over_all_that_is_there_is_the_result(
    tmp_path: Path, lives: bool, head_bytes: int
) -> None:
    present, directory = Client(), RunDir(tmp_path, "op")
    (tmp_path / "op").mkdir()
    for name in ("stdout", "stderr"):
        os.mkfifo(tmp_path / "op" / f"{name}.fifo")
    os.mknod(directory.stdout)
    os.truncate(directory.stdout, OUTPUT_BYTES + 5)
    run = Run(RunId("op"), RunKind.OPERATION, "op", directory)
    run.main = ProcRef(1, 1)
    run.exit = None if lives else ExitCode(0)
    fifos = OrphanedFifos(cast(ShimPool, Pool(present)), tmp_path, {"op": run}, 1)

    await fifos.take_over_all()

    assert present.requests == [
        PumpRequest(
            "op/stdout", f"{directory.stdout}.fifo", directory.stdout, OUTPUT_BYTES, False, head_bytes
        ),
        PumpRequest(
            "op/stderr", f"{directory.stderr}.fifo", directory.stderr, OUTPUT_BYTES, False, OUTPUT_BYTES
        ),
    ]
