"""The writer's order: store, publish, act; what happens when one of them fails."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio
import pytest

from supervisor.core.records import Records
from supervisor.core.world import World
from supervisor.engine import MOST_FACTS, TURN_S, Engine
from supervisor.hub import Change, Hub
from supervisor.lean.frozen import replace
from supervisor.model.action import Action, Kill, Spawn
from supervisor.model.command import ApplyFile, Drain, FireTrigger, StartService, StopService, UpsertFile
from supervisor.model.errors import NotFound, StoreError
from supervisor.model.exit import SUCCESS, NotStarted
from supervisor.model.fact import EnvironmentStarted, Exited, MainExited, OutputRead, Started
from supervisor.model.ids import EnvironmentId, OperationId, RunId, ServiceId, derived
from supervisor.model.operation_record import Operation, RunOperation
from supervisor.model.phase import ServicePhase
from supervisor.model.record import Record, Service
from supervisor.model.spec import Trigger
from tests.clocks import HandClock
from tests.core.playbook import SEED, file, service

FULL = "database or disk is full"


class Bench:
    """An engine whose store, readers and machine write down what they are given, in one list."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.killed = anyio.Event()
        self.clock = HandClock()
        self.stored: dict[str, Record] = {}
        self.full = self.deaf = False
        self.problems: list[tuple[str, str]] = []
        self.save_s = self.spawn_s = 0.0
        self.answer: Started | Exited | None = None
        self.engine = Engine(World(), self, Hub(), self.clock, self)
        self.engine.performer = self
        self.readers = self.engine.hub.subscribe(self)
        self.engine.submit(ApplyFile(file(service("web")), SEED))
        self.readers.take()
        self.log.clear()

    @property
    def web(self) -> Service:
        return next(iter(self.engine.world.records.services.values()))

    def start(self) -> None:
        self.engine.submit(StartService(self.web.id, SEED))

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        if self.full:
            raise StoreError(FULL)
        self.log.append("store")
        self.stored.update((record.id, record) for record in changed)
        for record in removed:
            self.stored.pop(record.id, None)
        self.clock.mono_s += self.save_s

    def on_changes(self) -> None:
        self.log.append("publish")

    def on_problem(self, kind: str, reason: str) -> None:
        if self.deaf:
            raise OSError
        self.problems.append((kind, reason))

    def perform(self, action: Action) -> None:
        self.log.append(type(action).__name__)
        self.clock.mono_s += self.spawn_s if isinstance(action, Spawn) else 0.0
        if isinstance(action, Kill):
            self.killed.set()
        if isinstance(action, Spawn) and self.answer is None:
            self.engine.post(Started(action.run_id, 1))
        elif isinstance(action, Spawn):
            self.engine.post(Exited(action.run_id, NotStarted("no shell")))


