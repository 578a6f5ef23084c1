"""Has the results of operations forgotten when they are too old, and later their ids.

How many there may be, and how large, is the core's to say. How old depends on the wall clock, which nothing in the core
does: so what is too old is told by a command. A clock that was set wrong makes results older or younger than they are.
"""

from __future__ import annotations

import logging
from typing import Protocol

import anyio

from supervisor.core.operations import KEPT_S
from supervisor.engine import Engine
from supervisor.host.state.forgotten_operations import KEPT_IDS_S
from supervisor.model.errors import StoreError
from supervisor.model.operation_record import ForgetOperations, OperationEnded

LOOK_EVERY_S = 3600.0


class OperationIds(Protocol):
    """Keeps the ids of operations whose results are gone: the store."""

    def forget_operation_ids(self, before_s: float) -> None:
        """Forget those of operations that ended before `before_s`, wall clock. Raises StoreError."""


class ResultExpiry:
    """Looks now and then."""

    def __init__(self, engine: Engine, ids: OperationIds) -> None:
        """Begin with `run`."""
        self._engine = engine
        self._ids = ids

    async def run(self) -> None:
        """Look once an hour, until cancelled."""
        while True:
            self.look()
            await anyio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Have forgotten what is too old now."""
        now_s = self._engine.now().wall_s
        if self._oldest_s() < now_s - KEPT_S:
            self._engine.submit(ForgetOperations(now_s - KEPT_S))
        try:
            self._ids.forget_operation_ids(now_s - KEPT_IDS_S)
        except StoreError as error:
            logging.getLogger(__name__).warning("cannot forget old operation ids: %s; trying later", error)

    def _oldest_s(self) -> float:
        """When the first of the operations whose results are kept ended, by the wall clock of then."""
        records = self._engine.world.records
        states = (records.operations[run_id].state for run_id in records.results)
        return min(
            (state.ended_s for state in states if isinstance(state, OperationEnded)), default=float("inf")
        )
