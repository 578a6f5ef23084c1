"""Calls that may block longer than anyone waits for them, each in a thread of its own.

`getaddrinfo` waits as long as the resolver's configuration says, a look at a dead network filesystem for ever. A worker
thread of the event loop would be waited for when the loop or the process ends. These are not: they are daemons, and
what they find out too late falls away.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(call: Callable[[], T]) -> T:
    """What `call` returns, or raises, and OSError where there is no thread to be had. Cancelled, it goes on in vain."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, raised = None, None
        try:
            result = call()
        except BaseException as error:
            raised = error
        try:
            loop.call_soon_threadsafe(finish, result, raised)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    try:
        threading.Thread(target=run, name="doctor", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
    return await future
