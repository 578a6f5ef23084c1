"""A descriptor that is received from while it is readable, and the threads of the event loop."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator

import anyio
import pytest

from supervisor.host.proc.event_loop import WorkerEventLoop, while_readable
from supervisor.host.proc.worker_threads import Workers


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.anyio
async def test_descriptor_is_received_from_until_the_call_says_no(pipe: tuple[int, int]) -> None:
    read, write = pipe
    received: list[bytes] = []

    def receive() -> bool:
        received.append(os.read(read, 1))
        return received[-1] != b"c"

    os.write(write, b"abcd")
    with anyio.fail_after(5):
        await while_readable(read, receive)
    assert received == [b"a", b"b", b"c"]


@pytest.mark.anyio
async def test_exception_of_the_call_reaches_the_task_that_waits(pipe: tuple[int, int]) -> None:
    def receive() -> bool:
        raise ZeroDivisionError

    os.write(pipe[1], b"a")
    with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
        await while_readable(pipe[0], receive)


@pytest.mark.anyio
async def test_cancelled_wait_receives_nothing_more(pipe: tuple[int, int]) -> None:
    received: list[bytes] = []

    def receive() -> bool:
        received.append(os.read(pipe[0], 1))
        return True

    with anyio.move_on_after(0.01):
        await while_readable(pipe[0], receive)
    os.write(pipe[1], b"a")
    await anyio.sleep(0.02)
    assert received == []


class Ignored:
    def on_problem(self, kind: str, reason: str) -> None: ...


def test_names_are_looked_up_by_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def look_up() -> object:
        with Workers(Ignored(), fixed=1), monkeypatch.context() as machine:
            machine.setattr(threading.Thread, "start", refuse)
            found = await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
            return found[0][4]

    address = anyio.run(look_up, backend_options={"loop_factory": WorkerEventLoop})
    assert address == ("127.0.0.1", 80)
