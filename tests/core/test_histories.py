"""Random histories: whatever is asked and whatever happens, in whatever order, the invariants hold.

A toy machine stands beside the world: it starts what is spawned, lets it end when and how it likes, repeats old facts,
and notes what the world does wrong: two live starts of one service, a signal to nobody, a run discarded alive.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core import queries
from supervisor.core.invariants import violations
from supervisor.core.items.diff import digests, items
from supervisor.core.recovery import known_runs
from supervisor.core.world import Outcome, World
from supervisor.lean.frozen import replace
from supervisor.model.action import Action, Discard, Kill, Note, RunKind, Spawn, Terminate
from supervisor.model.command import (
    ApplyFile,
    Command,
    CreateService,
    CreateTask,
    DeleteService,
    DeleteTask,
    Drain,
    FireTrigger,
    RestartService,
    StartService,
    StartTask,
    StopExecution,
    StopService,
    UpdateService,
    UpdateTask,
    UpsertFile,
)
from supervisor.model.errors import SupervisorError
from supervisor.model.exit import Exit, ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.fact import (
    EnvironmentStarted,
    Exited,
    Fact,
    MainExited,
    OutputRead,
    ProbeEnded,
    Started,
    Survivor,
)
from supervisor.model.ids import EnvironmentId, ExecutionId, OperationId, RunId, ServiceId, TaskId, derived
from supervisor.model.moment import Now
from supervisor.model.operation_record import (
    CancelOperation,
    ForgetOperations,
    Operation,
    OperationEnded,
    RunOperation,
)
from supervisor.model.phase import ExecutionPhase, ServicePhase, Want
from supervisor.model.record import Record, Service, Source, Task
from supervisor.model.spec import AutomationsFile, ServiceItem, Trigger
from tests.core.playbook import SEED, file, service, task

START = Trigger.POST_ENVIRONMENT_START
FILES: list[AutomationsFile] = [
    file(
        service("web", triggers=(START,)),
        service("db", ready="probe", stop="halt", readiness_timeout_s=5.0),
        task("install"),
        task("build", "install", triggers=[START]),
        task("test", "build", "db", triggers=[START]),
        task("lint", "install"),
    ),
    file(
        service("web", start="other", stop="halt"),
        service("db", ready="probe"),
        task("install"),
        task("build", "install", "web"),
    ),
    file(task("web"), task("test", "web", triggers=[START])),
    file(
        task("install", triggers=[START]),
        task("build", "install", triggers=[START]),
        task("test", "build", triggers=[START]),
    ),
    file(),
]
UPSERTS: list[AutomationsFile] = [
    file(service("web", start="of the api"), task("mine")),
    file(task("mine", command="other"), task("lint"), service("served")),
    file(task("web")),
    file(),
]
EXITS: list[Exit] = [
    ExitCode(0),
    ExitCode(0),
    ExitCode(1),
    ExitSignal(15),
    ExitSignal(9, out_of_memory=True),
    ExitUnknown(),
    NotStarted("no shell"),
]
WRITTEN = [(0, 0), (7, 9), (300 << 20, 128 << 20)]
SURVIVORS: list[tuple[Survivor, ...]] = [(), (), (Survivor(7, "dd", "D"),)]


OPERATIONS = [OperationId(str(number)) for number in range(12)]


class Live(NamedTuple):
    spawn: Spawn
    main_ended: bool = False


def present(world: World) -> dict[str, Service | Task]:
    """What there is, by reference."""
    records = world.records
    services = {s.item.reference: s for s in records.services.values() if s.want is not Want.GONE}
    return {**services, **{t.item.reference: t for t in records.tasks.values() if not t.gone}}


def last_told(world: World) -> Mapping[str, str] | None:
    """What the last accepted version said of each item; None: a version counts as the first."""
    environment = world.records.environment
    return None if environment is None or environment.file_awaited else environment.file_items


def check_sources(
    command: Command | Fact,
    before: Mapping[str, Service | Task],
    after: Mapping[str, Service | Task],
    told: Mapping[str, str] | None,
) -> None:
    """An edit and an upsert each leave what is not theirs."""
    match command:
        case ApplyFile(new) if told is not None:
            says = digests(new)
            touched = {name for name, text in says.items() if told.get(name) != text}
            for name, record in before.items():
                if name not in items(new) and record.source is Source.API:
                    assert after[name].item == record.item, "an edit changed what is the API's"
                if name in items(new) and name not in touched:
                    assert after[name].item == record.item, "an edit touched what it says nothing new of"
            assert {name for name, item in after.items() if item.source is Source.FILE} <= items(new).keys()
        case UpsertFile(new, _, replace):
            for name, record in before.items():
                if name in after:
                    assert after[name].source is record.source, "an upsert moved an item"
                    assert name in items(new) or after[name].item == record.item
                else:
                    assert replace, "an upsert removed an item"
                    assert record.source is Source.API
            assert items(new).keys() <= after.keys()
        case _:
            pass


def is_not_started(fact: Fact) -> bool:
    return isinstance(fact, Exited | MainExited) and isinstance(fact.exit, NotStarted)


def used_up(outcome: Outcome) -> set[OperationId]:
    """The ids that the store keeps of operations that a step removed."""
    gone = [record for record in outcome.removed if isinstance(record, Operation)]
    return {record.operation_id for record in gone if record.uses_up_id}


class ToyMachine:
    """Lives through one history."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.world = World()
        self.mono_s = 0.0
        self.stamps = 0
        self.live: dict[RunId, Live] = {}
        self.kept: set[RunId] = set()
        """The runs whose directories there are."""
        self.past: list[Fact] = []
        self.ended: dict[str, ExecutionPhase] = {}
        self.deleted: set[str] = set()
        self.acted: list[Action] = []
        self.forgotten: set[OperationId] = set()
        """The operations whose results are no longer kept, as the store has them."""
        self.used: set[OperationId] = set()
        """The operations whose command has begun."""
        self.forgets = True
        """Whether results become too old, which depends on the wall clock."""
        self.results: dict[RunId, tuple[int | None, OperationEnded]] = {}
        """{operation that is over: its exit code, its state}"""

    def begin(self) -> None:
        """The environment starts, with its first file."""
        self.step(EnvironmentStarted(EnvironmentId(SEED), begins=True))
        self.step(ApplyFile(FILES[0], SEED))

    def turn(self) -> None:
        """Something happens: a command, a fact, an old fact again, or time passes."""
        match self.rng.randrange(6):
            case 0 | 1:
                self.step(self.command())
            case 2 | 3 if self.live:
                fact = self.fact(self.rng.choice(list(self.live)))
                self.past.append(fact)
                self.step(fact)
            case 4 if self.past:
                self.step(self.rng.choice(self.past))
            case _:
                self.mono_s += self.rng.choice([0.1, 1.0, 10.0, 130.0])
                self.step()

    def step(self, *inputs: Command | Fact) -> None:
        before, told = present(self.world), last_told(self.world)
        try:
            outcome = self.world.step(inputs, Now(self.mono_s, self.wall_s()))
        except SupervisorError:
            assert present(self.world) == before, "a command that was refused changed something"
            return
        for command in inputs:
            check_sources(command, before, present(self.world), told)
        assert [r.revision for r in outcome.changed] == sorted({r.revision for r in outcome.changed})
        assert list(violations(self.world.records)) == []
        self.carry_out(outcome)

    def wall_s(self) -> float:
        return self.mono_s

    def carry_out(self, outcome: Outcome) -> None:
        self.acted += outcome.actions
        for action in outcome.actions:
            self.perform(action)
        assert self.kept <= known_runs(self.world.records), "a directory is kept that no record names"
        self.forgotten |= used_up(outcome)
        for record in outcome.changed:
            self.check(record)

    def command(self) -> Command:
        records, rng = self.world.records, self.rng
        self.stamps += 1
        stamp = derived(SEED, str(self.stamps))
        one_service = rng.choice([*records.services, ServiceId("nobody")])
        one_task = rng.choice([*records.tasks, TaskId("nobody")])
        commands: list[Command] = [
            ApplyFile(rng.choice(FILES), stamp),
            UpsertFile(rng.choice(UPSERTS), stamp, replace=rng.random() < 0.3),
            UpdateService(one_service, self.changed(one_service)),
            FireTrigger(rng.choice([START, Trigger.PREBUILD]), stamp),
            CreateService(service("api"), stamp),
            CreateTask(task("of-api"), (one_task,), stamp),
            UpdateTask(one_task, task("of-api"), (one_task,)),
            StartService(one_service, stamp),
            RestartService(one_service, stamp),
            StopService(one_service),
            DeleteService(one_service, force=rng.random() < 0.5),
            StartTask(one_task, stamp),
            StartTask(one_task, stamp),
            StopExecution(rng.choice([*records.executions, ExecutionId("nobody")])),
            DeleteTask(one_task),
            self.operation(stamp),
            self.operation(stamp),
            CancelOperation(rng.choice(OPERATIONS)),
        ]
        if self.forgets and rng.random() < 0.02:
            return ForgetOperations(self.mono_s - 20.0)
        return rng.choice(commands)

    def operation(self, stamp: str) -> RunOperation:
        """Some client's command. A client asks first whether its id is used, which only the store may know."""
        unused = [id_ for id_ in OPERATIONS if id_ not in self.forgotten] or [OperationId(stamp)]
        limit_s = self.rng.choice([0.0, 0.0, 1.0, 20.0])
        return RunOperation(self.rng.choice(unused), "work", "", limit_s, stamp)

    def changed(self, service_id: ServiceId) -> ServiceItem:
        """What a client makes of a service."""
        known = self.world.records.services.get(service_id)
        reference = known.item.reference if known else "nobody"
        return service(reference, start=self.rng.choice(["serve", "of a client"]))

    def fact(self, run_id: RunId) -> Fact:
        live = self.live[run_id]
        fact = self.fact_of(run_id, live)
        if isinstance(fact, Exited | MainExited):
            fact = replace(fact, exit=self.possible(live.spawn, fact.exit))
        if live.spawn.kind is RunKind.OPERATION and not is_not_started(fact):
            self.used.add(OperationId(live.spawn.owner_id))
        return fact

    def possible(self, spawn: Spawn, end: Exit) -> Exit:
        """An operation whose command has begun does not end as if it never had."""
        began = spawn.kind is RunKind.OPERATION and spawn.owner_id in self.used
        return ExitUnknown() if began and isinstance(end, NotStarted) else end

    def fact_of(self, run_id: RunId, live: Live) -> Fact:
        if live.spawn.kind is RunKind.READY and self.rng.random() < 0.5:
            end, said = self.rng.choice(EXITS), self.rng.choice(["", "no\n"])
            return ProbeEnded(run_id, end, said, said, is_late=self.rng.random() < 0.1)
        match self.rng.randrange(4):
            case 0 if not live.main_ended:
                return Started(run_id, 42)
            case 1:
                return OutputRead(run_id, {"KEY": str(self.rng.randrange(9))})
            case 2 if not live.main_ended:
                self.live[run_id] = live._replace(main_ended=True)
                return MainExited(run_id, self.rng.choice(EXITS))
            case _:
                del self.live[run_id]
                return Exited(
                    run_id,
                    self.rng.choice(EXITS),
                    tail=self.rng.choice(["", "no\n"]),
                    survivors=self.rng.choice(SURVIVORS),
                    written=self.rng.choice(WRITTEN),
                    unasked=self.rng.random() < 0.1,
                )

    def perform(self, action: Action) -> None:
        match action:
            case Spawn(run_id, kind, owner):
                twins = [x for x in self.live.values() if (x.spawn.owner_id, x.spawn.kind) == (owner, kind)]
                assert kind in (RunKind.TASK, RunKind.OPERATION) or not twins, (
                    f"{kind} of {owner} is live already"
                )
                assert run_id not in self.live
                assert owner not in self.used, "a command runs again"
                self.live[run_id] = Live(action)
                self.kept.add(run_id)
            case Terminate(run_id) | Kill(run_id):
                assert run_id in self.live, "a signal for a run that is over"
            case Note(run_id):
                assert run_id in self.kept, "lines for a log that is not kept"
            case Discard(run_ids):
                assert not set(run_ids) & set(self.live), "a live run is discarded"
                self.kept -= set(run_ids)

    def check(self, record: Record) -> None:
        """What is final stays as it is."""
        if isinstance(record, Operation) and isinstance(record.state, OperationEnded):
            result = record.status, record.state
            assert self.results.setdefault(record.id, result) == result, "an operation ended twice"
        phase = getattr(record, "phase", None)
        assert record.id not in self.deleted
        if phase is ServicePhase.DELETED:
            self.deleted.add(record.id)
        if record.id in self.ended:
            assert phase is self.ended[record.id], "an execution that was over changed its phase"
        if phase in (ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.STOPPED):
            self.ended[record.id] = phase

    def drain(self) -> None:
        """At the end everything can be stopped, and the world then agrees with the machine that nothing lives."""
        self.step(Drain(30.0))
        for _ in range(200):
            if not self.live:
                break
            run_id = self.rng.choice(list(self.live))
            spawn = self.live.pop(run_id).spawn
            self.step(Exited(run_id, self.possible(spawn, self.rng.choice(EXITS))))
        self.mono_s += 1000
        self.step()
        assert self.live == {}
        assert queries.is_at_rest(self.world.records)


