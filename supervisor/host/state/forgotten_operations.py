"""The ids of operations whose results are no longer kept, in a table that nobody holds in memory.

An id is kept so long that a client which asks again learns that its command has run, and does not have it run twice.
The store writes an id in the transaction that removes the record.
"""

from __future__ import annotations

from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.ids import OperationId
from supervisor.model.operation_record import ForgottenOperation, Operation, OperationEnded

if TYPE_CHECKING:
    from supervisor.lean.sqlite import sqlite

KEPT_IDS = 100_000
KEPT_IDS_S = 30 * 24 * 3600.0
"""How long an id is kept. Who has them forgotten knows the time."""

_FORGET = """
    DELETE FROM forgotten_operations WHERE number < coalesce(
        (SELECT number FROM forgotten_operations WHERE ended_s >= ? ORDER BY number LIMIT 1),
        (SELECT max(number) + 1 FROM forgotten_operations)
    )
"""


def keep(connection: sqlite.Connection, operation: Operation) -> None:
    """The record of an operation is removed: keep its id, unless its command may still run."""
    if not isinstance(operation.state, OperationEnded) or not operation.uses_up_id:
        return
    row = operation.operation_id, operation.status, operation.state.ended_s
    connection.execute("REPLACE INTO forgotten_operations (id, status, ended_s) VALUES (?, ?, ?)", row)
    # Rows are deleted from the oldest on, so the numbers have no gaps, and none has to be counted.
    connection.execute(
        "DELETE FROM forgotten_operations WHERE number <= (SELECT max(number) FROM forgotten_operations) - ?",
        (KEPT_IDS,),
    )


def find(connection: sqlite.Connection, operation_id: OperationId) -> ForgottenOperation | None:
    """What is known of an id; None: it is not used, as far as is known."""
    query = "SELECT status, ended_s FROM forgotten_operations WHERE id = ?"
    row = connection.execute(query, (operation_id,)).fetchone()
    return None if row is None else ForgottenOperation(operation_id, *row)


def forget(connection: sqlite.Connection, before_s: float) -> None:
    """Forget the ids of operations that ended before `before_s`, wall clock."""
    # From the oldest on, up to the first that is not too old: not all are read. They are in the order of their removal.
    connection.execute(_FORGET, (before_s,))
