"""Ids of operations in the database: whose results are gone, and whose commands are not run again."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.host.state import forgotten_operations
from supervisor.host.state.database import MIGRATIONS
from supervisor.host.state.store import Store
from supervisor.model.errors import MachineError, StoreError
from supervisor.model.exit import Exit, ExitCode, ExitUnknown, NotStarted
from supervisor.model.ids import OperationId, RunId
from supervisor.model.operation_record import EndReason, ForgottenOperation, Operation, OperationEnded
from tests.core.playbook import Playbook, task
from tests.core.test_histories import ToyMachine

ODD = OperationId("'; DROP TABLE records; --\n\0é")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "db")) as opened:
        yield opened


def ended(name: str, end: Exit, ended_s: float = 5.0, why: str = "") -> Operation:
    return Operation(
        RunId(name), OperationId(name), "secret", "d", "", 0.0, 1.0, OperationEnded(end, ended_s, why), 1, 1
    )


def number_of_ids(store: Store) -> int:
    (count,) = store._connection.execute("SELECT count(*) FROM forgotten_operations").fetchone()
    return int(count)


def test_an_operation_comes_back_as_it_was(store: Store) -> None:
    operation = ended(ODD, ExitCode(3, out_of_memory=True), why=EndReason.LIMIT)
    store.save([operation], [])
    assert store.load()[0] == [operation]
    assert store.forgotten_operation(ODD) is None, "its result is kept"


@pytest.mark.parametrize(
    ("end", "why", "status"),
    [(ExitCode(3), "", 3), (ExitUnknown(), "", None), (NotStarted("stopped"), EndReason.CANCEL, 130)],
)
def test_the_id_of_a_removed_operation_is_known_with_its_exit_code(
    store: Store, end: Exit, why: str, status: int | None
) -> None:
    operation = ended(ODD, end, why=why)
    store.save([operation], [])
    store.save([], [operation])
    assert store.load()[0] == []
    assert store.forgotten_operation(ODD) == ForgottenOperation(ODD, status, 5.0)
    assert store.forgotten_operation(OperationId("another")) is None


def test_the_id_of_one_that_never_began_is_free(store: Store) -> None:
    operation = ended("call", NotStarted("there is no such folder"))
    store.save([operation], [operation])
    assert store.forgotten_operation(OperationId("call")) is None


def test_id_and_removal_are_one_transaction(store: Store) -> None:
    operation = ended("call", ExitCode(0))
    store.save([operation], [])
    store._connection.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(StoreError):
        store.save([ended("other", ExitCode(0))], [operation])
    assert store.load()[0] == [operation]
    assert store.forgotten_operation(OperationId("call")) is None


def test_ids_are_kept_until_there_are_too_many_and_the_oldest_go(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgotten_operations, "KEPT_IDS", 3)
    for number in range(5):
        store.save([], [ended(str(number), ExitCode(number))])
    assert number_of_ids(store) == 3
    known = [store.forgotten_operation(OperationId(str(number))) for number in range(5)]
    assert [one and one.status for one in known] == [None, None, 2, 3, 4]


def test_ids_are_forgotten_by_age(store: Store) -> None:
    for number in range(5):
        store.save([], [ended(str(number), ExitCode(number), ended_s=float(number))])
    store.forget_operation_ids(3.0)
    known = [store.forgotten_operation(OperationId(str(number))) for number in range(5)]
    assert [one and one.status for one in known] == [None, None, None, 3, 4]
    store.forget_operation_ids(99.0)
    assert number_of_ids(store) == 0
    store.forget_operation_ids(99.0)
    store.save([], [ended("one more", ExitCode(0))])
    assert store.forgotten_operation(OperationId("one more"))


def test_a_hundred_thousand_ids_are_looked_up_without_being_read(store: Store) -> None:
    rows = ((f"{number:0250}", number % 256, 5.0) for number in range(forgotten_operations.KEPT_IDS))
    with store._connection as connection:
        connection.executemany(
            "INSERT INTO forgotten_operations (id, status, ended_s) VALUES (?, ?, ?)", rows
        )
    plan = "EXPLAIN QUERY PLAN SELECT status, ended_s FROM forgotten_operations WHERE id = ?"
    (step,) = store._connection.execute(plan, ("x",)).fetchall()
    assert step[3].startswith("SEARCH"), "not a SCAN"
    assert store.forgotten_operation(OperationId(f"{99_999:0250}"))
    store.save([], [ended("one more", ExitCode(0))])
    assert number_of_ids(store) == forgotten_operations.KEPT_IDS
    assert store.load() == ([], 0), "nobody reads them at a start"


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.forgotten_operation(ODD)
    with pytest.raises(StoreError):
        store.forget_operation_ids(0.0)


def test_what_histories_remove_is_known_to_the_store(store: Store) -> None:
    for seed in range(20):
        machine = ToyMachine(random.Random(seed))
        step = machine.world.step
        with store._connection as connection:
            connection.executescript("DELETE FROM records; DELETE FROM forgotten_operations")

        def stored(inputs, now, step=step):  # type: ignore[no-untyped-def]
            outcome = step(inputs, now)
            store.save(outcome.changed, outcome.removed)
            return outcome

        machine.world.step = stored  # type: ignore[method-assign]
        for _ in range(150):
            machine.turn()
        rows = store._connection.execute("SELECT id FROM forgotten_operations").fetchall()
        assert {id_ for (id_,) in rows} == machine.forgotten


def test_a_database_of_version_3_is_taken_over_and_refused_by_whoever_knows_no_newer(tmp_path: Path) -> None:
    book = Playbook(task("build"))
    path = tmp_path / "db"
    with closing(Store(path)) as store:
        store.save(book.outcome.changed, [])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE forgotten_operations; PRAGMA user_version = 3")
        old = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("".join(MIGRATIONS[:3]))
        assert connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall() == old

    with closing(Store(path)) as store:
        assert store.load()[0] == list(book.outcome.changed)
        store.save([], [ended("call", ExitCode(0))])
        assert store.forgotten_operation(OperationId("call"))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)


def test_an_older_supervisor_refuses_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "db"
    Store(path).close()
    monkeypatch.setattr("supervisor.host.state.database.MIGRATIONS", MIGRATIONS[:3])
    with pytest.raises(MachineError, match="it has version 4 and this supervisor knows up to 3"):
        Store(path)
