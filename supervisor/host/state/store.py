"""The store: all records in one SQLite file. A new supervisor goes on where the one before was killed.

Write-ahead log with `synchronous=NORMAL`: what was committed survives the death of the process at any instant. After a
power cut the last moments may be missing, but the file is whole. What the executions of one firing share, the groups of
their plans and the states of those that they passed, is written once (`execution_parts`). In the group that runs, each
step has a row of its own: a step of a group of 500 writes one row, not 500.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter

from supervisor.host.state.codec import record_writer, to_json
from supervisor.host.state.database import (
    DamagedDatabase,
    bare_errors,
    copy_in_memory,
    in_memory,
    open_database,
    set_aside,
    set_aside_replaced_files,
    set_side_files_aside,
    translated_errors,
)
from supervisor.host.state.execution_parts import Parts
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, Any
from supervisor.model.errors import MachineError
from supervisor.model.record import Environment, Execution, Record, Service, Task, TaskRun

if TYPE_CHECKING:
    from supervisor.host.state import forgotten_operations, record_reader
    from supervisor.lean.sqlite import sqlite
    from supervisor.model.ids import OperationId
    from supervisor.model.operation_record import ForgottenOperation
else:
    forgotten_operations = late("supervisor.host.state.forgotten_operations")
    record_reader = late("supervisor.host.state.record_reader")


class Store:
    """The records of one state directory. Only the engine's thread uses it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or make the database at `path`.

        A damaged file, or a link or folder in its place, is set aside, never deleted, and `damaged` is its new path.
        Raises StoreError if there can be no database, MachineError if a newer version of the supervisor wrote it.
        """
        self._path = path
        self.damaged = set_aside_replaced_files(path)
        try:
            self._connection = open_database(path)
        except DamagedDatabase:
            self.damaged = set_aside(path)
            self._connection = open_database(path)
        self._inode = _inode(path)
        self._parts = Parts()

    @classmethod
    def copy_of(cls, path: str | os.PathLike[str]) -> Store:
        """A copy in memory of a database that another process uses, in our version.

        Raises StoreError, or MachineError if a newer version of the supervisor wrote it.
        """
        copy = cls.__new__(cls)
        copy._path, copy.damaged, copy._parts, copy._inode = path, "", Parts(), (0, 0)
        copy._connection = copy_in_memory(path)
        return copy

    def is_in_place(self) -> bool:
        """Whether the file at the path is still the one that is written. Raises OSError."""
        try:
            status = os.lstat(self._path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def restore(self) -> None:
        """Write everything into a new file, if the old one is gone. Raises MachineError; nothing is lost then."""
        if os.path.lexists(self._path):
            raise MachineError(f"another file is in the place of the database {os.fspath(self._path)}")
        # Copy out of the old file first: closing it removes -wal and -shm by name, which the new file will use.
        kept = in_memory()
        with translated_errors("write", self._path):
            self._connection.backup(kept)
            self._connection.close()
            self._connection = kept
            set_side_files_aside(self._path)
            connection = open_database(self._path)
            kept.backup(connection)
        self._connection = connection
        self._inode = _inode(self._path)
        kept.close()

    def close(self) -> None:
        """Close the file. Everything that was saved is in it."""
        self._connection.close()

    def load(self) -> tuple[list[Record], int]:
        """All records, in no order, and the highest revision that a record ever had.

        Raises DamagedDatabase if the file or its rows make no sense, StoreError if the machine refuses to read it.
        """
        try:
            with translated_errors("read", self._path):
                rows = self._connection.execute("SELECT id, kind, body FROM records").fetchall()
                if not rows:
                    return [], int(self._value("revision") or 0)
                reading = record_reader.Reading(self._connection)
                records = [
                    record_reader.record_of(reading, id_, kind, json.loads(body)) for id_, kind, body in rows
                ]
                executions = [record for record in records if isinstance(record, Execution)]
                self._parts.begin(executions, reading)
                return records, int(self._value("revision") or 0)
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
            raise DamagedDatabase(f"a row of the database is no record: {error!r}") from error

    def load_or_begin_anew(self) -> tuple[list[Record], int]:
        """Load; a damaged database is set aside, and an empty one takes its place. Raises StoreError."""
        try:
            return self.load()
        except DamagedDatabase:
            self._connection.close()
            self.damaged = set_aside(self._path)
            self._connection = open_database(self._path)
            self._inode = _inode(self._path)
            self._parts = Parts()
            return [], 0

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        """Write what a step changed, all or nothing. Raises StoreError; its text is the reason alone."""
        self._parts.start()
        with bare_errors(), self._connection as connection:
            self._write_all(connection, changed, removed)
        self._parts.saved()

    def get(self, key: str) -> str | None:
        """A value that is stored beside the records; None: there is none. Raises StoreError."""
        with bare_errors():
            return self._value(key)

    def put(self, key: str, value: str) -> None:
        """Store a value beside the records. Raises StoreError."""
        self.put_all({key: value})

    def put_all(self, values: Mapping[str, str]) -> None:
        """Store values beside the records, all or none. Raises StoreError."""
        with bare_errors(), self._connection as connection:
            connection.executemany("REPLACE INTO meta VALUES (?, ?)", values.items())

    def forgotten_operation(self, operation_id: OperationId) -> ForgottenOperation | None:
        """The operation that a client calls so, if it has ended and its result is no longer kept. Raises StoreError."""
        with bare_errors():
            return forgotten_operations.find(self._connection, operation_id)

    def forget_operation_ids(self, before_s: float) -> None:
        """Forget the ids of operations that ended before `before_s`, wall clock. Raises StoreError."""
        with bare_errors(), self._connection as connection:
            forgotten_operations.forget(connection, before_s)

    def _value(self, key: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _write_all(
        self, connection: sqlite.Connection, changed: Iterable[Record], removed: Iterable[Record]
    ) -> None:
        revision = 0
        for record in changed:
            revision = max(revision, record.revision)
            self._write(connection, record)
        for record in removed:
            connection.execute("DELETE FROM records WHERE id = ?", (record.id,))
            if isinstance(record, Execution):
                self._parts.erase(connection, record)
            elif not isinstance(record, Service | Task | TaskRun | Environment):
                forgotten_operations.keep(connection, record)
        if revision:
            connection.execute("REPLACE INTO meta VALUES ('revision', ?)", (revision,))

    def _write(self, connection: sqlite.Connection, record: Record) -> None:
        if isinstance(record, Execution):
            self._parts.write(connection, record)
        body = _WRITERS.get(type(record), to_json)(record)
        row = (record.id, type(record).__name__, record.revision, body)
        connection.execute("REPLACE INTO records VALUES (?, ?, ?, ?)", row)


_WRITERS: Mapping[type[Record], Callable[[Any], str]] = {
    # Phase and reason are for people, and for a bundle, who read the row without the code.
    Service: record_writer(Service, {"phase": attrgetter("phase.value"), "reason": attrgetter("reason")}),
    TaskRun: record_writer(TaskRun, {"phase": attrgetter("phase.value")}),
    Execution: record_writer(
        Execution, {"current": None, "plan": attrgetter("plan.id"), "passed": attrgetter("passed.id")}
    ),
}
"""What is written of a record in its row, where that is not all of it or more."""


def _inode(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Device and inode of a file; zeros if it does not exist, `:memory:` for example."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino
