"""Exec and CancelExec with an engine whose machine the test plays: what callers get, and what is run how often."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from connect_server.calls import Call
from connect_server.codecs import BinaryCodec, JSONCodec
from connect_server.connect_errors import Code, ConnectError
from platform_wire.environmentopts_pb2 import CancelExecRequest, ExecRequest, ExecResponse
from supervisor.api.http.access_policy import PROGRAM
from supervisor.api.ops import exec_calls
from supervisor.api.ops.exec_calls import ExecCalls
from supervisor.api.ops.large_answers import LargeAnswers
from supervisor.api.ops.operation_runner import LONGEST_ID, OperationRequest, OperationRunner, plain
from supervisor.core.operations import MOST_RUNNING
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.runs.run_directory import RunDir
from supervisor.hub import Hub
from supervisor.model.action import Action, Kill, Note, Spawn, Terminate
from supervisor.model.command import Drain
from supervisor.model.errors import StoreError
from supervisor.model.exit import Exit, ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.fact import EnvironmentStarted, Exited
from supervisor.model.ids import EnvironmentId, OperationId, RunId
from supervisor.model.operation_record import ForgottenOperation
from supervisor.model.record import Record
from tests.clocks import HandClock
from tests.core.playbook import SEED

T = TypeVar("T")
DEADLINE_S = 20.0
BINARY, JSON = Call(BinaryCodec()), Call(JSONCodec())


class Bench:
    """The calls, and the machine below them."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self.runs.mkdir()
        self.spawned: list[Spawn] = []
        self.asked: list[Action] = []
        self.forgotten: dict[str, int | None] = {}
        self.store_error = ""
        self.engine = Engine(World(), self, Hub(), HandClock(1.0, 1_700_000_000.0))
        self.engine.performer = self
        self.engine.post(EnvironmentStarted(EnvironmentId(SEED)))
        self.engine.turn()
        self.stopping = asyncio.Event()
        runner = OperationRunner(self.engine, self, str(folder))
        self.calls = ExecCalls(runner, self.runs, LargeAnswers(), self.stopping)

    def perform(self, action: Action) -> None:
        if isinstance(action, Spawn):
            self.spawned.append(action)
            Path(RunDir(self.runs, action.run_id).path).mkdir()
        elif isinstance(action, Terminate | Kill | Note):
            self.asked.append(action)

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        if self.store_error:
            raise StoreError(self.store_error)

    def forgotten_operation(self, operation_id: OperationId) -> ForgottenOperation | None:
        if operation_id not in self.forgotten:
            return None
        return ForgottenOperation(operation_id, self.forgotten[operation_id], 1.0)

    def ended(self, end: Exit, out: bytes = b"", err: bytes = b"", lost: tuple[int, int] = (0, 0)) -> RunId:
        """The command that was spawned last has ended. Returns its run."""
        run = self.spawned[-1].run_id
        directory = RunDir(self.runs, run)
        Path(directory.stdout).write_bytes(out)
        Path(directory.stderr).write_bytes(err)
        self.engine.fold([Exited(run, end, written=(len(out), len(err)), lost=lost)])
        return run

    async def asked_for(self, command: str = "make", call: Call = BINARY, **fields: Any) -> ExecResponse:
        return await self.calls.exec(ExecRequest(command=command, **fields), call)

    async def begun(
        self, command: str = "make", call: Call = BINARY, **fields: Any
    ) -> asyncio.Task[ExecResponse]:
        """A caller that waits."""
        before = len(self.spawned)
        task = asyncio.create_task(self.asked_for(command, call, **fields))
        while len(self.spawned) == before:
            await asyncio.sleep(0)
            if task.done():
                break
        return task


