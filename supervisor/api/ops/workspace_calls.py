"""Files, git and changes of the workspace: calls are carried to the worker, which is the user (`supervisor.workspace`).

Nothing here reads a message, but the last git status when somebody asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import anyio

from connect_server import strict_json
from connect_server.relayed import CarriedCall, CarriedMethod
from platform_wire.environment_pb2 import EnvironmentGitStatus
from platform_wire.environmentopts_handler import EnvironmentOpsServiceHandler
from platform_wire.environmentopts_pb2 import GetGitStatusResponse
from supervisor.api.ops.large_answers import LargeAnswers
from supervisor.api.ops.refusals import in_connects_words
from supervisor.host.proc import heap, worker_threads
from supervisor.host.work_place import WorkPlace
from supervisor.workspace.methods import METHODS, REQUEST_BYTES, RelayedMethod
from supervisor.workspace.worker_client import WorkerCall, WorkerClient
from supervisor.workspace.worker_protocol import LARGE_BYTES

MOST_LARGE_REQUESTS = 2
"""How many requests of more than 4 MiB are taken at one time: they lie in the worker's memory until they are whole."""
CROWD = 50
"""So many calls at one time may leave megabytes free in the heap."""
_AFTER_A_CROWD_S = 0.5
_GIT_STATUS = "GetGitStatus"


class WorkspaceCalls(EnvironmentOpsServiceHandler):
    """Carries the methods of `supervisor.workspace.methods` to the worker. `run` must run."""

    def __init__(
        self, place: WorkPlace, large_answers: LargeAnswers, revision: Callable[[], int] = lambda: 0
    ) -> None:
        """`revision`: of the records. A command that has ended, of which a client knows, may have changed files."""
        self._worker = WorkerClient(place, lambda: large_answers.turn(LARGE_BYTES + 1))
        self._large = asyncio.Semaphore(MOST_LARGE_REQUESTS)
        self._under_way: dict[_Question, _Shared] = {}
        self._revision = revision
        self._writes = 0
        self._git_status = "", b""
        self._open = 0
        self._most_open = 0
        """Since there was none."""
        self._crowd_left = asyncio.Event()

    async def run(self) -> None:
        """Have a worker while there are calls, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._worker.run)
            while True:
                await self._crowd_left.wait()
                await anyio.sleep(_AFTER_A_CROWD_S)
                self._crowd_left.clear()
                await worker_threads.run(heap.give_back)

    def last_git_status(self) -> EnvironmentGitStatus | None:
        """What GetGitStatus answered last; None: nothing yet."""
        form, data = self._git_status
        if not form:
            return None
        if form == "json":
            return strict_json.decode(data, GetGitStatusResponse).status
        return GetGitStatusResponse.FromString(data).status

    def carried(self, method: str, form: str) -> CarriedMethod | None:
        """See `connect_server.relayed.Carrier`."""
        known = METHODS.get(method)
        if known is None:
            return None
        limit = known.limit_json_bytes if form == "json" else known.limit_bytes
        begin = self._begin_shared if known.shared else self._begin
        return CarriedMethod(partial(begin, method, known), limit, known.streams)

    @asynccontextmanager
    async def _begin(self, method: str, known: RelayedMethod, form: str) -> AsyncIterator[CarriedCall]:
        with in_connects_words(), self._counted():
            async with self._worker.call(method, form) as call:
                carried = _WorkerCarriedCall(call, self._large)
                try:
                    yield carried
                finally:
                    carried.close()
                    if known.carried_out:
                        self._writes += 1

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Have the memory of a crowd returned soon after it is gone: what is free lies between what is not."""
        self._open += 1
        self._most_open = max(self._most_open, self._open)
        try:
            yield
        finally:
            self._open -= 1
            if not self._open and self._most_open >= CROWD:
                self._most_open = 0
                self._crowd_left.set()

    @asynccontextmanager
    async def _begin_shared(self, method: str, known: RelayedMethod, form: str) -> AsyncIterator[CarriedCall]:
        async with AsyncExitStack() as alone:
            yield _SharedCall(
                lambda request: self._ask(_Question(method, form, request, (self._writes, self._revision()))),
                lambda: alone.enter_async_context(self._begin(method, known, form)),
            )

    async def _ask(self, question: _Question) -> bytes | None:
        """The answer to what others may be asking, too; None: it is so large that each has to ask alone."""
        shared = self._under_way.get(question)
        if shared is None:
            shared = self._under_way[question] = _Shared(asyncio.create_task(self._answer(question)))
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.answer)
        finally:
            shared.waiting -= 1
            if shared.answer.done() or not shared.waiting:
                if self._under_way.get(question) is shared:
                    del self._under_way[question]
                shared.answer.cancel()

    async def _answer(self, question: _Question) -> bytes | None:
        async with self._begin(question.method, METHODS[question.method], question.form) as call:
            await call.send(question.request)
            await call.finish()
            size, data = await call.answer()
            if size > LARGE_BYTES:
                return None
            pieces = [data]
            while (size := size - len(pieces[-1])) > 0:
                pieces.append(await call.more())
        answer = b"".join(pieces)
        if question.method == _GIT_STATUS:
            self._git_status = question.form, answer
        return answer


