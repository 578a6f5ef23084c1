"""What the supervisor's event loop does otherwise than asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from supervisor.host.proc import worker_threads

T = TypeVar("T")


class WorkerEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose threads are the workers: a package that looks up a name, for example, gets one of them."""

    def run_in_executor(  # type: ignore[override]  # of tuples of types we say nothing
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """See asyncio's documentation."""
        workers = worker_threads.of_running_loop()
        if executor is not None or workers is None:
            return super().run_in_executor(executor, func, *args)
        return workers.submit(func, *args)


async def while_readable(fd: int, receive: Callable[[], bool]) -> None:
    """Call `receive` whenever `fd` can be read, until it returns False. Raises what it raises.

    anyio waits for a descriptor once, in a task: that is two turns of the loop and three system calls for each message,
    and the next command waits for them. Here the loop itself calls.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def on_readable() -> None:
        if over.done():
            return
        try:
            if not receive():
                over.set_result(None)
        except Exception as error:
            over.set_exception(error)

    loop.add_reader(fd, on_readable)
    try:
        await over
    finally:
        loop.remove_reader(fd)
