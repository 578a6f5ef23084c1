"""The supervisor's side of the worker: starts it on demand, carries calls to it, and ends it when it is idle.

A worker that dies is started again by the next call; calls that were under way are unavailable. One of another version
than ours is refused: the program's files were replaced. Nothing here reads a message.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

import anyio

from supervisor import __version__
from supervisor.host.proc import worker_threads
from supervisor.host.work_place import WorkPlace
from supervisor.workspace.ops_error import OpsError
from supervisor.workspace.worker_process import WorkerProcess, settings
from supervisor.workspace.worker_protocol import HEAD, PIECE_BYTES, SIZE, VERSION, FrameKind, frame

IDLE_S = 60.0
START_S = 30.0
"""How long a worker may take to say that it is ready: it imports first."""
_FLUSH_S = 1.0
_LOST = "the process that works on files, git and changes has ended meanwhile: ask again"
_NOT_BEGUN = (
    "the process that works on files, git and changes did not begin; if the program's files were replaced or removed, "
    "run `supervisor upgrade`"
)
_ENDS = "the supervisor stops"
Room = Callable[[], AbstractAsyncContextManager[object]]
_log = logging.getLogger(__name__)


class WorkerCall:
    """One call at the worker. Its methods raise OpsError."""

    def __init__(self, link: Link, number: int, room: Room, held: AsyncExitStack) -> None:
        """`room`: for a large answer, taken when the worker asks for it; `held`: gives it back."""
        self._link = link
        self._number = number
        self._room = room
        self._held = held
        self._came: asyncio.Queue[tuple[FrameKind, bytes]] = asyncio.Queue()
        """What the worker has said. It is asked for each piece, so there are at most two frames."""

    async def send(self, piece: bytes) -> None:
        """Send a piece of the request."""
        view = memoryview(piece)
        for start in range(0, len(view), PIECE_BYTES):
            await self._link.send(FrameKind.PIECE, self._number, view[start : start + PIECE_BYTES])

    async def finish(self) -> None:
        """The request is whole."""
        await self._link.send(FrameKind.END, self._number)

    async def answer(self) -> tuple[int, bytes]:
        """How many bytes the answer has, and the first of them."""
        kind, data = await self._next(FrameKind.ANSWER, FrameKind.ROOM)
        if kind is FrameKind.ROOM:
            await self._held.enter_async_context(self._room())
            await self._link.send(FrameKind.ROOM, self._number)
            _, data = await self._next(FrameKind.ANSWER)
        return SIZE.unpack_from(data)[0], data[SIZE.size :]

    async def more(self) -> bytes:
        """The next piece of the answer."""
        await self._link.send(FrameKind.MORE, self._number)
        return (await self._next(FrameKind.PIECE))[1]

    async def begun(self) -> bytes | None:
        """Wait until a stream's subscription stands. Returns a first message that came in place of that."""
        await self._link.send(FrameKind.MORE, self._number)
        kind, data = await self._next(FrameKind.BEGUN, FrameKind.PIECE, FrameKind.DONE)
        if kind is FrameKind.DONE:
            self._came.put_nowait((kind, data))
        return data if kind is FrameKind.PIECE else None

    async def messages(self, first: bytes | None) -> AsyncIterator[bytes]:
        """The messages of a stream, of which one is asked for. `first`: what `begun` gave."""
        if first is not None:
            yield first
            await self._link.send(FrameKind.MORE, self._number)
        while True:
            kind, data = await self._next(FrameKind.PIECE, FrameKind.DONE)
            if kind is FrameKind.DONE:
                return
            yield data
            await self._link.send(FrameKind.MORE, self._number)

    def take(self, kind: FrameKind, data: bytes) -> None:
        """The worker has said this."""
        self._came.put_nowait((kind, data))

    async def _next(self, *expected: FrameKind) -> tuple[FrameKind, bytes]:
        kind, data = await self._came.get()
        if kind is FrameKind.FAILED:
            said = json.loads(data)
            if said["details"]:
                _log.error("a call of the workspace failed:\n%s", said["details"])
                raise OpsError("internal", "an error inside the supervisor; its log has it")
            raise OpsError(said["code"], said["message"])
        assert kind in expected, (kind, expected)
        return kind, data


class Link:
    """The connection to a worker that is ready."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._calls: dict[int, WorkerCall] = {}
        self._last = 0
        self._idle_since_s = asyncio.get_running_loop().time()
        self._why_ended = ""

    @property
    def idle_since_s(self) -> float:
        """When the last call was over, on the loop's clock; infinite while there is one."""
        return math.inf if self._calls else self._idle_since_s

    def open_call(self, method: str, form: str, room: Room, held: AsyncExitStack) -> tuple[int, WorkerCall]:
        """Begin a call."""
        self._last += 1
        call = self._calls[self._last] = WorkerCall(self, self._last, room, held)
        self._write(FrameKind.CALL, self._last, json.dumps({"method": method, "form": form}).encode())
        return self._last, call

    def close_call(self, number: int) -> None:
        """Nobody waits for a call any more; it may be over."""
        del self._calls[number]
        self._idle_since_s = asyncio.get_running_loop().time()
        self._write(FrameKind.CANCEL, number)

    async def send(self, kind: FrameKind, number: int, data: bytes | memoryview = b"") -> None:
        """Send a frame, and wait while the worker does not keep up. Raises OpsError."""
        if self._why_ended:
            raise OpsError("unavailable", self._why_ended)
        self._write(kind, number, data)
        try:
            await self._writer.drain()
        except ConnectionError:
            raise OpsError("unavailable", _LOST) from None

    async def run(self) -> None:
        """Pass on what the worker says, until it is gone."""
        while True:
            kind, number, data = await read_frame(self._reader)
            call = self._calls.get(number)
            if call is not None:
                call.take(kind, data)

    def end(self, why: str) -> None:
        """Fail all calls with this, those that come later too."""
        self._why_ended = why
        data = json.dumps({"code": "unavailable", "message": why, "details": ""}).encode()
        for call in self._calls.values():
            call.take(FrameKind.FAILED, data)

    def _write(self, kind: FrameKind, number: int, data: bytes | memoryview = b"") -> None:
        if not self._why_ended:
            self._writer.writelines((HEAD.pack(kind, number, len(data)), data))