def within(body: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test's body; it leaves no task behind."""

    async def run() -> T:
        async with asyncio.timeout(DEADLINE_S):
            result = await body()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

    return asyncio.run(run())


async def refusal(call: Coroutine[Any, Any, object]) -> tuple[Code, str]:
    """How a call is refused: the code and the message, as the server would give them."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any, as the server takes it
        await call
    error = PROGRAM.connect_error(caught.value)
    return error.code, error.message


def test_command_is_run_with_what_was_asked_for_and_answered(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun("make", operation_id="a", working_directory="sub", timeout_seconds=7)
        (spawn,) = bench.spawned
        assert (spawn.owner_id, spawn.script, spawn.working_directory) == ("a", "make", "sub")
        (record,) = bench.engine.world.records.operations.values()
        assert record.limit_s == 7.0
        bench.ended(ExitCode(3), b"out\xff\n", b"err")
        assert await task == ExecResponse(exit_code=3, stdout="out\ufffd\n", stderr="err")

    within(body)


def test_callers_of_one_id_share_one_run_and_later_ones_its_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        tasks = [await bench.begun(operation_id="a")]
        tasks += [asyncio.create_task(bench.asked_for(operation_id="a")) for _ in range(3)]
        await asyncio.sleep(0)
        bench.ended(ExitSignal(9), b"out")
        expected = ExecResponse(exit_code=137, stdout="out")
        assert await asyncio.gather(*tasks) == [expected] * 4
        assert caplog.records == []
        assert await bench.asked_for("other: secret", operation_id="a") == expected
        assert len(bench.spawned) == 1
        (said,) = caplog.messages
        assert "another command" in said
        assert "secret" not in said

    within(body)


def test_calls_without_an_id_are_runs_of_their_own(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        for code in (0, 1):
            task = await bench.begun("make")
            await bench.calls.cancel_exec(CancelExecRequest(), BINARY)
            bench.ended(ExitCode(code))
            assert (await task).exit_code == code
        assert len({spawn.owner_id for spawn in bench.spawned}) == 2
        assert bench.asked == []

    within(body)


def test_caller_that_leaves_or_has_no_time_leaves_the_command_alone(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert bench.asked == []
        assert bench.engine.hub.readers == 0
        bench.ended(ExitCode(0), b"done")
        assert (await bench.asked_for(operation_id="a")).stdout == "done"
        assert len(bench.spawned) == 1

    within(body)


def test_cancel_sends_a_signal_and_answers_at_once(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        await bench.calls.cancel_exec(CancelExecRequest(operation_id="a"), BINARY)
        assert [type(action) for action in bench.asked] == [Terminate]
        assert not task.done()
        bench.ended(ExitCode(0), b"", b"oh")
        answer = await task
        assert (answer.exit_code, answer.stderr) == (
            130,
            "oh\nsupervisor: ended because a client cancelled it\n",
        )
        for id_ in ("a", "unknown"):
            await bench.calls.cancel_exec(CancelExecRequest(operation_id=id_), BINARY)
        assert [type(action) for action in bench.asked] == [Terminate, Note]

    within(body)


@pytest.mark.parametrize(
    ("why", "code"),
    [
        (NotStarted("there is no folder", 2), Code.NOT_FOUND),
        (NotStarted("it is no folder", 20), Code.NOT_FOUND),
        (NotStarted("it may not be entered", 13), Code.PERMISSION_DENIED),
        (NotStarted("no space left on device", 28), Code.RESOURCE_EXHAUSTED),
        (NotStarted("too many processes", 11), Code.RESOURCE_EXHAUSTED),
        (NotStarted("too many open files", 24), Code.RESOURCE_EXHAUSTED),
        (NotStarted("the process that holds commands has ended", 3), Code.UNAVAILABLE),
        (NotStarted("sh is missing"), Code.FAILED_PRECONDITION),
    ],
)
def test_what_cannot_be_started_says_why_and_uses_up_nothing(
    tmp_path: Path, why: NotStarted, code: Code
) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        bench.ended(why)
        assert await refusal(task_of(task)) == (code, f"cannot run the command: {why.why}")
        task = await bench.begun(operation_id="a")
        bench.ended(ExitCode(0))
        assert (await task).exit_code == 0

    within(body)


def test_what_is_refused_within_the_call_is_no_result(tmp_path: Path) -> None:
    class Refusing(Bench):
        def perform(self, action: Action) -> None:
            if isinstance(action, Spawn):
                self.spawned.append(action)
                self.engine.fold([Exited(action.run_id, NotStarted("no space left on device", 28))])

    async def body() -> None:
        bench = Refusing(tmp_path)
        for runs in (1, 2):
            code, message = await refusal(bench.asked_for(operation_id="a"))
            assert code is Code.RESOURCE_EXHAUSTED
            assert message == "cannot run the command: no space left on device"
            assert len(bench.spawned) == runs

    within(body)


async def task_of(task: asyncio.Task[T]) -> T:
    return await task


def test_requests_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        for fields, said in (
            ({"timeout_seconds": -1}, "the limit must be 0 or more seconds"),
            ({"operation_id": "ü" * (LONGEST_ID + 1)}, "must have at most 256 characters"),
            ({"working_directory": "a\0"}, "the working directory must not hold a NUL"),
        ):
            code, message = await refusal(bench.asked_for(**fields))
            assert code is Code.INVALID_ARGUMENT
            assert said in message
        assert (await refusal(bench.asked_for("a\0b")))[0] is Code.INVALID_ARGUMENT
        assert bench.spawned == []

    within(body)


def test_halves_of_characters_are_refused_where_they_mean_nothing() -> None:
    as_bytes = os.fsdecode(b"\xff")
    OperationRequest(OperationId("a"), as_bytes, as_bytes).check()
    for request in (
        OperationRequest(OperationId(as_bytes), ""),
        OperationRequest(OperationId("a"), "\ud800"),
        OperationRequest(OperationId("a"), "", "\ud800"),
    ):
        with pytest.raises(ConnectError, match="half a surrogate pair"):
            request.check()


def test_so_many_run_and_no_more(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        tasks = [await bench.begun() for _ in range(MOST_RUNNING)]
        code, message = await refusal(bench.asked_for())
        assert code is Code.RESOURCE_EXHAUSTED
        assert "256 others run" in message
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    within(body)


def test_drain_refuses_new_ones_and_says_so_to_those_that_wait(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        bench.engine.submit(Drain(30.0))
        assert (await refusal(bench.asked_for(operation_id="b")))[0] is Code.UNAVAILABLE
        bench.ended(ExitSignal(15), b"out")
        code, message = await refusal(task_of(task))
        assert code is Code.UNAVAILABLE
        assert "gets the result later" in message
        answer = await bench.asked_for(operation_id="a")
        assert (answer.exit_code, answer.stdout) == (143, "out")

    within(body)


def test_end_of_the_server_is_told_and_the_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_calls, "PASS_ON_S", 0.001)

    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        bench.stopping.set()
        code, message = await refusal(task_of(task))
        assert code is Code.UNAVAILABLE
        assert "the command goes on" in message
        assert bench.asked == []

    within(body)


def test_end_that_nobody_knows_names_the_files(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        run = bench.ended(ExitUnknown("ended when the machine was restarted"), b"out")
        first = await refusal(task_of(task))
        assert first == await refusal(bench.asked_for(operation_id="a"))
        code, message = first
        assert code is Code.ABORTED
        directory = RunDir(bench.runs, run)
        assert f"{directory.stdout} and {directory.stderr}" in message
        assert len(bench.spawned) == 1

    within(body)


def test_id_whose_result_is_gone_is_not_run_again(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        bench.forgotten = {"a": 3, "b": None}
        code, message = await refusal(bench.asked_for(operation_id="a"))
        assert code is Code.ABORTED
        assert "has ended with exit code 3; its output is no longer kept" in message
        assert "has ended; its output" in (await refusal(bench.asked_for(operation_id="b")))[1]
        task = await bench.begun(operation_id="c")
        run = bench.ended(ExitCode(4), b"out")
        await task
        os.unlink(RunDir(bench.runs, run).stdout)
        assert (
            "exit code 4; its output is no longer kept"
            in (await refusal(bench.asked_for(operation_id="c")))[1]
        )
        assert len(bench.spawned) == 1

    within(body)


@pytest.mark.parametrize("size_bytes", [3, 1 << 20])
def test_result_that_cannot_be_read_names_the_file(tmp_path: Path, size_bytes: int) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        stdout = Path(RunDir(bench.runs, bench.ended(ExitCode(4), bytes(size_bytes))).stdout)
        await task
        os.unlink(stdout)
        os.symlink("/dev/null", stdout)
        code, message = await refusal(bench.asked_for(operation_id="a"))
        assert code is Code.ABORTED
        assert f"{stdout}: " in message
        assert len(bench.spawned) == 1

    within(body)


def test_nothing_is_accepted_that_cannot_be_written_down(tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(operation_id="a")
        bench.store_error = "database or disk is full"
        bench.ended(ExitCode(0), b"out")
        assert (await task).stdout == "out"
        code, message = await refusal(bench.asked_for(operation_id="b"))
        assert code is Code.RESOURCE_EXHAUSTED
        assert "records cannot be written" in message
        assert len(bench.spawned) == 1

    within(body)


@pytest.mark.parametrize("call", [BINARY, JSON])
def test_large_answers_are_made_in_a_thread_in_the_form_of_the_call(tmp_path: Path, call: Call) -> None:
    async def body() -> None:
        bench = Bench(tmp_path)
        task = await bench.begun(call=call, operation_id="a")
        text = "ü€\n" * 40_000
        bench.ended(ExitCode(1), text.encode(), b"x", lost=(0, 5))
        made = call.codec.encode(await task)
        answer = call.codec.decode(made, ExecResponse)
        assert (answer.exit_code, answer.stdout) == (1, text)
        assert answer.stderr.startswith("x\nsupervisor: 5 bytes are missing here: the disk was full")

    within(body)


def test_words_that_the_sdk_takes_for_something_else_are_replaced() -> None:
    assert plain("Connection timed out: TIMEOUT") == "Connection took too long: time limit"
    assert plain("there is no folder") == "there is no folder"
