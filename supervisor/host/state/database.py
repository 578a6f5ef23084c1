"""The SQLite file of the records: opening it, its versions, and what its errors mean.

Only this package knows SQLite: everybody else sees StoreError.

| SQLite says | then |
|---|---|
| the machine refuses: no room, I/O, permissions, locks, memory | StoreError; the file is left alone |
| anything else: no database, damaged pages, tables that are missing | DamagedDatabase; the file may be set aside |
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from supervisor.lean.sqlite import sqlite
from supervisor.model.errors import MachineError, StoreError
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
    "-- Since then the row of a service holds its state; `host.state.flat_rows` reads those from before.\n",
    """
    CREATE TABLE forgotten_operations (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, status INTEGER, ended_s REAL NOT NULL
    );
    """,
)
"""Each step brings a file from one version to the next; `PRAGMA user_version` counts them. Only append."""

_CAUSED_BY_MACHINE = frozenset(
    {
        sqlite.SQLITE_PERM,
        sqlite.SQLITE_BUSY,
        sqlite.SQLITE_LOCKED,
        sqlite.SQLITE_NOMEM,
        sqlite.SQLITE_READONLY,
        sqlite.SQLITE_INTERRUPT,
        sqlite.SQLITE_IOERR,
        sqlite.SQLITE_FULL,
        sqlite.SQLITE_CANTOPEN,
        sqlite.SQLITE_PROTOCOL,
        sqlite.SQLITE_NOLFS,
    }
)
"""Errors caused by the machine, not by a damaged file; sqlite3_errcode(3)."""
_SIDE_FILES = ("-wal", "-shm", "-journal")
"""The ends of the names of SQLite's other files."""
_NEWEST_ROWS = """
    SELECT id, kind, revision, CASE
        WHEN kind != 'Operation' THEN body WHEN json_valid(body) THEN json_remove(body, '$.command') ELSE '' END
    FROM records ORDER BY revision DESC LIMIT ?
"""
_LOCK_WAIT_S = 2.0
"""How long a reader waits for the supervisor that writes."""

Row = tuple[str, str, int, str]
"""A row of `records`: id, kind, revision, JSON."""


class DamagedDatabase(StoreError):
    """The content of the file makes no sense. The machine is not to blame."""


@contextmanager
def translated_errors(verb: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Raises DamagedDatabase or StoreError in place of SQLite's errors: "cannot <verb> the database ..."."""
    try:
        yield
    except sqlite.Error as error:
        kind = StoreError if _is_caused_by_machine(error) else DamagedDatabase
        raise kind(f'cannot {verb} the database "{os.fspath(path)}": {_reason(error, path)}') from error


@contextmanager
def bare_errors() -> Iterator[None]:
    """Raises StoreError in place of SQLite's errors. Its text is SQLite's reason alone."""
    try:
        yield
    except sqlite.Error as error:
        raise StoreError(str(error)) from error


def open_database(path: str | os.PathLike[str]) -> sqlite.Connection:
    """Open or make a database, and bring it to our version. Raises StoreError; MachineError for a newer version."""
    with translated_errors("open", path):
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


def in_memory() -> sqlite.Connection:
    """An empty database that no file holds."""
    return sqlite.connect(":memory:", isolation_level="IMMEDIATE", check_same_thread=False)


def copy_in_memory(path: str | os.PathLike[str]) -> sqlite.Connection:
    """A copy of a database that another process uses, in our version. Raises as `open_database` does."""
    copy = in_memory()
    try:
        with translated_errors("read", path):
            with closing(sqlite.connect(path)) as original:
                original.backup(copy)
            _migrate(copy, path)
    except BaseException:
        copy.close()
        raise
    return copy


def newest_rows(path: str | os.PathLike[str], most: int, most_bytes: int) -> list[Row]:
    """The rows of records of a database that another process may write meanwhile, the last changed first.

    At most `most` rows with `most_bytes` of JSON, without the commands of operations, which nobody but their clients is
    to see. The file may be damaged, and of any version. Raises StoreError; its
    text is the reason alone.
    """
    from urllib.parse import quote  # only a support bundle reads a database like this

    for suffix in ("", *_SIDE_FILES):
        if why := _why_not_regular(f"{os.fspath(path)}{suffix}"):
            raise StoreError(f"{os.path.basename(path)}{suffix}: {why}")
    found: list[Row] = []
    with bare_errors():
        uri = f"file:{quote(os.fspath(path))}?mode=ro"
        with closing(sqlite.connect(uri, uri=True, timeout=_LOCK_WAIT_S)) as connection:
            for row in connection.execute(_NEWEST_ROWS, (most,)):
                most_bytes -= len(row[3])
                if most_bytes < 0:
                    break
                found.append(row)
    return found


def set_aside_replaced_files(path: str | os.PathLike[str]) -> str:
    """Set aside whatever has the name of one of the database's files and is not a regular file.

    SQLite would follow a link and wait for a FIFO. Returns the new path of what had the database's own name; empty:
    it was a file, or nothing.
    """
    moved = set_aside(path) if _why_not_regular(path) else ""
    set_aside(path, [suffix for suffix in _SIDE_FILES if _why_not_regular(f"{os.fspath(path)}{suffix}")])
    return moved


def set_aside(path: str | os.PathLike[str], suffixes: Iterable[str] = ("", *_SIDE_FILES)) -> str:
    """Rename the database's files, those with these suffixes. Returns the new path, without a suffix."""
    aside = f"{os.fspath(path)}.damaged-{int(time.time())}"
    for suffix in suffixes:
        if os.path.lexists(f"{os.fspath(path)}{suffix}"):
            os.replace(f"{os.fspath(path)}{suffix}", aside + suffix)
    return aside


def set_side_files_aside(path: str | os.PathLike[str]) -> None:
    """Rename SQLite's other files of a database whose own file is gone."""
    set_aside(path, _SIDE_FILES)


def _is_caused_by_machine(error: sqlite.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CAUSED_BY_MACHINE


def _reason(error: sqlite.Error, path: str | os.PathLike[str]) -> str:
    from supervisor.host.proc.disk_room import room_of, why_full  # late: for the first command

    # A full disk is an I/O error to SQLite when it maps the write-ahead log.
    full = why_full(room_of(os.path.dirname(path)), as_root=os.geteuid() == 0)
    return f"{error}, and its disk is full: {full}; make room" if full else str(error)


def _make_private(path: str | os.PathLike[str]) -> None:
    """Make the file for our user alone. SQLite would let others read it; its other files get the same mode."""
    try:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
        try:
            os.fchmod(fd, 0o600)
        finally:
            os.close(fd)
    except OSError:
        pass  # SQLite says why


def _migrate(connection: sqlite.Connection, path: str | os.PathLike[str]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise MachineError(
            f'cannot read the database "{path}": it has version {version} and this supervisor knows up to '
            f"{len(MIGRATIONS)}; use the newer supervisor that wrote it, or another --state-dir"
        )
    for number in range(version, len(MIGRATIONS)):
        # One transaction with its version number: after a crash it is the old version or the new one.
        connection.executescript(f"BEGIN; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;")


def _why_not_regular(path: str | os.PathLike[str]) -> str:
    """Why a path does not name a regular file; empty: it does, or nothing is there, or SQLite's error says more."""
    try:
        return why_replaced(os.lstat(path))
    except OSError:
        return ""
