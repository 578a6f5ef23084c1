"""Random histories of a supervisor that is killed again and again: between two steps and at every point within one.

Beside the toy machine stands a toy store. A crash loses the world, and of the step that it hits what was not done yet:
the writing, or some of the actions. Processes live on or end meanwhile. The world made from the stored records then
inherits what there is, and has to agree with the machine again: each run was started once, what is to stop was told so,
and nothing lives that no record knows. Now and then the whole machine is restarted instead.
"""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core import queries
from supervisor.core.recovery import RESTARTED, inherited, known_runs
from supervisor.core.world import Outcome, World
from supervisor.model.action import Action, Discard, Kill, Note, Spawn, Terminate
from supervisor.model.command import FireTrigger, StartTask, StopExecution, StopService
from supervisor.model.exit import Exit, ExitCode, ExitUnknown, NotStarted
from supervisor.model.fact import Exited, Fact, MachineRestarted, MainExited, Started
from supervisor.model.ids import RunId, ServiceId
from supervisor.model.operation_record import OperationEnding
from supervisor.model.phase import RunPhase, ServicePhase, Want
from supervisor.model.record import Record
from supervisor.model.states import RunStopping, Stopping, StopStage
from tests.core.playbook import Playbook, service, task
from tests.core.test_histories import EXITS, START, ToyMachine, used_up

CRASHES = 0.15
RESTARTS = 0.1
"""How many crashes are restarts of the whole machine."""


