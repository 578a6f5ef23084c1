"""The worker as the supervisor has it: real processes, a git that sleeps where a call must be under way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from supervisor.workspace import worker_client
from supervisor.workspace.ops_error import OpsError
from supervisor.workspace.worker_protocol import LARGE_BYTES
from tests.connect_server.serving import eventually
from tests.workspace.worker_bench import WorkerBench, children, command_line, with_slow_git, working

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def slow_call(bench: WorkerBench) -> asyncio.Task[object]:
    """A call that is under way: its git runs."""
    call = asyncio.create_task(bench.call("GetGitStatus"))
    await eventually(sleepers)
    return call


def sleepers() -> list[str]:
    """The processes of `with_slow_git` that live."""
    marker = os.environ["SUPERVISOR_TEST_SESSION"].encode()
    return [
        name
        for name in os.listdir("/proc")
        if name.isdigit() and b"sleep\x00600" in command_line(int(name)) and marker in _environ(name)
    ]


def _environ(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


async def test_it_has_nothing_of_ours_but_its_socket_and_gets_what_commands_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_SECRET", "x")
    environ = {"PATH": os.environ["PATH"], "SUPERVISOR_TEST_SESSION": os.environ["SUPERVISOR_TEST_SESSION"]}
    readable, writable = os.pipe()
    os.set_inheritable(writable, True)
    async with working(tmp_path, environ) as bench:
        await bench.call("ReadFile", path=".")
        (pid,) = await bench.workers()

        assert {item.partition(b"=")[0] for item in _environ(str(pid)).split(b"\0")} == {
            *(name.encode() for name in environ),
            b"PWD",  # the workspace, as for commands
            b"",
        }
        held = {os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")}
        assert held == {"/dev/null", "socket"}
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
    os.close(readable)
    os.close(writable)


async def test_it_ends_when_it_is_idle_and_the_next_call_has_another(tmp_path: Path) -> None:
    async with working(tmp_path, idle_s=0.05) as bench:
        await bench.call("ReadFile", path=".")
        (first,) = await bench.workers()
        await eventually(lambda: first not in children(os.getpid()))

        await bench.call("ReadFile", path=".")

        assert await bench.workers() != [first]


async def test_calls_under_way_are_unavailable_when_it_dies_and_its_programs_die_too(tmp_path: Path) -> None:
    async with working(tmp_path, {**os.environ, **with_slow_git(tmp_path, os.environ["PATH"])}) as bench:
        call = await slow_call(bench)
        (pid,) = await bench.workers()
        os.kill(pid, signal.SIGKILL)

        with pytest.raises(OpsError, match="ask again") as refused:
            await call

        assert refused.value.code == "unavailable"
        await eventually(lambda: not sleepers())
        assert (await bench.call("ReadFile", path=".")).HasField("directory")


async def test_who_leaves_ends_the_programs_of_the_call_within_a_second(tmp_path: Path) -> None:
    async with working(tmp_path, {**os.environ, **with_slow_git(tmp_path, os.environ["PATH"])}) as bench:
        call = await slow_call(bench)

        call.cancel()
        left_s = asyncio.get_running_loop().time()
        await eventually(lambda: not sleepers())

        assert asyncio.get_running_loop().time() - left_s < 2  # one second, and what a busy machine takes
        assert len(await bench.workers()) == 1


async def test_nothing_is_left_when_the_supervisor_stops_in_the_middle(tmp_path: Path) -> None:
    async with working(tmp_path, {**os.environ, **with_slow_git(tmp_path, os.environ["PATH"])}) as bench:
        call = await slow_call(bench)

    with pytest.raises(OpsError, match="stops") as refused:
        await call
    assert refused.value.code == "unavailable"
    assert not sleepers()
    assert not await bench.workers()


async def test_one_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_client, "__version__", "0.0.1")
    async with working(tmp_path) as bench:
        with pytest.raises(OpsError, match="run `supervisor upgrade`") as refused:
            await bench.call("ReadFile", path=".")
    assert refused.value.code == "unavailable"


@pytest.mark.parametrize("program", ["/no/such/python", "/bin/false"])
async def test_one_that_cannot_be_started_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    async with working(tmp_path) as bench:
        with pytest.raises(OpsError, match=r"cannot start|run `supervisor upgrade`") as refused:
            await bench.call("ReadFile", path=".")
        assert refused.value.code == "unavailable"
        monkeypatch.undo()

        assert (await bench.call("ReadFile", path=".")).HasField("directory")


async def test_a_write_whose_request_is_whole_is_carried_out_for_nobody(tmp_path: Path) -> None:
    async with working(tmp_path) as bench:
        from platform_wire import environmentopts_pb2 as pb

        await bench.call("ReadFile", path=".")
        for name in ("left", "stopped"):
            async with bench.client.call("WriteFile", "proto") as call:
                request = pb.WriteFileRequest(path=name, content=os.urandom(9 << 20))
                await call.send(request.SerializeToString())
                await call.finish()
        async with bench.client.call("WriteFile", "proto") as call:
            await call.send(pb.WriteFileRequest(path="half", content=b"x" * 100).SerializeToString()[:50])

    assert (tmp_path / "left").stat().st_size == (tmp_path / "stopped").stat().st_size == 9 << 20
    assert not (tmp_path / "half").exists()


async def test_an_error_of_ours_is_told_to_nobody_but_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(tmp_path) as bench, bench.client.call("NoSuchMethod", "proto") as call:
        await call.finish()
        with pytest.raises(OpsError, match="its log has it") as refused:
            await call.answer()
    assert refused.value.code == "internal"
    assert "KeyError: 'NoSuchMethod'" in caplog.text


async def test_large_answers_are_built_and_sent_one_at_a_time(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"f{number}").write_bytes(bytes([number]) * (LARGE_BYTES + 1))
    (tmp_path / "small").write_text("small")
    turns, most = asyncio.Semaphore(1), [0, 0]

    @asynccontextmanager
    async def room() -> AsyncIterator[None]:
        async with turns:
            most[0] += 1
            most[1] = max(most)
            yield
            most[0] -= 1

    async with working(tmp_path, room=room) as bench:
        calls = [asyncio.create_task(bench.call("ReadFile", path=f"f{number}")) for number in range(4)]
        async with turns:  # they wait, and others do not
            assert (await bench.call("ReadFile", path="small")).content.data == b"small"
        answers = await asyncio.gather(*calls)

    assert [set(answer.content.data) for answer in answers] == [{0}, {1}, {2}, {3}]
    assert most == [0, 1]


async def test_who_leaves_while_it_waits_for_room_takes_none(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(LARGE_BYTES + 1))
    turns = asyncio.Semaphore(1)

    async with working(tmp_path, room=lambda: turns) as bench:
        async with turns:
            leaving, staying = [asyncio.create_task(bench.call("ReadFile", path="f")) for _ in range(2)]
            await bench.call("ReadFile", path=".")
            leaving.cancel()
            await asyncio.wait([leaving])
        assert len((await staying).content.data) == LARGE_BYTES + 1
        assert not turns.locked()
