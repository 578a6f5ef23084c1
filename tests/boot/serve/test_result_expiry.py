"""Old results and ids are forgotten, by a clock that a test holds and a real store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from supervisor.boot.serve import result_expiry
from supervisor.boot.serve.result_expiry import ResultExpiry
from supervisor.core import queries
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.state.store import Store
from supervisor.hub import Hub
from supervisor.model.action import Action, Discard, Spawn
from supervisor.model.exit import ExitCode
from supervisor.model.fact import Exited
from supervisor.model.ids import OperationId, RunId, derived
from supervisor.model.operation_record import RunOperation
from tests.clocks import HandClock
from tests.core.playbook import SEED

DAY_S = 24 * 3600.0


class Bench:
    """An engine with a real store, whose operations end as soon as they begin."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = HandClock()
        self.engine = Engine(World(), store, Hub(), self.clock)
        self.engine.performer = self
        self.expiry = ResultExpiry(self.engine, store)
        self.discarded: list[str] = []

    def perform(self, action: Action) -> None:
        if isinstance(action, Spawn):
            self.engine.post(Exited(action.run_id, ExitCode(0)))
        elif isinstance(action, Discard):
            self.discarded += action.run_ids

    def run(self, name: str) -> RunId:
        run_id = RunId(derived(SEED, name))
        self.engine.submit(RunOperation(OperationId(name), "true", "", 0.0, run_id))
        return run_id

    def after_days(self, days: float) -> None:
        self.clock.wall_s += days * DAY_S
        self.expiry.look()

    def known(self, name: str) -> str:
        operation_id = OperationId(name)
        if queries.operation(self.engine.world.records, operation_id):
            return "result"
        return "id" if self.store.forgotten_operation(operation_id) else ""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Store(tmp_path / "db")) as store:
        yield Bench(store)


def test_a_result_is_kept_for_a_week_and_its_id_for_thirty_days(bench: Bench) -> None:
    first = bench.run("first")
    bench.after_days(3.0)
    bench.run("second")
    bench.after_days(3.9)
    assert (bench.known("first"), bench.known("second")) == ("result", "result")
    bench.after_days(0.2)
    assert (bench.known("first"), bench.known("second")) == ("id", "result")
    assert bench.discarded == [first]
    bench.after_days(22.8)
    assert (bench.known("first"), bench.known("second")) == ("id", "id")
    bench.after_days(0.2)
    assert (bench.known("first"), bench.known("second")) == ("", "id")


def test_one_that_runs_is_never_too_old(bench: Bench) -> None:
    bench.engine.performer.perform = lambda action: None  # type: ignore[method-assign]
    bench.run("long")
    bench.after_days(99.0)
    assert bench.known("long") == "result"


def test_nothing_is_written_when_nothing_is_too_old(bench: Bench) -> None:
    bench.run("first")
    changes = bench.store._connection.total_changes
    revision = bench.engine.world.records.revision
    bench.after_days(1.0)
    assert (bench.store._connection.total_changes, bench.engine.world.records.revision) == (changes, revision)


def test_a_store_that_cannot_write_is_tried_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.run("first")
    bench.after_days(8.0)
    bench.store._connection.execute("PRAGMA query_only = ON")
    bench.after_days(30.0)
    assert "cannot forget old operation ids: attempt to write a readonly database" in caplog.text
    bench.store._connection.execute("PRAGMA query_only = OFF")
    bench.after_days(0.0)
    assert bench.known("first") == ""


@pytest.mark.anyio
async def test_it_looks_again_and_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_expiry, "LOOK_EVERY_S", 0.01)
    bench.run("first")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.expiry.run)
        await anyio.wait_all_tasks_blocked()
        assert bench.known("first") == "result"
        bench.clock.wall_s += 8 * DAY_S
        with anyio.fail_after(20):
            await bench.engine.until(lambda records: not records.results)
        tasks.cancel_scope.cancel()
    assert bench.known("first") == "id"