class CrashingMachine(ToyMachine):
    """A toy machine whose supervisor dies at random."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.stored: dict[str, Record] = {}
        self.revision = 0
        self.crashes = 0
        self.began: set[str] = set()
        self.exits: dict[str, Exit] = {}
        """What the shim wrote down: how each run, or its main process, ended."""
        self.told: dict[str, int] = {}
        """{run id: 1 for SIGTERM, 2 for SIGKILL}"""
        self.may_crash = True
        self.restarting = False
        """Whether the machine was restarted and the records do not say so yet."""

    def carry_out(self, outcome: Outcome) -> None:
        """Store, then act; a crash may come before, between and after."""
        points = len(outcome.actions) + 3
        crash_at = self.rng.randrange(points) if self.may_crash and self.rng.random() < CRASHES else points
        if crash_at == 0:
            return self.recover()
        self.save(outcome)
        for point, action in enumerate(outcome.actions, 1):
            if crash_at == point:
                return self.recover()
            self.perform(action)
        if crash_at < points:
            return self.recover()
        if not self.restarting:
            self.agree()
        return None

    def save(self, outcome: Outcome) -> None:
        self.stored.update((record.id, record) for record in outcome.changed)
        for record in outcome.removed:
            self.stored.pop(record.id, None)
        self.forgotten |= used_up(outcome)
        self.revision = max([self.revision, *(record.revision for record in outcome.changed)])
        for record in outcome.changed:
            self.check(record)

    def fact(self, run_id: str) -> Fact:
        fact = super().fact(RunId(run_id))
        if isinstance(fact, MainExited):
            self.exits[run_id] = fact.exit
        if isinstance(fact, Exited):
            self.exits.setdefault(run_id, fact.exit)
        return fact

    def perform(self, action: Action) -> None:
        match action:
            case Spawn(run_id):
                assert run_id not in self.began, "a run is started twice"
                self.began.add(run_id)
            case Terminate(run_id) | Kill(run_id):
                if self.restarting:
                    return  # to nobody
                self.told[run_id] = max(self.told.get(run_id, 0), 1 + isinstance(action, Kill))
                if run_id in self.exits:
                    return  # its end was seen, and waits to be folded
            case Discard() | Note():
                pass
        super().perform(action)

    def recover(self) -> None:
        """The next supervisor starts, on what is left of this one."""
        self.crashes += 1
        for run_id in [run_id for run_id in self.live if self.rng.random() < 0.2]:
            self.end(run_id, self.rng.choice(EXITS))
        self.world = World(self.stored.values(), self.revision)
        self.kept &= known_runs(self.world.records)
        if self.restarting or self.rng.random() < RESTARTS:
            return self.restart()
        facts: list[Fact] = []
        for one in inherited(self.world.records):
            run_id = one.spawn.run_id
            if run_id in self.live:
                facts.append(Started(run_id, 42))
                if self.live[run_id].main_ended:
                    facts.append(MainExited(run_id, self.exits[run_id]))
                if one.ending:
                    self.perform(one.ending)
            elif run_id in self.began:
                facts.append(Exited(run_id, self.exits[run_id]))
            elif self.is_wanted(run_id):
                assert one.wanted
                self.perform(one.spawn)
            else:
                assert not one.wanted
                facts.append(Exited(run_id, NotStarted("stopped before it began")))
        assert set(self.live) <= {one.spawn.run_id for one in inherited(self.world.records)}
        self.step(*facts)
        return None

    def is_wanted(self, run_id: str) -> bool:
        """Whether a run that never began has to be started."""
        records = self.world.records
        if run_id in records.runs:
            return records.runs[RunId(run_id)].phase is RunPhase.LIVE
        if run_id in records.operations:
            return records.operations[RunId(run_id)].phase is RunPhase.LIVE
        owner = records.services[ServiceId(run_id.partition(".")[0])]
        if run_id == owner.stop:
            return isinstance(owner.state, Stopping) and owner.state.stage is StopStage.COMMAND
        return owner.phase is ServicePhase.STARTING

    def restart(self) -> None:
        for run_id in list(self.live):
            self.end(run_id, ExitUnknown(RESTARTED))
        self.mono_s = 0.0
        self.restarting = True
        self.step(MachineRestarted())
        ends = [
            Exited(one.spawn.run_id, self.exits.get(one.spawn.run_id, ExitUnknown(RESTARTED)))
            for one in inherited(self.world.records)
        ]
        self.step(*ends)
        self.restarting = False
        assert queries.is_at_rest(self.world.records)
        assert self.world.deadline() is None

    def end(self, run_id: str, end: Exit) -> None:
        """A run ends while no supervisor is there."""
        spawn = self.live.pop(RunId(run_id)).spawn
        self.exits.setdefault(run_id, self.possible(spawn, end))

    def agree(self) -> None:
        """What the records say and what the machine runs is the same."""
        records = self.world.records
        slots = chain.from_iterable(one.live_runs for one in records.services.values())
        runs = [run for run in records.runs.values() if run.phase is not RunPhase.ENDED]
        assert set(self.live) == {*slots, *(run.id for run in runs), *records.live_operations}
        assert set(self.live) <= self.kept <= known_runs(records)
        for run in runs:
            if isinstance(run.state, RunStopping):
                assert self.told.get(run.id, 0) >= (2 if run.state.kill_at is None else 1)
        for operation in queries.live_operations(records):
            if isinstance(operation.state, OperationEnding):
                assert self.told.get(operation.id, 0) >= (2 if operation.state.kill_at is None else 1)
        for one in records.services.values():
            if isinstance(one.state, Stopping) and one.start:
                must = {StopStage.COMMAND: 0, StopStage.TERMINATED: 1, StopStage.KILLED: 2}
                assert self.told.get(one.start, 0) >= must[one.state.stage]
            if one.phase is not ServicePhase.STARTING and one.probe:
                assert self.told.get(one.probe) == 2, "a probe that nobody waits for lives on"


@settings(max_examples=400)
@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=1, max_value=120))
def test_nothing_is_lost_or_started_twice_wherever_the_supervisor_is_killed(seed: int, turns: int) -> None:
    machine = CrashingMachine(random.Random(seed))
    machine.begin()
    for _ in range(turns):
        machine.turn()
    machine.may_crash = False
    machine.drain()


def test_random_histories_do_crash() -> None:
    machine = CrashingMachine(random.Random(0))
    for _ in range(300):
        machine.turn()
    assert machine.crashes > 10


def left(book: Playbook) -> dict[str, tuple[bool, str]]:
    """`{name: (whether it is started if it never was, what it is told)}` of all that is inherited."""
    names = {run_id: name for name, run_id in book.runs.items()}
    return {
        names[one.spawn.run_id]: (one.wanted, type(one.ending).__name__ if one.ending else "")
        for one in inherited(book.world.records)
    }


def test_what_is_inherited_of_a_service_from_its_start_to_its_end() -> None:
    book = Playbook(service("web", ready="probe", stop="halt", triggers=(START,)))
    book.do(FireTrigger(START, book.stamp()))
    assert left(book) == {"web": (True, "")}
    book.started("web")
    assert left(book) == {"web": (False, ""), "web.ready": (True, "")}
    book.do(StopService(book.service("web").id))
    assert left(book) == {"web": (False, ""), "web.ready": (False, "Kill"), "web.stop": (True, "")}
    book.after(120.0)
    assert left(book) == {"web": (False, "Kill"), "web.ready": (False, "Kill"), "web.stop": (False, "Kill")}


def test_what_is_inherited_of_a_task_from_its_start_to_its_end() -> None:
    book = Playbook(task("build"))
    book.do(StartTask(book.task("build").id, book.stamp()))
    assert left(book) == {"build": (True, "")}
    book.do(StopExecution(book.execution("build").id))
    assert left(book) == {"build": (False, "Terminate")}
    book.after(10.0)
    assert left(book) == {"build": (False, "Kill")}
    book.exited("build")
    assert left(book) == {}


@pytest.fixture
def book() -> Playbook:
    book = Playbook(
        service("web", triggers=(START,)),
        service("db", triggers=(START,), ready="probe"),
        task("install"),
        task("build", "install", triggers=[START]),
        task("check", "db", triggers=[START]),
    )
    book.do(FireTrigger(START, book.stamp()))
    book.started("web")
    book.started("db")
    return book


def test_restart_of_the_machine_stops_services_with_a_reason_and_fails_what_was_under_way(
    book: Playbook,
) -> None:
    lost = book.runs["install"]
    book.do(MachineRestarted())
    assert [(s.phase, s.reason, s.want) for s in book.world.records.services.values()] == [
        (ServicePhase.STOPPED, RESTARTED, Want.DOWN),
        (ServicePhase.STOPPED, RESTARTED, Want.DOWN),
    ]
    assert book.execution("check").reason == "the machine was restarted"
    assert [one.spawn.run_id for one in inherited(book.world.records)] == [lost]
    book.do(Exited(lost, ExitCode(0)))
    assert book.execution("build").reason == "the machine was restarted"
    assert queries.is_at_rest(book.world.records)
    assert book.world.deadline() is None, "deadlines of the boot before mean nothing"


def test_task_whose_end_was_noted_before_the_machine_was_restarted_has_succeeded(book: Playbook) -> None:
    book.exited("install")
    book.do(MachineRestarted())
    book.exited("build")
    assert book.phases("build") == {"install": "succeeded", "build": "succeeded"}


def test_triggers_start_services_again_after_a_restart_of_the_machine(book: Playbook) -> None:
    book.do(MachineRestarted())
    book.exited("install")
    assert "spawn web" in book.do(FireTrigger(START, book.stamp()))
    assert book.service("web").reason == ""


def test_same_firing_again_starts_nothing_twice() -> None:
    book = Playbook(service("web", triggers=(START,)), task("build", triggers=[START]))
    stamp = book.stamp()
    assert book.do(FireTrigger(START, stamp)) == ["spawn web", "spawn build"]
    book.exited("web")
    book.exited("build", 1)
    assert book.do(FireTrigger(START, stamp)) == []
    assert len(book.executions("build")) == 1


def test_firing_that_goes_on_after_it_was_over_runs_what_it_needs_again() -> None:
    book = Playbook(task("install", triggers=[START]))
    stamp = book.stamp()
    book.do(FireTrigger(START, stamp))
    first = book.runs["install"]
    book.exited("install")
    book.apply(task("install", triggers=[START]), task("build", "install", triggers=[START]))
    assert book.do(FireTrigger(START, stamp)) == ["spawn install"]
    assert book.runs["install"] != first, "its directory is that of the run before"
    book.exited("install")
    book.exited("build")
    assert [one.phase.value for one in book.executions("build")] == ["succeeded"]


def test_deleted_service_goes_with_the_machine() -> None:
    book = Playbook(service("web", triggers=(START,)))
    book.do(FireTrigger(START, book.stamp()))
    book.started("web")
    book.apply()
    book.do(MachineRestarted())
    assert book.world.records.services == {}
