"""The numbers of /metrics, from changes as the engine publishes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint
from prometheus_client.parser import text_string_to_metric_families

from supervisor.api.http.metrics import Metrics, kept_log_bytes
from supervisor.core.records import Records
from supervisor.hub import Change, Hub
from supervisor.model.exit import Exit, ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.ids import ExecutionId, OperationId, RunId, ServiceId, TaskId
from supervisor.model.operation_record import EndReason, Operation, OperationEnded
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Execution, LastProbe, Service, Source
from supervisor.model.shared_sequence import EMPTY
from tests.core import playbook

pytestmark = pytest.mark.anyio
SERVICE = Service(ServiceId("s"), playbook.service("web"), Source.FILE, 0.0)
EXECUTION = Execution(ExecutionId("e"), TaskId("t"), "build", "manual", "f", EMPTY, 0.0, started_s=10.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


OPERATION = Operation(RunId("o"), OperationId("call"), "true", "", "", 0.0, created_s=10.0)


class Numbers:
    """Metrics that count, and a hub to publish on."""

    def __init__(self, runs: Path, records: Records) -> None:
        self.hub = Hub()
        self.sent = (0, 0)
        self.open = ["a terminal"]
        self.metrics = Metrics(records, self.hub, runs, self, self)

    def signals(self) -> tuple[int, int]:
        return self.sent

    async def seen(self) -> list[str]:
        return self.open

    async def read(self) -> dict[str, float]:
        """{name and labels: value}"""
        await checkpoint()  # what was published is counted in the loop's next turn
        text = (await self.metrics.text()).decode()
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@asynccontextmanager
async def counting(runs: Path, *records: Service | Execution | Operation) -> AsyncIterator[Numbers]:
    numbers = Numbers(runs, Records(records))
    async with anyio.create_task_group() as group:
        group.start_soon(numbers.metrics.run)
        await checkpoint()
        yield numbers
        group.cancel_scope.cancel()


async def test_what_exists_is_looked_at(tmp_path: Path) -> None:
    services = [
        replace(SERVICE, id=ServiceId(str(n)), state=playbook.STATES[ServicePhase.RUNNING]) for n in range(2)
    ]
    async with counting(tmp_path, *services, EXECUTION) as numbers:
        found = await numbers.read()
    assert found["supervisor_services running"] == 2
    assert found["supervisor_services failed"] == 0
    assert found["supervisor_terminals"] == 1
    assert found["supervisor_executions_live pending"] == 1
    assert found["supervisor_subscribers"] == 1
    assert found["process_resident_memory_bytes"] > 1e6


async def test_executions_are_counted_once_by_their_outcome(tmp_path: Path) -> None:
    ended = replace(EXECUTION, phase=ExecutionPhase.FAILED, ended_s=12.0)
    async with counting(tmp_path) as numbers:
        assert (await numbers.read())["supervisor_executions_total failed"] == 0
        numbers.hub.publish([Change(None, EXECUTION), Change(EXECUTION, ended), Change(ended, ended)])
        numbers.hub.publish([Change(ended, None)])
        numbers.hub.publish([Change(None, replace(ended, phase=ExecutionPhase.STOPPED, started_s=None))])
        found = await numbers.read()
    assert found["supervisor_executions_total failed"] == 1
    assert found["supervisor_executions_total stopped"] == 1
    assert found["supervisor_executions_total succeeded"] == 0
    assert found["supervisor_execution_duration_seconds_sum failed"] == 2.0
    assert "supervisor_execution_duration_seconds_sum stopped" not in found


async def test_probes_that_fail_are_counted(tmp_path: Path) -> None:
    def probed(run_id: str, failed: int) -> Service:
        return replace(SERVICE, probed=LastProbe(RunId(run_id), ExitCode(1), failed=failed))

    versions = [SERVICE, probed("p1", 1), probed("p1", 31), probed("p1", 31), SERVICE, probed("p2", 2)]
    async with counting(tmp_path) as numbers:
        numbers.hub.publish([Change(before, after) for before, after in pairwise(versions)])
        assert (await numbers.read())["supervisor_probe_failures_total"] == 33


async def test_heartbeats_are_counted(tmp_path: Path) -> None:
    async with counting(tmp_path) as numbers:
        numbers.sent = (2, 1)
        found = await numbers.read()
    assert (found["supervisor_heartbeats_total sent"], found["supervisor_heartbeats_total failed"]) == (2, 1)


async def test_a_blocked_event_loop_shows(tmp_path: Path) -> None:
    async with counting(tmp_path) as numbers:
        numbers.metrics.lag.observe(0.15)
        found = await numbers.read()
    assert found["supervisor_event_loop_lag_seconds_sum"] == 0.15
    assert found["supervisor_event_loop_lag_seconds_count"] == 1


async def test_more_changes_than_a_subscription_holds_are_all_counted(tmp_path: Path) -> None:
    ended = replace(EXECUTION, phase=ExecutionPhase.SUCCEEDED, ended_s=12.0)
    async with counting(tmp_path) as numbers:
        for _ in range(100):
            numbers.hub.publish([Change(EXECUTION, ended)] * 100)
            await checkpoint()
        assert (await numbers.read())["supervisor_executions_total succeeded"] == 10_000


def test_the_size_of_logs_is_what_they_take_on_disk(tmp_path: Path) -> None:
    assert kept_log_bytes(tmp_path / "none") == 0
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "log").write_bytes(b"x" * 10_000)
    (tmp_path / "begun").mkdir()
    (tmp_path / "a file").touch()
    with (tmp_path / "a" / "log").open("r+b") as file:
        file.truncate(50_000_000)  # a hole
    assert 20_000 <= kept_log_bytes(tmp_path) < 100_000


async def test_operations_that_run_and_results_that_are_kept_are_looked_at(tmp_path: Path) -> None:
    over = replace(
        OPERATION,
        id=RunId("over"),
        operation_id=OperationId("over"),
        state=OperationEnded(ExitCode(0), 12.0, written=(200 << 20, 5)),
    )
    async with counting(tmp_path, OPERATION, over) as numbers:
        found = await numbers.read()
    assert found["supervisor_operations_live"] == 1
    assert found["supervisor_operation_results"] == 1
    assert found["supervisor_operation_result_bytes"] == (128 << 20) + 5


@pytest.mark.parametrize(
    ("end", "why", "outcome"),
    [
        (ExitCode(0), "", "succeeded"),
        (ExitCode(1), "", "failed"),
        (ExitSignal(9), "", "failed"),
        (ExitUnknown(), "", "unknown"),
        (NotStarted("no folder"), "", "not_started"),
        (NotStarted("stopped"), EndReason.DRAIN, "not_started"),
        (NotStarted("stopped"), EndReason.CANCEL, "cancelled"),
        (ExitCode(0), EndReason.CANCEL, "cancelled"),
        (ExitSignal(15), EndReason.LIMIT, "limit"),
        (ExitSignal(15), EndReason.DRAIN, "drained"),
    ],
)
async def test_operations_are_counted_by_how_they_ended(
    tmp_path: Path, end: Exit, why: str, outcome: str
) -> None:
    ended = replace(OPERATION, state=OperationEnded(end, 12.5, why))
    async with counting(tmp_path) as numbers:
        assert (await numbers.read())[f"supervisor_operations_total {outcome}"] == 0
        numbers.hub.publish([Change(None, OPERATION), Change(OPERATION, ended), Change(ended, None)])
        found = await numbers.read()
    counts = {name: value for name, value in found.items() if name.startswith("supervisor_operations_total")}
    assert {name: value for name, value in counts.items() if value} == {
        f"supervisor_operations_total {outcome}": 1
    }
    assert found["supervisor_operation_duration_seconds_sum"] == 2.5
