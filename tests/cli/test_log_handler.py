"""What modules log comes out where everything else does."""

import logging
import threading

import anyio
import pytest

from supervisor.cli.terminal.log_handler import tell_complaints


def test_warnings_of_any_thread_are_told_and_nothing_goes_to_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    told: list[str] = []

    async def complain() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tell_complaints, told.append)
            await anyio.wait_all_tasks_blocked()
            log = logging.getLogger("supervisor.anything")
            log.warning("the disk is %s", "full")
            log.info("nobody wants to know")
            thread = threading.Thread(target=log.error, args=("of a thread",))
            thread.start()
            thread.join()
            tasks.cancel_scope.cancel()

    anyio.run(complain)

    assert told == ["the disk is full", "of a thread"]
    assert capfd.readouterr().err == ""
