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

from supervisor.host.proc.disk_room import room_of, why_full
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
)
"""Each brings a file from the version before to the next; `PRAGMA user_version` counts them. Only append."""

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
"""What SQLite names its other files by."""
_LOCK_WAIT_S = 2.0
"""How long a reader waits for the supervisor that writes."""

Row = tuple[str, str, int, str]
"""A row of `records`: id, kind, revision, JSON."""


class DamagedDatabase(StoreError):
    """What the file holds makes no sense; the machine is not to blame."""


@contextmanager
def translated_errors(verb: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Raises DamagedDatabase or StoreError in place of what SQLite raises. `verb`: what cannot be done then."""
    try:
        yield
    except sqlite.Error as error:
        kind = StoreError if _is_caused_by_machine(error) else DamagedDatabase
        raise kind(f'cannot {verb} the database "{os.fspath(path)}": {_reason(error, path)}') from error


@contextmanager
def bare_errors() -> Iterator[None]:
    """Raises StoreError in place of what SQLite raises. Its text is SQLite's reason alone."""
    try:
        yield
    except sqlite.Error as error:
        raise StoreError(str(error)) from error


def open_database(path: str | os.PathLike[str]) -> sqlite.Connection:
    """Open or make a database, in our version. Raises StoreError, MachineError for one of a newer version."""
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
    """A copy of a database that another process uses, brought to our version. Raises as `open_database` does."""
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
    """The rows of records, the last changed first, of a database that another process may write meanwhile.

    At most so many rows, and so many bytes of JSON. The file may be damaged, and of any version. Raises StoreError with
    the bare reason.
    """
    from urllib.parse import quote  # only a support bundle reads a database like this

    for suffix in ("", *_SIDE_FILES):
        if why := _why_no_file(f"{os.fspath(path)}{suffix}"):
            raise StoreError(f"{os.path.basename(path)}{suffix}: {why}")
    found: list[Row] = []
    with bare_errors():
        uri = f"file:{quote(os.fspath(path))}?mode=ro"
        with closing(sqlite.connect(uri, uri=True, timeout=_LOCK_WAIT_S)) as connection:
            query = "SELECT id, kind, revision, body FROM records ORDER BY revision DESC LIMIT ?"
            for row in connection.execute(query, (most,)):
                most_bytes -= len(row[3])
                if most_bytes < 0:
                    break
                found.append(row)
    return found


def set_aside_strangers(path: str | os.PathLike[str]) -> str:
    """Set aside what stands in the place of the database's files and is no file: a link, which SQLite would follow,
    or a FIFO, which it would wait for. Returns where the database's own place holder is now; empty: it had none.
    """
    moved = set_aside(path) if _why_no_file(path) else ""
    set_aside(path, [suffix for suffix in _SIDE_FILES if _why_no_file(f"{os.fspath(path)}{suffix}")])
    return moved


def set_aside(path: str | os.PathLike[str], suffixes: Iterable[str] = ("", *_SIDE_FILES)) -> str:
    """Rename the database's files, those with these suffixes. Returns the new name of the first."""
    aside = f"{os.fspath(path)}.damaged-{int(time.time())}"
    for suffix in suffixes:
        if os.path.lexists(f"{os.fspath(path)}{suffix}"):
            os.replace(f"{os.fspath(path)}{suffix}", aside + suffix)
    return aside


def set_side_files_aside(path: str | os.PathLike[str]) -> None:
    """Rename what lies beside a database whose own file is gone."""
    set_aside(path, _SIDE_FILES)


def _is_caused_by_machine(error: sqlite.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CAUSED_BY_MACHINE


def _reason(error: sqlite.Error, path: str | os.PathLike[str]) -> str:
    # A full disk is an I/O error to SQLite when it maps the write-ahead log.
    full = why_full(room_of(os.path.dirname(path)), as_root=os.geteuid() == 0)
    return f"{error}, and its disk is full: {full}; make room" if full else str(error)


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


def _why_no_file(path: str | os.PathLike[str]) -> str:
    """What stands where a file belongs; empty: a file, or nothing, or what SQLite says more of."""
    try:
        return why_replaced(os.lstat(path))
    except OSError:
        return ""
