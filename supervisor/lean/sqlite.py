"""SQLite from Python's module in C.

`sqlite3` adds adapters for dates and times, which no record needs, and imports `datetime` for them: a fortieth of the
start.
"""

from __future__ import annotations

from supervisor.lean.typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3 as sqlite
else:
    try:
        import _sqlite3 as sqlite
    except ImportError:  # another Python than CPython
        import sqlite3 as sqlite

__all__ = ["sqlite"]