class WorkerClient:
    """Has a worker while there are calls. `run` must run."""

    def __init__(self, place: WorkPlace, room: Room, idle_s: float = IDLE_S) -> None:
        """`room`: is entered for as long as a large answer is built and sent."""
        self._place = place
        self._room = room
        self._idle_s = idle_s
        self._wanted = asyncio.Event()
        self._link: asyncio.Future[Link] | None = None
        """The worker that is there or on its way."""
        self._ends = False

    @asynccontextmanager
    async def call(self, method: str, form: str) -> AsyncIterator[WorkerCall]:
        """A call of a method, in `proto` or `json`. Who leaves before its end cancels it. Raises OpsError."""
        if self._ends:
            raise OpsError("unavailable", _ENDS)
        if self._link is None:
            self._link = asyncio.get_running_loop().create_future()
            self._wanted.set()
        link = await asyncio.shield(self._link)
        async with AsyncExitStack() as held:
            number, call = link.open_call(method, form, self._room, held)
            try:
                yield call
            finally:
                link.close_call(number)

    async def run(self) -> None:
        """Start workers and see to their ends, until cancelled."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                assert self._link is not None
                await self._one_worker(self._link)
        finally:
            self._ends = True
            if self._link is not None and not self._link.done():
                self._refuse(self._link, OpsError("unavailable", _ENDS))

    async def _one_worker(self, link: asyncio.Future[Link]) -> None:
        try:
            process = await worker_threads.run(WorkerProcess, self._place)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            text = f"cannot start the process that works on files, git and changes: {why}"
            self._refuse(link, OpsError("unavailable", text))
            return
        try:
            await self._serve(process.socket, link)
        finally:
            process.socket.close()
            with anyio.CancelScope(shield=True):
                await worker_threads.run(process.end)

    async def _serve(self, sock: socket.socket, link: asyncio.Future[Link]) -> None:
        reader, writer = await asyncio.open_connection(sock=sock, limit=PIECE_BYTES)
        try:
            async with asyncio.timeout(START_S):
                await self._greet(reader, writer)
        except OpsError as error:
            self._refuse(link, error)
        except (EOFError, OSError, TimeoutError):
            self._refuse(link, OpsError("unavailable", _NOT_BEGUN))
        else:
            await self._relay(Link(reader, writer), link)
        finally:
            # A write that has come whole is to reach the worker, which carries it out.
            writer.close()
            with anyio.move_on_after(_FLUSH_S, shield=True) as flushing, suppress(OSError):
                await writer.wait_closed()
            if flushing.cancelled_caught:
                writer.transport.abort()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See that it is of our version, and tell it what to work on. Raises OpsError."""
        _, _, data = await read_frame(reader)
        hello = json.loads(data)
        if (hello["version"], hello["language"]) != (__version__, VERSION):
            why = (
                f"the program on the disk is version {hello['version']}, this supervisor is {__version__}, and they do "
                "not fit together: run `supervisor upgrade`"
            )
            raise OpsError("unavailable", f"cannot work on files, git and changes: {why}")
        writer.write(frame(FrameKind.SETTINGS, 0, settings(self._place)))
        kind, _, data = await read_frame(reader)
        if kind is not FrameKind.READY:
            raise OpsError("unavailable", json.loads(data)["message"])

    async def _relay(self, link: Link, promised: asyncio.Future[Link]) -> None:
        promised.set_result(link)
        why = _ENDS
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._await_idleness, link, promised, tasks.cancel_scope)
                try:
                    await link.run()
                except (EOFError, OSError):
                    why = _LOST
                tasks.cancel_scope.cancel()
        finally:
            self._forget(promised)
            link.end(why)

    async def _await_idleness(
        self, link: Link, promised: asyncio.Future[Link], scope: anyio.CancelScope
    ) -> None:
        rest_s = self._idle_s
        while rest_s > 0:
            await anyio.sleep(rest_s)
            rest_s = link.idle_since_s + self._idle_s - asyncio.get_running_loop().time()
            rest_s = min(rest_s, self._idle_s)
        self._forget(promised)
        scope.cancel()

    def _forget(self, promised: asyncio.Future[Link]) -> None:
        """Who calls from now on gets another worker."""
        if self._link is promised:
            self._link = None

    def _refuse(self, link: asyncio.Future[Link], error: OpsError) -> None:
        self._forget(link)
        link.set_exception(error)
        link.exception()  # there may be nobody left who waits


async def read_frame(reader: asyncio.StreamReader) -> tuple[FrameKind, int, bytes]:
    """The next frame. Raises EOFError, OSError."""
    kind, number, length = HEAD.unpack(await reader.readexactly(HEAD.size))
    return FrameKind(kind), number, await reader.readexactly(length) if length else b""
