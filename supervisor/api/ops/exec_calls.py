"""Exec and CancelExec: the calls around `operation_runner`, and the answer with the kept result.

A call waits for its command's end. In an upgrade the new program answers it (`Call.may_pass_on`): one without an id has
got one by then.

The public SDK looks into the text of an error, and takes some words for a supervisor that cannot be reached: `timeout`,
`timed out`, `connection refused`. None of ours is among them, and the kernel's are said in other words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from connect_server.calls import Call
from connect_server.codecs import SMALL_BYTES, Encoded
from connect_server.connect_errors import Code, ConnectError
from platform_wire.environmentopts_handler import EnvironmentOpsServiceHandler
from platform_wire.environmentopts_pb2 import CancelExecRequest, CancelExecResponse, ExecRequest, ExecResponse
from supervisor.api.ops import exec_answer
from supervisor.api.ops.exec_answer import AnsweredStream
from supervisor.api.ops.large_answers import LargeAnswers
from supervisor.api.ops.operation_runner import (
    OperationRequest,
    OperationRunner,
    no_output,
    plain,
    refuse_not_started,
)
from supervisor.core.state_machines import operation as machine
from supervisor.host.proc import worker_threads
from supervisor.host.runs import operation_output
from supervisor.host.runs.operation_output import MOST_BYTES
from supervisor.host.runs.run_directory import RunDir
from supervisor.model.errors import TRANSIENT_ERRNOS
from supervisor.model.exit import NotStarted, exit_text
from supervisor.model.ids import OperationId
from supervisor.model.operation_record import EndReason, Operation, OperationEnded

PASS_ON_S = 0.05
"""How long a call waits, once the server stops, for another program to take it over. See `server.STOP_GRACE_S`."""


class ExecCalls(EnvironmentOpsServiceHandler):
    """The handlers of the two methods."""

    def __init__(
        self, runner: OperationRunner, runs: Path, large: LargeAnswers, stopping: asyncio.Event
    ) -> None:
        """`runs`: the folder of run directories; `stopping`: is set when the server ends."""
        self._runner = runner
        self._runs = runs
        self._large = large
        self._stopping = stopping

    async def exec(self, request: ExecRequest, call: Call, /) -> ExecResponse:
        """Run a command, or wait for it, or give its kept result. Raises ConnectError."""
        id_, folder = OperationId(request.operation_id), request.working_directory
        asked = OperationRequest(id_, request.command, folder, float(request.timeout_seconds))
        with self._runner.running(asked) as (known_id, end):
            is_kept = end.done()
            request.operation_id = known_id
            call.may_pass_on(request)
            operation = await self._ended(end)
            refuse_not_started(operation)
            if not is_kept:
                _refuse_drained(operation)
            return await self._answer(operation, call)

    async def cancel_exec(self, request: CancelExecRequest, _call: Call, /) -> CancelExecResponse:
        """Have a command ended; nothing happens if it has ended, or nobody knows it."""
        if request.operation_id:
            self._runner.cancel(OperationId(request.operation_id))
        return CancelExecResponse()

    async def _ended(self, end: asyncio.Future[Operation]) -> Operation:
        """The operation, once it has ended. Raises ConnectError when the server stops before."""
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((end, stop), return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                await asyncio.wait((end,), timeout=PASS_ON_S)
        finally:
            stop.cancel()
        if not end.done():
            raise ConnectError(
                Code.UNAVAILABLE,
                "the supervisor stops, and the command goes on: its operation id gets its result from the next one",
            )
        return end.result()

    async def _answer(self, operation: Operation, call: Call) -> ExecResponse:
        """The result that is kept. Raises ConnectError if there is none."""
        state = operation.state
        assert isinstance(state, OperationEnded)
        status, run, note = (
            operation.status,
            RunDir(self._runs, operation.id),
            machine.note(operation),
        )
        if status is None:
            raise _unknown(state, run)
        size_bytes = min(sum(state.written), MOST_BYTES)
        try:
            if size_bytes <= SMALL_BYTES:
                with _streams(run, state, note) as streams:
                    return exec_answer.message(status, *streams)
            async with self._large.turn(size_bytes):
                made = await worker_threads.run(_encoded, run, state, note, status, call.codec.name)
        except FileNotFoundError:
            raise no_output(status) from None
        except OSError as error:
            if error.errno in TRANSIENT_ERRNOS:
                raise
            raise _unreadable(error, run) from error
        return cast(ExecResponse, made)


def _refuse_drained(operation: Operation) -> None:
    """Raise ConnectError for those who waited for an operation that a drain ended."""
    if isinstance(operation.state, OperationEnded) and operation.state.why == EndReason.DRAIN:
        raise ConnectError(
            Code.UNAVAILABLE,
            "the supervisor shuts down, which has ended the command: its operation id gets the result later",
        )


def _unknown(state: OperationEnded, run: RunDir) -> ConnectError:
    return ConnectError(
        Code.ABORTED,
        f"nobody knows how the command ended (it {plain(exit_text(state.exit))}); what it printed is in "
        f"{run.stdout} and {run.stderr}; it is not run again",
    )


def _unreadable(error: OSError, run: RunDir) -> ConnectError:
    where = error.filename or f"{run.stdout} or {run.stderr}"
    return ConnectError(
        Code.ABORTED,
        f"cannot read what the command printed, {where}: {plain(error.strerror or str(error))}; it is not run again",
    )


@contextmanager
def _streams(
    run: RunDir, state: OperationEnded, note: str
) -> Iterator[tuple[AnsweredStream, AnsweredStream]]:
    """Both streams of an operation that has ended. Raises FileNotFoundError, OSError."""
    if isinstance(state.exit, NotStarted):  # it was cancelled, or its limit was over, before it began
        yield AnsweredStream(_Nothing(), run.stdout), AnsweredStream(_Nothing(), run.stderr, note)
        return
    with operation_output.opened(run, state.written) as (stdout, stderr):
        lost_of_out, lost_of_err = state.lost
        yield (
            AnsweredStream(stdout, run.stdout, lost_bytes=lost_of_out),
            AnsweredStream(stderr, run.stderr, note, lost_of_err),
        )


class _Nothing:
    """A stream without a file: a `KeptStream`."""

    missing_bytes = head_bytes = 0

    def chunks(self) -> Iterable[bytes]:
        return ()


def _encoded(run: RunDir, state: OperationEnded, note: str, status: int, form: str) -> Encoded:
    with _streams(run, state, note) as streams:
        return exec_answer.encoded(form, status, *streams)
