"""Operations for the command line: run one with its output apart from its end, cancel one, list them.

    POST /control/exec          {"id", "command", "workingDirectory", "limitSeconds"}: a stream of JSON objects, one a
                                line: {"accepted": operation} at once, {"ended": operation} or {"error"} at the end
    POST /control/cancel        {"id"}: answers at once
    GET  /control/operations    {"operations"}: those that run and those whose result is kept, newest first

Its output is read as a log, `/logs/operations/ID/stdout`, while it runs: an answer to Exec would come at the end, and
hold all of it. Who asks again with the id, after an upgrade say, waits for the same operation.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http import HttpVersion11

from connect_server.connect_errors import ConnectError
from supervisor.api.control.control_body import Body, handler, read
from supervisor.api.ops.operation_runner import OperationRequest, OperationRunner, refuse_not_started
from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.core.state_machines import operation as machine
from supervisor.host.proc import worker_threads
from supervisor.host.runs.run_directory import RunDir
from supervisor.model.exit import exit_text
from supervisor.model.ids import OperationId
from supervisor.model.operation_record import Operation, OperationEnded, OperationEnding
from supervisor.model.timestamp import rfc3339

LONGEST_LIMIT_S = float((1 << 31) - 1)
_SHOWN_COMMAND = 200


class ControlOperations:
    """The handlers."""

    def __init__(self, records: Records, runner: OperationRunner, runs: Path) -> None:
        """`runs`: the folder of run directories."""
        self._records = records
        self._runner = runner
        self._runs = runs

    def routes(self) -> list[web.RouteDef]:
        """The routes, for `Server`."""
        return [
            web.post("/control/exec", self._exec),
            web.post("/control/cancel", handler(self._cancel, "id")),
            web.get("/control/operations", self._list),
        ]

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        body = await read(request)
        body.only("id", "command", "workingDirectory", "limitSeconds")
        folder = body.text_or_null("workingDirectory") or ""
        limit_s = body.number("limitSeconds", 0.0, LONGEST_LIMIT_S, 0.0)
        asked = OperationRequest(
            OperationId(body.text_or_null("id") or ""), body.text("command"), folder, limit_s
        )
        with self._runner.running(asked) as (id_, end):
            response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
            if request.version >= HttpVersion11:
                response.enable_chunked_encoding()
            operation = end.result() if end.done() else queries.operation(self._records, id_)
            if operation is None:  # it could not be started, which its future says in a moment
                operation = await end
            refuse_not_started(operation)
            try:
                await response.prepare(request)
                await response.write(_line({"accepted": operation_json(operation)}))
                await response.write(_end_line(await end))
                await response.write_eof()
            except ConnectionError:
                pass  # the client went away
        return response

    async def _cancel(self, body: Body) -> dict[str, Any]:
        id_ = OperationId(body.text("id"))
        known = queries.operation(self._records, id_)
        self._runner.cancel(id_)
        return {"known": known is not None}

    async def _list(self, _request: web.Request) -> web.Response:
        newest_first = sorted(self._records.operations.values(), key=lambda one: one.born, reverse=True)
        body = await worker_threads.run(operations_json, self._runs, newest_first)
        return web.Response(body=body, content_type="application/json", charset="utf-8")


def operations_json(runs: Path, operations: list[Operation]) -> bytes:
    """The answer to a list. Looks at the files of those that run, so call it in a thread."""
    found = []
    for operation in operations:
        shown = operation_json(operation)
        if operation.exit is None:
            run = RunDir(runs, operation.id)
            shown["stdoutBytes"], shown["stderrBytes"] = _size(run.stdout), _size(run.stderr)
        found.append(shown)
    return json.dumps({"operations": found}).encode()


def operation_json(operation: Operation) -> dict[str, Any]:
    """An operation as the command line sees it. `exitStatus`: what Exec answers; null: it runs, or nobody knows."""
    state = operation.state
    ended = state if isinstance(state, OperationEnded) else None
    word = "ended" if ended else "stopping" if isinstance(state, OperationEnding) else "running"
    stdout_bytes, stderr_bytes = ended.written if ended else (0, 0)
    return {
        "id": operation.operation_id,
        "runId": operation.id,
        "command": operation.command[:_SHOWN_COMMAND],
        "workingDirectory": operation.working_directory,
        "limitSeconds": operation.limit_s,
        "state": word,
        "why": state.why if isinstance(state, OperationEnding | OperationEnded) else "",
        "createdAt": rfc3339(operation.created_s),
        "endedAt": rfc3339(ended.ended_s) if ended else None,
        "end": exit_text(ended.exit) if ended else "",
        "note": machine.note(operation),
        "exitStatus": operation.status,
        "stdoutBytes": stdout_bytes,
        "stderrBytes": stderr_bytes,
    }


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _end_line(operation: Operation) -> bytes:
    try:
        refuse_not_started(operation)
    except ConnectError as error:
        return _line({"error": {"code": error.code.value, "message": error.message}})
    return _line({"ended": operation_json(operation)})


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
