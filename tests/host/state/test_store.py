"""What the store keeps: whatever the core can make comes back the same, also after a kill."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.core.records import Records
from supervisor.core.world import World
from supervisor.host.state.codec import to_json
from supervisor.host.state.database import MIGRATIONS
from supervisor.host.state.store import Store
from supervisor.lean.frozen import values_of
from supervisor.model.command import ApplyFile, FireTrigger, StartTask
from supervisor.model.errors import MachineError
from supervisor.model.ids import EnvironmentId, RunId, ServiceId
from supervisor.model.record import Environment, Execution, Record, Service, Source
from supervisor.model.spec import Docker, EnvVar, SecretRef, ServiceItem, ServiceSpec, Trigger
from supervisor.model.states import AtRest, ServiceSession
from tests.core.playbook import SEED, Playbook, file, task
from tests.core.test_histories import FILES, ToyMachine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "db")
    yield opened
    opened.close()


def contents(store: Store) -> dict[str, Record]:
    return {record.id: record for record in store.load()[0]}


def test_new_store_is_empty(store: Store) -> None:
    assert store.load() == ([], 0)


def test_records_come_back_as_they_were(store: Store) -> None:
    spec = ServiceSpec(
        "serve", "probe", runs_on=Docker("redis:7", ("A=b",)), env=(EnvVar("S", SecretRef("x")),)
    )
    session = ServiceSession("session", spec, RunId("id.1"), {"PORT": "1"})
    service = Service(
        ServiceId("id"), ServiceItem("web", "Web \udcff\0", spec), Source.API, 1.5, state=AtRest(session)
    )
    store.save([service], [])
    assert store.load()[0] == [service]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_world_of_any_history_comes_back_from_the_store(seed: int, tmp_path: Path) -> None:
    path = tmp_path / f"{seed}-{random.random()}"
    store = Store(path)
    machine = ToyMachine(random.Random(seed))
    step = machine.world.step

    def stored(inputs, now):  # type: ignore[no-untyped-def]
        outcome = step(inputs, now)
        store.save(outcome.changed, outcome.removed)
        return outcome

    machine.world.step = stored  # type: ignore[method-assign]
    machine.step(ApplyFile(FILES[0], SEED))
    for _ in range(40):
        machine.turn()
    store.close()
    again = Store(path)
    records, revision = again.load()
    again.close()
    world = World(records, revision).records
    live = machine.world.records
    assert (world.services, world.tasks, world.runs) == (live.services, live.tasks, live.runs)
    assert (world.executions, world.revision) == (live.executions, live.revision)
    assert list(world.live) == list(live.live)
    assert (world.operations, world.operation_runs) == (live.operations, live.operation_runs)
    assert list(world.results.items()) == list(live.results.items())


def test_a_step_writes_only_itself(store: Store) -> None:
    """An execution of many steps must not write all of them whenever one changes."""
    book = Playbook(*(task(f"t{n}") for n in range(100)), task("all", *(f"t{n}" for n in range(100))))
    book.do(StartTask(book.task("all").id, book.stamp()))
    store.save(book.outcome.changed, book.outcome.removed)
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    book.exited("t7")
    store.save(book.outcome.changed, book.outcome.removed)
    store._connection.set_trace_callback(None)
    assert len([text for text in statements if "INTO steps" in text]) == 1
    assert not [text for text in statements if "INTO plans" in text]
    execution = contents(store)[book.execution("all").id]
    assert execution == book.execution("all")


def test_save_is_all_or_nothing(store: Store) -> None:
    book = Playbook(task("a"))
    good = book.outcome.changed
    bad = Service("id", ServiceItem("web", "Web", ServiceSpec("serve")), Source.API, 1.5, session=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.save([*good, bad], [])
    assert store.load()[0] == []
    store.save(good, [])
    assert len(store.load()[0]) == 1


def test_what_was_saved_survives_kill_9(tmp_path: Path) -> None:
    script = (
        "import sys, signal, os; sys.path.insert(0, sys.argv[2]);"
        "from supervisor.host.state.store import Store; from tests.core.playbook import Playbook, task;"
        "s = Store(sys.argv[1]); b = Playbook(*(task(f't{n}') for n in range(50)));"
        "s.save(b.outcome.changed, []); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = os.fspath(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", script, os.fspath(tmp_path / "db"), root], check=False)
    assert done.returncode == -signal.SIGKILL
    store = Store(tmp_path / "db")
    assert len(store.load()[0]) == 50
    store.close()


def test_other_users_cannot_read_the_database(store: Store, tmp_path: Path) -> None:
    store.put("key", "value")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"db": 0o600, "db-wal": 0o600, "db-shm": 0o600}


def test_damaged_database_is_set_aside_and_a_new_one_made(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"this is no database, it is a sentence of some length" * 100)
    store = Store(path)
    assert store.load() == ([], 0)
    assert Path(store.damaged).read_bytes().startswith(b"this is no database")
    store.close()


@pytest.mark.parametrize(
    "hurt",
    [
        "UPDATE records SET body = substr(body, 1, 40)",
        "UPDATE records SET body = '[]'",
        "UPDATE records SET body = '{}'",
        "UPDATE records SET kind = 'Execution'",
        "UPDATE records SET body = CAST(X'ff' AS TEXT)",
        "REPLACE INTO meta VALUES ('revision', 'many')",
        "DROP TABLE meta",
    ],
)
def test_database_whose_rows_make_no_sense_is_set_aside(tmp_path: Path, hurt: str) -> None:
    path = tmp_path / "state.db"
    with closing(Store(path)) as store:
        store.save([Environment(EnvironmentId("an id"), 1.0, revision=1)], [])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(hurt)
        connection.commit()
    with closing(Store(path)) as store:
        assert store.load_or_begin_anew() == ([], 0)
        assert Path(store.damaged).exists()
        store.save([Environment(EnvironmentId("another id"), 1.0, revision=1)], [])
        assert store.load()[1] == 1


def test_database_with_pages_that_were_overwritten_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(Store(path)) as store:
        store.save(
            [Environment(EnvironmentId(f"id {n}"), 1.0, name="x" * 500, revision=n) for n in range(1, 100)],
            [],
        )
    data = bytearray(path.read_bytes())
    data[8192:] = os.urandom(len(data) - 8192)
    path.write_bytes(data)
    with closing(Store(path)) as store:
        assert store.load_or_begin_anew() == ([], 0)
        assert store.damaged


def test_link_in_the_place_of_the_database_is_set_aside_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    elsewhere.chmod(0o644)
    (tmp_path / "db").symlink_to(elsewhere)
    store = Store(tmp_path / "db")
    assert Path(store.damaged).is_symlink()
    store.put("key", "value")
    store.close()
    assert (elsewhere.stat().st_size, elsewhere.stat().st_mode & 0o777) == (0, 0o644)


def test_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "db"
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(MachineError, match="it has version 99"):
        Store(path)


def test_database_in_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot open the database"):
        Store(tmp_path / "missing" / "db")


def test_row_with_fields_of_a_neighbouring_version_can_be_read(store: Store) -> None:
    book = Playbook()
    book.do(ApplyFile(file(task("a")), SEED))
    store.save(book.outcome.changed, [])
    with store._connection as connection:
        connection.execute(
            """UPDATE records SET body = json_remove(json_set(body, '$.novel', 1), '$.gone')"""
        )
    assert store.load()[0] == [book.task("a")]


def test_values_are_kept_beside_the_records(store: Store) -> None:
    assert store.get("boot") is None
    store.put("boot", "1")
    store.put("boot", "2")
    assert store.get("boot") == "2"


def chain(length: int) -> Playbook:
    """A chain of tasks, all triggered by one firing."""
    start = Trigger.POST_ENVIRONMENT_START
    items = [task(f"t{n}", *([f"t{n - 1}"] if n else []), triggers=[start]) for n in range(length)]
    book = Playbook(*items)
    book.do(FireTrigger(start, book.stamp()))
    return book


def rows(store: Store) -> int:
    tables = ("records", "plans", "parts", "steps")
    return sum(store._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)


def test_executions_of_a_firing_are_written_with_what_they_share_once(store: Store) -> None:
    book = chain(60)
    records = book.world.records
    store.save(list(contents_of(records).values()), [])
    begun = rows(store)
    assert begun < 5 * 60
    for number in range(60):
        book.exited(f"t{number}")
        store.save(book.outcome.changed, book.outcome.removed)
    assert rows(store) < begun + 3 * 60
    loaded = contents(store)
    assert loaded == contents_of(records)
    first, second = (loaded[book.execution(name).id] for name in ("t58", "t59"))
    assert isinstance(first, Execution)
    assert isinstance(second, Execution)
    assert second.plan.below is first.plan
    assert second.passed.below is first.passed
    store.save([], [record for record in loaded.values() if isinstance(record, Execution)])
    assert store._connection.execute("SELECT count(*) FROM parts").fetchone() == (0,)


def test_parts_stay_when_one_of_a_firing_goes_as_another_comes(store: Store) -> None:
    book = chain(2)
    first, second = book.execution("t0"), book.execution("t1")
    store.save([first], [])
    store.save([second], [first])
    assert contents(store) == {second.id: second}


def test_a_rolled_back_part_is_written_again(store: Store) -> None:
    book = chain(2)
    bad = Service("id", ServiceItem("web", "Web", ServiceSpec("serve")), Source.API, 1.5, session=object())  # type: ignore[arg-type]
    everything = list(contents_of(book.world.records).values())
    with pytest.raises(TypeError):
        store.save([*everything, bad], [])
    store.save(everything, [])
    assert contents(store) == contents_of(book.world.records)


def test_database_of_the_version_before_parts_is_read_and_gone_on_with(tmp_path: Path) -> None:
    book = Playbook(task("a"), task("b"), task("c", "a", "b"), task("d", "c"))
    first = book.stamp()
    book.do(StartTask(book.task("d").id, first))
    book.exited("a")
    book.exited("b", 3)
    book.do(StartTask(book.task("d").id, book.stamp()))
    book.exited("a", output={"K": "v"})
    book.exited("b")
    records = book.world.records
    connection = sqlite3.connect(tmp_path / "db")
    connection.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1")
    for record in contents_of(records).values():
        body = {
            "_": type(record).__name__,
            **dict(zip(record.__match_args__, values_of(record), strict=True)),
        }
        if isinstance(record, Execution):
            del body["plan"], body["passed"], body["current"]
            connection.execute("INSERT INTO plans VALUES (?, ?)", (record.id, to_json(tuple(record.plan))))
            states = [(record.id, id_, to_json(state)) for id_, state in record.steps.items()]
            connection.executemany("INSERT INTO steps VALUES (?, ?, ?)", states)
        row = (record.id, type(record).__name__, record.revision, to_json(body))
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    store = Store(tmp_path / "db")
    loaded = contents(store)
    for execution in records.executions.values():
        found = loaded[execution.id]
        assert isinstance(found, Execution)
        assert found == execution
        assert list(found.steps.items()) == list(execution.steps.items())
    book.world = World(loaded.values(), records.revision)
    assert book.exited("c") == ["spawn d"]
    store.save(book.outcome.changed, book.outcome.removed)
    assert contents(store) == contents_of(book.world.records)
    store.close()


def contents_of(records: Records) -> dict[str, Record]:
    tables = (records.services, records.tasks, records.runs, records.executions)
    return {id_: record for table in tables for id_, record in table.items()}
