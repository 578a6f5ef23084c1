"""What modules complain about by `logging`, printed the way of everything else.

Written to standard error, as it would be otherwise, it would hold up the event loop once nobody reads that any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio


class _Complaints(logging.Handler):
    """Gives each record out as one text. Called in any thread."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._tell(self.format(record))
        except Exception:
            self.handleError(record)


async def tell_complaints(tell: Callable[[str], None]) -> None:
    """Have `tell` called with every warning and error, in whichever thread it comes up, until cancelled."""
    complaints = _Complaints(tell)
    logging.getLogger().addHandler(complaints)
    try:
        await anyio.sleep_forever()
    finally:
        logging.getLogger().removeHandler(complaints)
