"""Runs a call that may block for ever in a thread of its own, so that the caller can give it up.

`getaddrinfo` blocks as long as the resolver's configuration says, a stat on a dead network filesystem for ever. The
event loop waits for its worker threads when it ends, and so does the process. Nobody waits for these threads: they are
daemons, and a result that comes too late is dropped.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def bounded_call(call: Callable[[], T]) -> T:
    """What `call` returns or raises. Raises OSError if the machine has no thread left. A cancelled call goes on."""
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
            pass  # the loop is closed: nobody waits for the result

    try:
        threading.Thread(target=run, name="doctor", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
    return await future
