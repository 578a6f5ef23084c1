"""Threads for what would hold up the event loop.

A machine may have no thread to give when one is needed: the commands have used up what a control group or a user may
have. So a few are made when the loop begins, and stay. More are made while all of these are at work, as long as there
are any to be had, and are let go when nothing has come for a while. A call that finds no thread waits for one; that the
machine is short of them is told when it begins and when it is over.

Whatever else asks for a thread of the event loop, a lookup of a name for example, gets one of these, too: see `Loop`.
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

FIXED = 4
"""One is always with the watch over the automations file; the others are for what must go on in any case: finding out
which processes of a run live, above all. An idle one takes 30 kB."""
MOST = 32
IDLE_S = 10.0
RETRY_S = 1.0
"""How often it is tried whether there are threads again."""
_JOIN_S = 0.5

T = TypeVar("T")
_Job = tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]
_current: Workers | None = None


async def run(call: Callable[..., T], *arguments: Any, abandon_on_cancel: bool = False) -> T:
    """What `call` returns, or raises, in a thread. The parameters are those of `anyio.to_thread.run_sync`."""
    workers = of_running_loop()
    if workers is None:  # a program that is no supervisor
        return await anyio.to_thread.run_sync(call, *arguments, abandon_on_cancel=abandon_on_cancel)
    await anyio.lowlevel.checkpoint_if_cancelled()
    scope = anyio.CancelScope(shield=not abandon_on_cancel)
    with scope:
        return await workers.submit(call, *arguments)
    raise AssertionError(scope)  # nobody cancels it


def missed(why: str) -> None:
    """Somebody else could not have a thread: have that told, and found out when it is over."""
    if _current is not None:
        _current.note_shortage(why)


class Workers:
    """The threads of a running loop, between `__enter__` and `__exit__`. All but the threads is used on the loop."""

    def __init__(self, met: Callable[[str], None], fixed: int = FIXED, most: int = MOST) -> None:
        """`met`: told why there are no more threads, and with an empty text once there are."""
        self._met = met
        self._fixed = fixed
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._unfinished = 0
        self._threads: set[threading.Thread] = set()
        self._leaving = 0
        """How many of them have been told to end."""
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
        # One that is stuck on a dead filesystem is not waited for.
        give_up_at = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))

    def submit(self, call: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Have a thread call it, now or once there is one."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._unfinished += 1
        self._jobs.put((contextvars.copy_context(), call, arguments, future))
        self._provide()
        return future

    def note_shortage(self, why: str) -> None:
        """There are no threads to be had at the moment."""
        self._short = True
        self._met(why)
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY_S, self._try_again)

    def _provide(self) -> None:
        """Have as many threads as there is work for, if they can be had."""
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
        if self._retry is None:  # there are those that are needed; are there others?
            self._probe()

    def _probe(self) -> None:
        if self._short and self._started(threading.Thread(target=int, daemon=True)):
            self._short = False
            self._met("")

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
            # Not kept until the next one.
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
        """End those that there is no work for: whoever is idle takes the word first."""
        self._shrink = None
        for _ in range(len(self._threads) - self._leaving - max(self._fixed, self._unfinished)):
            self._leaving += 1
            self._jobs.put(None)


def of_running_loop() -> Workers | None:
    """The workers of the loop that runs; None: it has none."""
    return _current if _current is not None and _current.loop is asyncio.get_running_loop() else None
