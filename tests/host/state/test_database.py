"""What SQLite's errors mean: the machine is told apart from a damaged file, and nobody else sees SQLite."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from supervisor.host.state.database import DamagedDatabase, newest_rows, open_database
from supervisor.host.state.store import Store
from supervisor.lean.frozen import replace
from supervisor.lean.sqlite import sqlite
from supervisor.model.errors import StoreError
from supervisor.model.ids import EnvironmentId, OperationId, RunId
from supervisor.model.operation_record import Operation
from supervisor.model.record import Environment


def environments(count: int, name: str = "") -> list[Environment]:
    return [
        Environment(EnvironmentId(f"id {number}"), 1.0, name=name, revision=number)
        for number in range(1, count + 1)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(Store(tmp_path / "state.db")) as store:
        store.save(environments(3), [])
    return tmp_path / "state.db"


def test_locked_database_is_the_machines_fault_and_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect: Any = sqlite3.connect
    monkeypatch.setattr(sqlite, "connect", lambda path, **more: connect(path, timeout=0.0, **more))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"cannot open the database .* locked") as raised:
            Store(path)
    assert not isinstance(raised.value, DamagedDatabase)
    assert not list(path.parent.glob("*.damaged-*"))


def test_folder_in_the_place_of_the_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with closing(Store(tmp_path / "state.db")) as store:
        assert Path(store.damaged).is_dir()


def test_full_disk_is_the_bare_reason_and_nothing_is_half_written(path: Path) -> None:
    with closing(Store(path)) as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError) as raised:
            store.save(environments(50, "x" * 1000), [])
        assert str(raised.value) == "database or disk is full"
        assert len(store.load()[0]) == 3
        store._connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
        store.save(environments(50, "x" * 1000), [])
        assert len(store.load()[0]) == 50


def test_closed_database_is_a_store_error_for_every_call(path: Path) -> None:
    store = Store(path)
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.get("key"),
        lambda: store.put("key", "value"),
        lambda: store.save(environments(1), []),
        store.load,
    ]
    for call in calls:
        with pytest.raises(StoreError):
            call()


@pytest.mark.parametrize("open_it", [open_database, lambda path: newest_rows(path, 9, 9), Store.copy_of])
def test_file_that_is_no_database_is_a_store_error(tmp_path: Path, open_it: Callable[[Path], object]) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreError, match="file is not a database"):
        open_it(tmp_path / "state.db")


def test_newest_rows_come_first_and_only_as_many_as_there_is_room_for(path: Path) -> None:
    rows = newest_rows(path, 2, 10_000)
    assert [revision for _, _, revision, _ in rows] == [3, 2]
    assert newest_rows(path, 9, len(rows[0][3])) == rows[:1]


def test_newest_rows_are_read_beside_a_supervisor_and_change_nothing(path: Path) -> None:
    with closing(Store(path)) as store:
        store.save([Environment(EnvironmentId("another id"), 1.0, revision=9)], [])
        before = path.read_bytes()
        assert newest_rows(path, 1, 10_000)[0][0] == "another id"
        assert path.read_bytes() == before


def test_newest_rows_have_no_command_of_a_client(path: Path) -> None:
    call = Operation(RunId("r"), OperationId("call"), "echo pl4nted " * 1_000, "", "", 0.0, 0.0, revision=9)
    with closing(Store(path)) as store:
        store.save([call, replace(call, id=RunId("damaged"))], [])
        with store._connection as connection:
            connection.execute("UPDATE records SET body = 'echo pl4nted' WHERE id = 'damaged'")
    rows = newest_rows(path, 9, 10_000)
    assert [row[:3] for row in rows[:2]] == [("damaged", "Operation", 9), ("r", "Operation", 9)]
    assert json.loads(rows[1][3])["operation_id"] == "call"
    assert "pl4nted" not in repr(rows)
    assert len(rows) == 5, "a long command leaves room for the others"


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_newest_rows_follow_no_link(path: Path, suffix: str) -> None:
    beside = Path(f"{path}{suffix}")
    beside.unlink(missing_ok=True)
    os.symlink("/etc/passwd", beside)
    with pytest.raises(StoreError, match="it is a symbolic link"):
        newest_rows(path, 9, 10_000)