@asynccontextmanager
async def turning(bench: Bench) -> AsyncIterator[None]:
    """While the engine's loop runs, and sleeps at first."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.engine.run)
        await anyio.wait_all_tasks_blocked()
        yield
        tasks.cancel_scope.cancel()


def test_changes_are_stored_before_they_are_published_and_published_before_they_are_acted_upon() -> None:
    bench = Bench()
    bench.start()
    assert bench.log[:3] == ["store", "publish", "Spawn"]


def test_facts_that_an_action_brings_are_folded_in_the_same_turn() -> None:
    bench = Bench()
    bench.start()
    assert bench.web.phase is ServicePhase.RUNNING
    assert bench.stored[bench.web.id] == bench.web


def test_readers_get_the_record_before_and_after() -> None:
    bench = Bench()
    bench.start()
    starting, running = bench.readers.take()
    assert starting.before.phase is ServicePhase.STOPPED  # type: ignore[union-attr]
    assert starting.after is running.before  # type: ignore[union-attr]


def test_refused_command_reaches_its_sender_and_changes_nothing() -> None:
    bench = Bench()
    with pytest.raises(NotFound):
        bench.engine.submit(StopService(ServiceId("nobody")))
    assert bench.log == []


def test_nothing_is_written_when_nothing_changed() -> None:
    bench = Bench()
    bench.engine.post(Exited(RunId("unknown.1"), SUCCESS))
    bench.engine.turn()
    assert bench.log == []


def test_full_disk_keeps_changes_and_writes_them_with_the_next() -> None:
    bench = Bench()
    bench.full = True
    bench.start()
    assert bench.web.phase is ServicePhase.RUNNING
    assert bench.engine.store_error == "database or disk is full"
    bench.full = False
    bench.engine.turn()
    assert bench.engine.store_error == ""
    assert bench.stored[bench.web.id] == bench.web


def test_operation_that_cannot_be_written_down_is_not_run() -> None:
    bench = Bench()
    call = RunOperation(OperationId("call"), "work", "", 0.0, derived(SEED, "call"))
    bench.full = True
    bench.engine.submit(call)
    assert "Spawn" not in bench.log
    changes = [change for change in bench.readers.take() if isinstance(change, Change)]
    reasons = [change.after.exit for change in changes if isinstance(change.after, Operation)]
    assert reasons == [None, NotStarted(f"it cannot be written down that it runs: {FULL}", errno.ENOSPC)]
    assert changes[-1].after is None, "its id is not used up"

    bench.full = False
    bench.engine.turn()
    assert call.stamp not in bench.stored
    bench.engine.submit(replace(call, stamp=derived(SEED, "again")))
    assert "Spawn" in bench.log


def test_exception_in_the_core_names_the_recent_inputs() -> None:
    bench = Bench()
    bench.start()
    bench.engine.world.step = lambda *_: 1 / 0  # type: ignore[assignment]
    bench.engine.post(Exited(RunId(f"{bench.web.id}.1"), SUCCESS))
    with pytest.raises(ZeroDivisionError) as caught:
        bench.engine.turn()
    assert f"Exited(run_id='{bench.web.id}.1'" in caught.value.__notes__[0]
    assert "StartService" in caught.value.__notes__[0]


def test_bug_that_a_client_met_ends_the_loop_and_nothing_is_obeyed_any_more() -> None:
    bench = Bench()
    web = bench.web.id

    async def scenario() -> None:
        async with turning(bench):
            step, bench.engine.world.step = bench.engine.world.step, lambda *_: 1 / 0  # type: ignore[assignment]
            with pytest.raises(ZeroDivisionError):
                bench.engine.submit(StartService(web, SEED))
            bench.engine.world.step = step  # type: ignore[method-assign]
            with pytest.raises(ZeroDivisionError):
                bench.engine.submit(StartService(web, SEED))
            with anyio.fail_after(5):
                await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(scenario)
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)


def test_loop_turns_when_something_is_posted_and_when_a_deadline_comes() -> None:
    bench = Bench()
    bench.start()
    bench.engine.submit(StopService(bench.web.id))

    async def scenario() -> None:
        async with turning(bench):
            bench.clock.mono_s = 1000.0
            bench.engine.post(Started(RunId("unknown.1"), 1))
            with anyio.fail_after(5):
                while "Kill" not in bench.log:
                    await anyio.lowlevel.checkpoint()
            bench.engine.post(Exited(RunId(f"{bench.web.id}.1"), SUCCESS))
            with anyio.fail_after(5):
                while bench.web.phase is not ServicePhase.STOPPED:
                    await anyio.lowlevel.checkpoint()

    anyio.run(scenario)
    assert Kill.__name__ in bench.log


def test_deadline_that_a_command_sets_is_kept_although_nothing_else_happens() -> None:
    bench = Bench()
    bench.start()

    async def scenario() -> None:
        async with turning(bench):
            bench.engine.submit(Drain(0.01))
            bench.clock.mono_s = 0.02
            with anyio.fail_after(5):
                await bench.killed.wait()

    anyio.run(scenario)


def test_what_is_observed_is_folded_at_once_and_its_deadline_kept() -> None:
    bench = Bench()
    bench.start()

    async def scenario() -> None:
        async with turning(bench):
            bench.engine.fold([MainExited(RunId(f"{bench.web.id}.1"), SUCCESS)])
            assert bench.web.phase is ServicePhase.STOPPING
            bench.clock.mono_s = 1000.0
            with anyio.fail_after(5):
                await bench.killed.wait()

    anyio.run(scenario)


def test_what_is_folded_without_a_deadline_wakes_nobody() -> None:
    bench = Bench()
    bench.start()
    woken: list[str] = []
    bench.engine._wake = lambda: woken.append("woken")
    bench.engine.fold([Exited(RunId(f"{bench.web.id}.1"), SUCCESS)])
    assert bench.web.phase is ServicePhase.STOPPED
    assert woken == []


def test_report_of_a_store_problem_that_fails_does_not_end_the_engine(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.deaf = bench.full = True
    bench.start()
    bench.full = False
    bench.engine.turn()
    assert bench.engine.store_error == ""
    assert bench.web.phase is ServicePhase.RUNNING
    assert "met a bug" in caplog.text


def test_store_problem_is_reported_when_it_begins_and_when_it_is_over() -> None:
    bench = Bench()
    bench.full = True
    bench.start()
    bench.engine.turn()
    bench.full = False
    bench.engine.turn()
    assert bench.problems == [("records", "database or disk is full"), ("records", "")]


def test_reader_that_raises_does_not_end_the_writer_and_gets_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    woken: list[str] = []

    class Broken:
        def on_changes(self) -> None:
            woken.append("woken")
            raise RuntimeError("a reader's bug")

    broken = bench.engine.hub.subscribe(Broken())
    bench.start()
    bench.engine.post(Exited(RunId(f"{bench.web.id}.1"), SUCCESS))
    bench.engine.turn()
    assert bench.web.phase is ServicePhase.STOPPED
    assert bench.stored[bench.web.id] == bench.web, "stored before it was published"
    assert bench.readers.take(), "another reader has every change"
    assert (woken, len(broken.take())) == (["woken"], 1)
    assert "a reader's bug" in caplog.text


def test_start_that_fails_is_the_end_of_that_run_alone(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()

    class Broken:
        def perform(self, action: Action) -> None:
            if isinstance(action, Spawn):
                raise OSError("nobody thought of this")

    bench.engine.performer = Broken()
    bench.start()
    assert bench.web.phase is ServicePhase.FAILED
    assert "the supervisor met a bug" in bench.web.reason
    assert "nobody thought of this" in caplog.text


def test_id_that_was_removed_and_made_again_while_the_store_failed_is_kept() -> None:
    bench = Bench()
    bench.engine.post(EnvironmentStarted(EnvironmentId("a")))
    bench.engine.turn()
    bench.full = True
    for id_ in ("b", "a"):
        bench.engine.post(EnvironmentStarted(EnvironmentId(id_)))
        bench.engine.turn()
    bench.full = False
    bench.engine.turn()
    assert set(bench.stored) == {bench.web.id, "a"}


@pytest.mark.anyio
async def test_long_turn_lets_the_loop_do_something_else() -> None:
    """What a signal means is done there."""
    bench = Bench()
    bench.start()
    bench.engine.turn()
    run_id = bench.web.start or ""
    async with turning(bench), anyio.create_task_group() as tasks:
        bench.log.clear()
        bench.save_s = TURN_S / 2
        for number in range(6 * MOST_FACTS):
            bench.engine.post(OutputRead(RunId(run_id), {"N": str(number)}))

        async def heed() -> None:
            bench.log.append("heeded")

        tasks.start_soon(heed)
        await bench.engine.until(lambda _: bench.web.output == {"N": str(6 * MOST_FACTS - 1)})
    assert bench.log.index("heeded") < bench.log.index("store") + 6
    assert bench.log.count("store") == 6


def test_bug_is_reported_with_recent_inputs_and_nothing_large_of_them() -> None:
    bench = Bench()
    bench.start()
    run_id = bench.web.start or ""
    for number in range(50):
        bench.engine.post(OutputRead(RunId(run_id), {"KEY": f"secret {number}" * 1000}))
    bench.engine.turn()
    for command in (ApplyFile, UpsertFile):
        bench.engine.submit(command(file(service("other", stop="echo secret")), SEED))
    bench.engine.submit(RunOperation(OperationId("call"), "echo secret", "", 0.0, derived(SEED, "call")))
    bench.engine.world.step = None  # type: ignore[assignment,method-assign]
    with pytest.raises(TypeError) as caught:
        bench.engine.submit(StopService(bench.web.id))
    told = "".join(caught.value.__notes__)
    assert f"OutputRead('{run_id}', 1 outputs)" in told
    assert "secret" not in told
    assert len(told) < 10_000


@pytest.mark.anyio
async def test_very_many_starts_let_the_loop_do_something_else_and_a_stop_forestalls_them() -> None:
    bench = Bench()
    start = Trigger.POST_ENVIRONMENT_START
    bench.engine.submit(ApplyFile(file(*(service(f"s{n}", triggers=[start]) for n in range(20))), SEED))
    bench.log.clear()
    bench.spawn_s = TURN_S / 2
    async with turning(bench), anyio.create_task_group() as tasks:
        bench.engine.submit(FireTrigger(start, SEED))

        async def stop() -> None:
            bench.engine.submit(Drain(10.0))

        tasks.start_soon(stop)
        await bench.engine.until(
            lambda records: all(x.phase is not ServicePhase.STARTING for x in services_of(records))
        )
        await anyio.wait_all_tasks_blocked()
    spawned = bench.log.count("Spawn")
    assert 0 < spawned < 20
    assert bench.log.count("Terminate") == spawned
    phases = [one.phase for one in services_of(bench.engine.world.records)]
    assert phases.count(ServicePhase.STOPPED) == 20 - spawned


def services_of(records: Records) -> list[Service]:
    return list(records.services.values())
