"""Warnings of `logging` are printed where everything else is."""

import logging
import sys
import threading

import anyio
import pytest

from supervisor.cli.terminal.log_handler import print_warnings
from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.printer import Printer


def test_warnings_of_any_thread_are_printed_and_nothing_goes_to_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    outlet = Outlet(sys.stdout)

    async def complain() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(print_warnings, Printer(outlet))
            await anyio.wait_all_tasks_blocked()
            log = logging.getLogger("supervisor.anything")
            log.warning("the disk is %s", "full")
            log.info("nobody wants to know")
            thread = threading.Thread(target=log.error, args=("of a thread",))
            thread.start()
            thread.join()
            tasks.cancel_scope.cancel()

    anyio.run(complain)
    outlet.close()
    printed = capfd.readouterr()

    assert [line.split("  ")[1] for line in printed.out.splitlines()] == ["the disk is full", "of a thread"]
    assert printed.err == ""