@dataclass(frozen=True, slots=True)
class _Question:
    """Calls with equal questions have one answer, if they are under way at one time."""

    method: str
    form: str
    request: bytes
    changes: tuple[int, int]
    """What may have changed files before it was asked: a client that knows of that must see it in the answer."""


@dataclass(slots=True)
class _Shared:
    answer: asyncio.Task[bytes | None]
    waiting: int = 0


class _WorkerCarriedCall:
    """A call of the worker's, with its errors in Connect's words; of large requests a few are taken at one time."""

    def __init__(self, call: WorkerCall, large: asyncio.Semaphore) -> None:
        self._call = call
        self._large = large
        self._sent_bytes = 0
        self._is_large = False

    async def send(self, piece: bytes) -> None:
        self._sent_bytes += len(piece)
        if self._sent_bytes > REQUEST_BYTES and not self._is_large:
            await self._large.acquire()
            self._is_large = True
        with in_connects_words():
            await self._call.send(piece)

    async def finish(self) -> None:
        with in_connects_words():
            await self._call.finish()

    async def answer(self) -> tuple[int, bytes]:
        with in_connects_words():
            return await self._call.answer()

    async def more(self) -> bytes:
        with in_connects_words():
            return await self._call.more()

    async def begun(self) -> bytes | None:
        with in_connects_words():
            return await self._call.begun()

    async def messages(self, first: bytes | None) -> AsyncIterator[bytes]:
        with in_connects_words():
            async for message in self._call.messages(first):
                yield message

    def close(self) -> None:
        if self._is_large:
            self._large.release()


class _SharedCall:
    """A call that may get the answer of an equal one."""

    def __init__(
        self,
        ask: Callable[[bytes], Awaitable[bytes | None]],
        begin_alone: Callable[[], Awaitable[CarriedCall]],
    ) -> None:
        self._ask = ask
        self._begin_alone = begin_alone
        self._alone: CarriedCall | None = None
        self._request: list[bytes] = []

    async def send(self, piece: bytes) -> None:
        self._request.append(piece)

    async def finish(self) -> None:
        pass

    async def answer(self) -> tuple[int, bytes]:
        request = b"".join(self._request)
        found = await self._ask(request)
        if found is not None:
            return len(found), found
        self._alone = await self._begin_alone()
        await self._alone.send(request)
        await self._alone.finish()
        return await self._alone.answer()

    async def more(self) -> bytes:
        assert self._alone is not None
        return await self._alone.more()

    async def begun(self) -> bytes | None:
        raise NotImplementedError

    def messages(self, first: bytes | None) -> AsyncIterator[bytes]:
        raise NotImplementedError
