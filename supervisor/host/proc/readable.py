"""Hearing a descriptor for as long as it has something to say.

anyio waits for a descriptor once, in a task: two turns of the loop and three system calls for each message, where what
follows from a command's end waits for that. Here the loop calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def while_readable(fd: int, hear: Callable[[], bool]) -> None:
    """Call `hear` whenever `fd` can be read, until it returns False. Raises what it raises."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        if over.done():
            return
        try:
            if not hear():
                over.set_result(None)
        except Exception as error:
            over.set_exception(error)

    loop.add_reader(fd, readable)
    try:
        await over
    finally:
        loop.remove_reader(fd)