@settings(max_examples=400)
@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=1, max_value=120))
def test_invariants_hold_through_random_histories(seed: int, turns: int) -> None:
    machine = ToyMachine(random.Random(seed))
    machine.begin()
    for _ in range(turns):
        machine.turn()
    machine.drain()


@settings(max_examples=100)
@given(st.integers(min_value=0, max_value=2**32))
def test_same_history_gives_the_same_world(seed: int) -> None:
    """No clock, no randomness, no dependence on hashing: a history can be replayed."""
    worlds = []
    for _ in range(2):
        machine = ToyMachine(random.Random(seed))
        machine.begin()
        for _ in range(40):
            machine.turn()
        worlds.append(machine.world.records)
    assert worlds[0].services == worlds[1].services
    assert worlds[0].executions == worlds[1].executions
    assert json.dumps(list(worlds[0].live)) == json.dumps(list(worlds[1].live))


@settings(max_examples=200)
@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=1, max_value=60))
def test_world_made_again_from_its_records_goes_on_the_same(seed: int, turns: int) -> None:
    """A crash loses the world but not its records: the one made from them decides like the lost one."""
    machine = ToyMachine(random.Random(seed))
    machine.begin()
    for _ in range(turns):
        machine.turn()
        old = machine.world.records
        tables = (old.environments, old.services, old.tasks, old.runs, old.executions, old.operations)
        machine.world = World([r for table in tables for r in table.values()], old.revision)
        # Which execution follows which is not stored: those that followed join their leader again.
        assert machine.world.step((), Now(machine.mono_s, machine.mono_s)).actions == ()
        assert list(violations(machine.world.records)) == []
    machine.drain()


class Jumping(ToyMachine):
    """Lives through the same history while somebody sets the wall clock, both ways."""

    def __init__(self, seed: int) -> None:
        super().__init__(random.Random(seed))
        self.setting = random.Random(seed + 1)

    def wall_s(self) -> float:
        return self.setting.choice([0.0, self.mono_s, -1e9, 4e9])


@given(st.integers(0, 2**32))
@settings(max_examples=100)
def test_nothing_that_is_done_depends_on_the_wall_clock(seed: int) -> None:
    steady, jumping = ToyMachine(random.Random(seed)), Jumping(seed)
    steady.forgets = jumping.forgets = False
    for _ in range(100):
        steady.turn()
        jumping.turn()

    assert jumping.acted == steady.acted
    assert jumping.world.deadline() == steady.world.deadline()
    assert list(jumping.world.records.history.values()) == list(steady.world.records.history.values())
