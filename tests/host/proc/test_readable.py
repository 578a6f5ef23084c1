"""Hearing a descriptor."""

import os
from collections.abc import Iterator

import anyio
import pytest

from supervisor.host.proc.readable import while_readable

pytestmark = pytest.mark.anyio


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


async def test_it_is_heard_until_it_is_of_no_use(pipe: tuple[int, int]) -> None:
    read, write = pipe
    heard: list[bytes] = []

    def hear() -> bool:
        heard.append(os.read(read, 1))
        return heard[-1] != b"c"

    os.write(write, b"abcd")
    with anyio.fail_after(5):
        await while_readable(read, hear)
    assert heard == [b"a", b"b", b"c"]


async def test_what_goes_wrong_in_hearing_reaches_who_waits(pipe: tuple[int, int]) -> None:
    def hear() -> bool:
        raise ZeroDivisionError

    os.write(pipe[1], b"a")
    with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
        await while_readable(pipe[0], hear)


async def test_nobody_hears_it_after_it_was_cancelled(pipe: tuple[int, int]) -> None:
    heard: list[bytes] = []

    def hear() -> bool:
        heard.append(os.read(pipe[0], 1))
        return True

    with anyio.move_on_after(0.01):
        await while_readable(pipe[0], hear)
    os.write(pipe[1], b"a")
    await anyio.sleep(0.02)
    assert heard == []
