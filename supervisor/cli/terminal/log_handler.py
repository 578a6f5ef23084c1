"""Prints the warnings of Python's `logging` in the same way as everything else.

The default handler writes to standard error, and blocks the event loop once nobody reads that any more.
"""

from __future__ import annotations

import logging

import anyio

from supervisor.cli.terminal.printer import Printer


async def print_warnings(printer: Printer) -> None:
    """Print every logged warning and error, from any thread, until cancelled."""
    handler = _PrintHandler(printer)
    logging.getLogger().addHandler(handler)
    try:
        await anyio.sleep_forever()
    finally:
        logging.getLogger().removeHandler(handler)


class _PrintHandler(logging.Handler):
    """Prints each record as one text. Logging calls it in any thread."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(logging.WARNING)
        self._printer = printer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._printer.warning(self.format(record))
        except Exception:
            self.handleError(record)
