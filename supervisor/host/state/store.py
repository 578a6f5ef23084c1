"""The store: every record in one SQLite file, so that a supervisor can go on where another was killed.

Write-ahead log with `synchronous=NORMAL`: what was committed survives the death of the process at any instant; after
a power cut the last moments may be missing, but the file is whole. What executions of one firing share, the groups of
their plans and the states of those that they passed, is written once (`host.parts`); of the group that runs each step
has a row of its own, so that a step of a group of 500 writes one row, not 500.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import closing

from supervisor.host.runs.disk_space import why_full
from supervisor.host.state.codec import from_plain, plain, to_json
from supervisor.host.state.execution_parts import Parts, Reading
from supervisor.lean.sqlite import sqlite
from supervisor.model.errors import MachineError
from supervisor.model.record import (
    Environment,
    Execution,
    Record,
    Service,
    Task,
    TaskRun,
)
from supervisor.shim.regular_file import open_regular, why_replaced

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE records (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE plans (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE steps (
        execution_id TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (execution_id, id)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE parts (
        firing TEXT NOT NULL, id TEXT NOT NULL, below TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (firing, id)
    ) WITHOUT ROWID;
    """,
)
"""Each brings a file from the version before to the next; `PRAGMA user_version` counts them. Only append."""

KINDS: Mapping[str, type[Service | Task | TaskRun | Environment]] = {
    kind.__name__: kind for kind in (Service, Task, TaskRun, Environment)
}


_OF_THE_MACHINE = {
    sqlite.SQLITE_PERM,
    sqlite.SQLITE_BUSY,
    sqlite.SQLITE_LOCKED,
    sqlite.SQLITE_NOMEM,
    sqlite.SQLITE_READONLY,
    sqlite.SQLITE_IOERR,
    sqlite.SQLITE_FULL,
    sqlite.SQLITE_CANTOPEN,
}
"""Errors that say nothing against the file; sqlite3_errcode(3)."""

_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite names its other files by."""


class Store:
    """The records of one state directory. Used by one thread, the engine's."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or make the database at `path`.

        A damaged file, or what stands in its place and is none, is set aside, never deleted, and `damaged` says where
        it is. Raises MachineError if there can be no database at all, or if a newer version of the supervisor wrote it.
        """
        self._path = path
        # A link may lead to anybody's file, and SQLite would follow it; for a FIFO it would wait.
        self.damaged = _set_aside(path) if _is_no_file(path) else ""
        _set_aside(path, [suffix for suffix in _BESIDE if _is_no_file(f"{os.fspath(path)}{suffix}")])
        try:
            self._connection = _open(path)
        except sqlite.DatabaseError as error:
            if isinstance(error, sqlite.OperationalError):
                raise _unusable("open", path, error) from error
            self.damaged = _set_aside(path)
            self._connection = _open(path)
        self._inode = _inode(path)
        self._parts = Parts()

    @classmethod
    def copy_of(cls, path: str | os.PathLike[str]) -> Store:
        """A copy of a database that another process uses, in memory, brought to our version.

        Raises MachineError if a newer version of the supervisor wrote it.
        """
        copy = cls.__new__(cls)
        copy._path, copy.damaged, copy._parts, copy._inode = path, "", Parts(), (0, 0)
        copy._connection = sqlite.connect(":memory:", isolation_level="IMMEDIATE")
        with closing(sqlite.connect(path)) as original:
            original.backup(copy._connection)
        _migrate(copy._connection, path)
        return copy

    def is_in_place(self) -> bool:
        """Whether what is written comes into the file that is at its path. Raises OSError."""
        try:
            status = os.lstat(self._path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def restore(self) -> None:
        """Write all anew into a file where there is none any more. Raises MachineError; all is kept then."""
        if os.path.lexists(self._path):
            raise MachineError(f"another file is in the place of the database {os.fspath(self._path)}")
        # First out of the old file: closing it removes what lies beside it by name, where the new one's would be.
        kept = sqlite.connect(":memory:", isolation_level="IMMEDIATE", check_same_thread=False)
        try:
            self._connection.backup(kept)
            self._connection.close()
            self._connection = kept
            _set_aside(self._path, _BESIDE)
            connection = _open(self._path)
            kept.backup(connection)
        except sqlite.Error as error:
            raise _unusable("write", self._path, error) from error
        self._connection = connection
        self._inode = _inode(self._path)
        kept.close()

    def close(self) -> None:
        """Close the file; all that was saved is in it."""
        self._connection.close()

    def load(self) -> tuple[list[Record], int]:
        """All records, in no order, and the highest revision ever given.

        Raises ValueError on rows that are no records.
        """
        rows = self._connection.execute("SELECT id, kind, body FROM records").fetchall()
        try:
            reading = Reading(self._connection)
            records = [_read(reading, id_, kind, json.loads(body)) for id_, kind, body in rows]
            executions = [record for record in records if isinstance(record, Execution)]
            self._parts.begin(executions, reading)
        except (KeyError, TypeError, AttributeError, StopIteration) as error:
            raise ValueError(f"a row of the database is no record: {error!r}") from error
        return records, int(self.get("revision") or 0)

    def load_or_begin_anew(self) -> tuple[list[Record], int]:
        """What `load` does; a database that makes no sense is set aside, and an empty one takes its place.

        Raises MachineError if it cannot be read at all.
        """
        try:
            return self.load()
        except (sqlite.DatabaseError, ValueError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_MACHINE:
                raise _unusable("read", self._path, error) from error
            self._connection.close()
            self.damaged = _set_aside(self._path)
            self._connection = _open(self._path)
            self._inode = _inode(self._path)
            self._parts = Parts()
            return [], 0

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        """Write what a step changed, all or nothing. Raises sqlite.Error, for example when the disk is full."""
        self._parts.start()
        with self._connection as connection:
            revision = 0
            for record in changed:
                revision = max(revision, record.revision)
                self._write(connection, record)
            for record in removed:
                connection.execute("DELETE FROM records WHERE id = ?", (record.id,))
                if isinstance(record, Execution):
                    self._parts.erase(connection, record)
            if revision:
                connection.execute("REPLACE INTO meta VALUES ('revision', ?)", (revision,))
        self._parts.saved()

    def get(self, key: str) -> str | None:
        """A value kept beside the records; None if there is none."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: str) -> None:
        """Keep a value beside the records. Raises sqlite.Error."""
        self.put_all({key: value})

    def put_all(self, values: Mapping[str, str]) -> None:
        """Keep values beside the records, all or none. Raises sqlite.Error."""
        with self._connection as connection:
            connection.executemany("REPLACE INTO meta VALUES (?, ?)", values.items())

    def _write(self, connection: sqlite.Connection, record: Record) -> None:
        body = plain(record)
        if isinstance(record, Execution):
            self._parts.write(connection, record)
            del body["current"]
            body["plan"], body["passed"] = record.plan.id, record.passed.id
        row = (record.id, type(record).__name__, record.revision, to_json(body))
        connection.execute("REPLACE INTO records VALUES (?, ?, ?, ?)", row)


