"""Logs over HTTP.

    GET /logs/services/{id}
    GET /logs/executions/{id}
    GET /logs/executions/{id}/steps/{step_id}
    GET /logs/runs/{id}
    GET /logs/operations/{operation id}/stdout
    GET /logs/operations/{operation id}/stderr

From the start, or where `offset`, a Range, `tail` or `cursor` says, until the run has ended and all is sent; with
`follow=false` what is there now. `tail` looks at the last 256 MiB. With `Accept: text/event-stream` as events whose ids
are cursors; see `Encoding` for more.
`X-Log-Run`, `X-Log-Offset` and `X-Log-Cursor` say where the response begins. Offsets are those of the log's file, also
where secrets are masked; of an execution with several task steps, they count the bytes of the merged stream, as they
are sent.

`since`, `until`, `grep` and `timestamps` choose lines, and put times before them: see `line_view`. Lines of our own (in
brackets) are sent whatever is chosen. Where the clock was set back, lines are rather sent than left out.

The next look at the log notices a client that is gone. Cancelling a handler leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aiohttp import web
from aiohttp.http import HttpVersion11

from connect_server.connect_errors import Code, error_response
from supervisor.api.logs import frames
from supervisor.api.logs.chunks import ChunkCache, Secrets
from supervisor.api.logs.frames import Encoding, Frame
from supervisor.api.logs.log_query import VERY_LARGE, BadQuery, LogQuery, parse
from supervisor.api.logs.log_section import Section
from supervisor.api.logs.log_source import (
    BadCursor,
    LogSource,
    end_cursor,
    execution_log,
    operation_log,
    resumed,
    run_log,
    service_log,
    step_log,
)
from supervisor.api.logs.log_stream import SILENCE, LogReader
from supervisor.api.logs.log_tail import TailSearch
from supervisor.api.logs.probe_logs import ProbeLogs
from supervisor.api.logs.reader_resources import ReaderResources
from supervisor.api.logs.waiters import LogWaiters
from supervisor.core.records import Records
from supervisor.host.runs import log_file
from supervisor.host.runs.line_times import LineTimes
from supervisor.hub import Hub
from supervisor.model.errors import NotFound
from supervisor.model.ids import ExecutionId, OperationId, RunId, ServiceId, StepId
from supervisor.shim.stream_name import run_of

Find = Callable[[web.Request], LogSource]
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class _Begin:
    """Where a response begins."""

    sections: tuple[Section, ...]
    offset: int = 0
    skip: int = 0
    """Bytes of the merged stream that the client has."""
    content_range: str = ""


class _Unsatisfiable(Exception):
    """The offset lies beyond the end of the log, which is the argument."""


class Logs:
    """Serves the logs of what the records hold."""

    def __init__(self, records: Records, hub: Hub, runs: Path, secrets: Secrets) -> None:
        """`runs` holds the run directories, in the state directory; `secrets` is asked at each read."""
        self._records = records
        probe_logs = ProbeLogs(records)
        self._shared = ReaderResources(
            runs,
            ChunkCache(secrets),
            LogWaiters(hub, records.leaders),
            LineTimes(runs.parent, probe_logs),
            probe_logs,
        )
        self._search = TailSearch()

    def routes(self) -> list[web.RouteDef]:
        """The routes, also below /api."""
        return [
            web.get(f"{base}/logs/{path}", self._handler(find))
            for base in ("", "/api")
            for path, find in (
                ("services/{id}", self._of_service),
                ("executions/{id}", self._of_execution),
                ("executions/{id}/steps/{step_id}", self._of_step),
                ("runs/{id}", self._of_run),
                ("operations/{id}/stdout", partial(self._of_operation, "stdout")),
                ("operations/{id}/stderr", partial(self._of_operation, "stderr")),
            )
        ]

    def _of_service(self, request: web.Request) -> LogSource:
        return service_log(self._records, ServiceId(request.match_info["id"]))

    def _of_execution(self, request: web.Request) -> LogSource:
        return execution_log(self._records, ExecutionId(request.match_info["id"]))

    def _of_step(self, request: web.Request) -> LogSource:
        return step_log(
            self._records, ExecutionId(request.match_info["id"]), StepId(request.match_info["step_id"])
        )

    def _of_run(self, request: web.Request) -> LogSource:
        return run_log(self._records, RunId(request.match_info["id"]))

    def _of_operation(self, stream: str, request: web.Request) -> LogSource:
        return operation_log(self._records, OperationId(request.match_info["id"]), stream)

    def _handler(self, find: Find) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                source = find(request)
                query = parse(request.query, request.headers)
                begin = await self._since(await self._begin(source, query), query)
            except NotFound as error:
                return error_response(Code.NOT_FOUND, str(error))
            except BadQuery as error:
                return error_response(Code.INVALID_ARGUMENT, str(error))
            except BadCursor:
                return error_response(
                    Code.INVALID_ARGUMENT, 'cannot read parameter "cursor": it is not one of this log'
                )
            except _Unsatisfiable as error:
                (size,) = error.args
                return error_response(
                    Code.OUT_OF_RANGE,
                    f"cannot begin beyond the end of the log, which is at offset {size}",
                    416,
                    {"Content-Range": f"bytes */{size}"},
                )
            except OSError as error:
                return error_response(Code.INTERNAL, f"cannot read the log: {error.strerror}")
            if query.resumes and not begin.sections:
                return web.Response(status=204)
            return await self._send(request, query, begin)

        return handle

    async def _begin(self, source: LogSource, query: LogQuery) -> _Begin:
        if query.cursor is not None:
            return _Begin(*resumed(self._records, source, query.cursor))
        if query.tail is not None:
            return _Begin(*await self._search.start(self._shared, source.sections, query.tail, query.lines))
        if not source.single:
            return self._begin_merged(source, query)
        if query.offset is None and query.last is None:
            return _Begin(source.sections)
        (section,) = source.sections
        run_id = section.run()
        size = 0 if run_id is None else log_file.size(self._shared.log(run_id))
        offset = query.offset if query.offset is not None else max(0, size - (query.last or 0))
        grows = query.follow and not section.over(run_id)
        if offset > size or (query.ranged and offset == size and not grows):
            raise _Unsatisfiable(size)
        content_range = ""
        if query.ranged:
            content_range = f"bytes {offset}-{VERY_LARGE}/*" if grows else f"bytes {offset}-{size - 1}/{size}"
        return _Begin(source.sections, offset, content_range=content_range)

    async def _since(self, begin: _Begin, query: LogQuery) -> _Begin:
        """The beginning, or the first line of its section that is late enough."""
        if query.lines.since_ms is None or begin.skip or not begin.sections:
            return begin
        if (run_id := begin.sections[0].run()) is None:
            return begin
        first = await self._shared.first_line(run_id, query.lines)
        return replace(begin, offset=max(begin.offset, first))

    def _begin_merged(self, source: LogSource, query: LogQuery) -> _Begin:
        """The end of a merged stream is not known before it is made: a Range of its last bytes is not served."""
        skip = query.offset or 0
        content_range = f"bytes {skip}-{VERY_LARGE}/*" if query.ranged and query.offset is not None else ""
        return _Begin(source.sections, skip=skip, content_range=content_range)

    async def _send(self, request: web.Request, query: LogQuery, begin: _Begin) -> web.StreamResponse:
        response = web.StreamResponse(status=206 if begin.content_range else 200, headers=_headers(begin))
        response.content_type = query.encoding.value
        if query.encoding is not Encoding.PARTS:
            response.charset = "utf-8"
        if request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        client = _HttpClient(request, response, query.encoding, can_push=not begin.skip)
        text = query.encoding is Encoding.EVENTS
        reader = LogReader(self._shared, client, query.lines, follow=query.follow, text=text)
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                async with aclosing(_skipping(reader.read(begin.sections, begin.offset), begin.skip)) as sent:
                    await _write(response, sent, query.encoding)
                if query.encoding is Encoding.EVENTS and not client.gone():
                    await response.write(frames.end(end_cursor(begin.sections)))
            if not client.gone():
                await response.write_eof()
        except ConnectionError:
            pass  # the client went away in the middle of a send
        return response


class _HttpClient:
    """The client of one response: a `log_stream.LogClient`."""

    def __init__(
        self, request: web.Request, response: web.StreamResponse, encoding: Encoding, can_push: bool
    ) -> None:
        self._request = request
        self._response = response
        self._encoding = encoding
        self._can_push = can_push

    def gone(self) -> bool:
        return self._request.transport is None or self._request.transport.is_closing()

    def push(self, frame: Frame) -> bool:
        # aiohttp keeps nothing back once the headers are out: between two of its writes the transport is ours.
        transport = self._request.transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        if not self._can_push or not self._response.chunked:
            return False
        transport.write(frame.http_chunk(self._encoding))
        return True


def routes(records: Records, hub: Hub, runs: Path, secrets: Secrets) -> list[web.RouteDef]:
    """The routes of the logs; see `Logs`."""
    return Logs(records, hub, runs, secrets).routes()


async def _write(response: web.StreamResponse, sent: AsyncGenerator[Frame], encoding: Encoding) -> None:
    """Send frames as fast as the client takes them."""
    if encoding is Encoding.EVENTS:
        await response.write(frames.HELLO)
    async for frame in sent:
        await response.write(frames.KEEP_ALIVE if frame is SILENCE else frame.encoded(encoding))


async def _skipping(read: AsyncGenerator[Frame], skip: int) -> AsyncGenerator[Frame]:
    """The frames without their first `skip` bytes."""
    async with aclosing(read) as rest:
        async for frame in rest:
            if skip == 0:
                yield frame
            elif skip < len(frame.data):
                yield Frame(frame.data[skip:], frame.cursor)
                skip = 0
            else:
                skip -= len(frame.data)


def _headers(begin: _Begin) -> dict[str, str]:
    headers = dict(_HEADERS)
    headers["X-Log-Offset"] = str(begin.skip or begin.offset)
    if begin.sections:
        section = begin.sections[0]
        run_id = section.run()
        if run_id is not None:
            headers["X-Log-Run"] = run_of(run_id)
            if not begin.skip:
                headers["X-Log-Cursor"] = f"{section.name or run_id}:{begin.offset}"
    if begin.content_range:
        headers["Content-Range"] = begin.content_range
    else:
        headers["Accept-Ranges"] = "bytes"
    return headers
