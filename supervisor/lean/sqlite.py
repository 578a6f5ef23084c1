"""SQLite as Python's module in C has it.

`sqlite3` in the standard library adds to that how dates and times are kept, which no record needs, and for this imports
`datetime`: a fortieth of what the first command waits for.
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
