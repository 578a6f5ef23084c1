"""Threads for calls that would block the event loop.

A machine may have no thread to give when one is needed: the commands have used up what a control group or a user may
have. So a few start with the loop, and stay. More start while all of these are busy, as long as the machine gives any,
and end when they have been idle for a while. A call that finds no thread waits for one. A shortage is reported when it
begins and when it is over.

Calls that a package sends to the loop's own threads, a lookup of a name for example, come here too: see `event_loop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from supervisor.model.errors import ProblemSink

FIXED = 4
"""One always waits for events of the automations file. The others are for what must go on in any case: above all, for
finding out which processes of a run live. An idle one takes 30 kB."""
MOST = 32
IDLE_S = 10.0
RETRY_S = 1.0
"""How often to try whether there are threads again."""
_JOIN_S = 0.5

T = TypeVar("T")
_Job = tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]
_current: Workers | None = None


async def run(call: Callable[..., T], *arguments: Any, abandon_on_cancel: bool = False) -> T:
    """Call in a thread; returns or raises what `call` does. The parameters are those of `anyio.to_thread.run_sync`."""
    workers = of_running_loop()
    if workers is None:  # a program that is no supervisor
        return await anyio.to_thread.run_sync(call, *arguments, abandon_on_cancel=abandon_on_cancel)
    await anyio.lowlevel.checkpoint_if_cancelled()
    scope = anyio.CancelScope(shield=not abandon_on_cancel)
    with scope:
        return await workers.submit(call, *arguments)
    raise AssertionError(scope)  # nobody cancels it


def report_shortage(why: str) -> None:
    """Report that a thread of another kind could not start. The workers find out when the shortage is over."""
    if _current is not None:
        _current.note_shortage(why)


class Workers:
    """The threads of a running loop, between `__enter__` and `__exit__`. Use it in the loop's own thread."""

    def __init__(self, problems: ProblemSink, fixed: int = FIXED, most: int = MOST) -> None:
        """`fixed`: how many stay; `most`: how many there are while there is work for them."""
        self._problems = problems
        self._fixed = fixed
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._unfinished = 0
        self._threads: set[threading.Thread] = set()
        self._leaving = 0
        """How many of them are to end."""
        self._short = False
        self._retry: asyncio.TimerHandle | None = None
        self._shrink: asyncio.TimerHandle | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the results come to."""
        return self._loop

    def __enter__(self) -> Self:
        global _current
        _current = self
        self._provide()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _current
        _current = None
        for timer in (self._retry, self._shrink):
            if timer is not None:
                timer.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        # Do not wait for one that is stuck on a dead filesystem.
        give_up_at = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))

    def submit(self, call: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Call in a thread, now or once one is free."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._unfinished += 1
        self._jobs.put((contextvars.copy_context(), call, arguments, future))
        self._provide()
        return future

    def note_shortage(self, why: str) -> None:
        """Report that the machine gives no threads at the moment."""
        self._short = True
        self._problems.on_problem("threads", why)
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY_S, self._try_again)

    def _provide(self) -> None:
        """Start as many threads as there is work for."""
        while len(self._threads) - self._leaving < max(self._fixed, min(self._unfinished, self._most)):
            thread = threading.Thread(target=self._work, name="worker", daemon=True)
            if not self._started(thread):
                return
            self._threads.add(thread)

    def _started(self, thread: threading.Thread) -> bool:
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self.note_shortage(str(error) or "out of memory")
            return False
        return True

    def _try_again(self) -> None:
        self._retry = None
        self._provide()
        if self._retry is None:  # there are as many as needed; does the machine give more?
            self._probe()

    def _probe(self) -> None:
        if self._short and self._started(threading.Thread(target=int, daemon=True)):
            self._short = False
            self._problems.on_problem("threads", "")

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            context, call, arguments, future = job
            result, error = None, None
            try:
                if not future.cancelled():
                    result = context.run(call, *arguments)
            except BaseException as raised:
                error = raised
            try:
                self._loop.call_soon_threadsafe(self._finish, future, result, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more
            # Do not keep them until the next job.
            del job, context, call, arguments, future, result, error
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._left, threading.current_thread())

    def _left(self, thread: threading.Thread) -> None:
        self._threads.discard(thread)
        self._leaving -= 1

    def _finish(self, future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
        self._unfinished -= 1
        if not future.done():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        if len(self._threads) > self._fixed and self._shrink is None:
            self._shrink = self._loop.call_later(IDLE_S, self._let_go)

    def _let_go(self) -> None:
        """End threads that there is no work for: an idle one takes the `None` first."""
        self._shrink = None
        for _ in range(len(self._threads) - self._leaving - max(self._fixed, self._unfinished)):
            self._leaving += 1
            self._jobs.put(None)


def of_running_loop() -> Workers | None:
    """The workers of the loop that runs; None: it has none."""
    return _current if _current is not None and _current.loop is asyncio.get_running_loop() else None