def _read(reading: Reading, id_: str, kind: str, body: dict[str, object]) -> Record:
    if kind in KINDS:
        return from_plain(KINDS[kind], body)
    return from_plain(Execution, {**body, **reading.execution(id_, body)})


def _open(path: str | os.PathLike[str]) -> sqlite.Connection:
    _make_private(path)
    connection = sqlite.connect(path, isolation_level="IMMEDIATE", check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: str | os.PathLike[str]) -> None:
    """Make the file, which SQLite would let others read; what it puts beside it gets the same mode."""
    try:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
        try:
            os.fchmod(fd, 0o600)
        finally:
            os.close(fd)
    except OSError:
        pass  # SQLite says why


def _inode(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Which file is there; nonsense for one that is not, `:memory:` for example."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def _migrate(connection: sqlite.Connection, path: str | os.PathLike[str]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise MachineError(
            f'cannot read the database "{path}": it has version {version} and this supervisor knows up to '
            f"{len(MIGRATIONS)}; use the newer supervisor that wrote it, or another --state-dir"
        )
    for number in range(version, len(MIGRATIONS)):
        # One transaction with its version number: a crash leaves the old version or the new, nothing between.
        connection.executescript(f"BEGIN; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;")


def _unusable(verb: str, path: str | os.PathLike[str], error: Exception) -> MachineError:
    # To SQLite a full disk is an I/O error, if it is met when the write-ahead log is mapped.
    full = why_full(os.path.dirname(path), as_root=os.geteuid() == 0)
    why = f"{error}, and its disk is full: {full}; make room" if full else str(error)
    return MachineError(f'cannot {verb} the database "{path}": {why}')


def _is_no_file(path: str | os.PathLike[str]) -> bool:
    try:
        return bool(why_replaced(os.lstat(path)))
    except OSError:
        return False  # nothing, or what SQLite says more of


def _set_aside(path: str | os.PathLike[str], suffixes: Iterable[str] = ("", *_BESIDE)) -> str:
    aside = f"{os.fspath(path)}.damaged-{int(time.time())}"
    for suffix in suffixes:
        if os.path.lexists(f"{os.fspath(path)}{suffix}"):
            os.replace(f"{os.fspath(path)}{suffix}", aside + suffix)
    return aside
