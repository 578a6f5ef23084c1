"""Logs over HTTP.

    GET /logs/services/{id}
    GET /logs/executions/{id}
    GET /logs/executions/{id}/steps/{step_id}

From the start, or where `offset`, a Range, `tail` or `cursor` says, until the run has ended and all is sent; with
`follow=false` what is there now. `tail` looks at the last 256 MiB. With `Accept: text/event-stream` as events whose ids
are cursors; see `Form` for more.
`X-Log-Run`, `X-Log-Offset` and `X-Log-Cursor` tell where the response begins. Offsets are those of the log's file, also
where secrets are masked; of an execution with several task steps, they count the bytes of the merged stream.

A client that is not there any more is seen at the next look at the log. Cancelling a handler leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from aiohttp import HttpVersion11, web
from connectrpc.code import Code

from connect_server.connect_errors import error_response
from supervisor.api.logs import sse
from supervisor.api.logs.chunks import Form, Part, Shelf
from supervisor.api.logs.log_query import VERY_LARGE, BadQuery, Query, parse
from supervisor.api.logs.log_source import (
    BadCursor,
    Source,
    end_cursor,
    execution_log,
    resumed,
    service_log,
    step_log,
)
from supervisor.api.logs.log_stream import SERVED_AT_ONCE, SILENCE, Reader, Section
from supervisor.api.logs.log_tail import TailSearch
from supervisor.api.logs.waiters import Waiting
from supervisor.core.records import Records
from supervisor.host.runs import log_file
from supervisor.host.runs.run_directory import RunDir
from supervisor.hub import Hub
from supervisor.model.errors import NotFound

Find = Callable[[web.Request], Source]
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
    """The offset lies beyond the end, which is the argument."""


class Logs:
    """Serves the logs of what the records hold."""

    def __init__(
        self, records: Records, hub: Hub, runs: Path, secrets: Callable[[], Collection[str]]
    ) -> None:
        """`runs` holds the run directories; `secrets` gives the values to mask, each time something is read."""
        self._records = records
        self._runs = runs
        self._shelf = Shelf(secrets)
        self._waiting = Waiting(hub, records.leaders.heirs)
        self._turns = asyncio.Semaphore(SERVED_AT_ONCE)
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
            )
        ]

    def _of_service(self, request: web.Request) -> Source:
        return service_log(self._records, request.match_info["id"])

    def _of_execution(self, request: web.Request) -> Source:
        return execution_log(self._records, request.match_info["id"])

    def _of_step(self, request: web.Request) -> Source:
        return step_log(self._records, request.match_info["id"], request.match_info["step_id"])

    def _handler(self, find: Find) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                source = find(request)
                query = parse(request.query, request.headers)
                begin = await self._begin(source, query)
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

    async def _begin(self, source: Source, query: Query) -> _Begin:
        if query.cursor is not None:
            return _Begin(*resumed(self._records, source, query.cursor))
        if query.tail is not None:
            return _Begin(*await self._search.start(self._runs, source.sections, query.tail))
        if not source.single:
            return self._begin_merged(source, query)
        if query.offset is None and query.last is None:
            return _Begin(source.sections)
        (section,) = source.sections
        run_id = section.run()
        size = 0 if run_id is None else log_file.size(RunDir(self._runs, run_id).log)
        offset = query.offset if query.offset is not None else max(0, size - (query.last or 0))
        grows = query.follow and not section.over(run_id)
        if offset > size or (query.ranged and offset == size and not grows):
            raise _Unsatisfiable(size)
        content_range = ""
        if query.ranged:
            content_range = f"bytes {offset}-{VERY_LARGE}/*" if grows else f"bytes {offset}-{size - 1}/{size}"
        return _Begin(source.sections, offset, content_range=content_range)

    def _begin_merged(self, source: Source, query: Query) -> _Begin:
        """Of a merged stream no end is known before it is made: a Range of its last bytes is not served."""
        skip = query.offset or 0
        content_range = f"bytes {skip}-{VERY_LARGE}/*" if query.ranged and query.offset is not None else ""
        return _Begin(source.sections, skip=skip, content_range=content_range)

    async def _send(self, request: web.Request, query: Query, begin: _Begin) -> web.StreamResponse:
        response = web.StreamResponse(status=206 if begin.content_range else 200, headers=_headers(begin))
        response.content_type = query.form.value
        if query.form is not Form.PARTS:
            response.charset = "utf-8"

        def gone() -> bool:
            return request.transport is None or request.transport.is_closing()

        def push(part: Part) -> bool:
            # aiohttp keeps nothing back once the headers are out, so between two of its writes the transport is ours.
            transport = request.transport
            if transport is None or transport.is_closing() or transport.get_write_buffer_size():
                return False
            if begin.skip or not response.chunked:
                return False
            transport.write(part.frame(query.form))
            return True

        if request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        reader = Reader(
            self._runs,
            self._shelf,
            self._waiting,
            follow=query.follow,
            text=query.form is Form.EVENTS,
            turns=self._turns,
            gone=gone,
            push=push,
        )
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                async with aclosing(
                    _skipping(reader.read(begin.sections, begin.offset), begin.skip)
                ) as parts:
                    await _write(response, parts, query.form)
                if query.form is Form.EVENTS and not gone():
                    await response.write(sse.end(end_cursor(begin.sections)))
            if not gone():
                await response.write_eof()
        except ConnectionError:
            pass  # the client went away in the middle of a send
        return response


def routes(
    records: Records, hub: Hub, runs: Path, secrets: Callable[[], Collection[str]]
) -> list[web.RouteDef]:
    """The routes of the logs; see `Logs`."""
    return Logs(records, hub, runs, secrets).routes()


async def _write(response: web.StreamResponse, parts: AsyncGenerator[Part], form: Form) -> None:
    """Send parts as fast as the client takes them."""
    if form is Form.EVENTS:
        await response.write(sse.HELLO)
    async for part in parts:
        await response.write(sse.KEEP_ALIVE if part is SILENCE else part.body(form))


async def _skipping(parts: AsyncGenerator[Part], skip: int) -> AsyncGenerator[Part]:
    """The parts without their first `skip` bytes."""
    async with aclosing(parts) as rest:
        async for part in rest:
            if skip == 0:
                yield part
            elif skip < len(part.data):
                yield Part(part.data[skip:], part.cursor)
                skip = 0
            else:
                skip -= len(part.data)


def _headers(begin: _Begin) -> dict[str, str]:
    headers = dict(_HEADERS)
    headers["X-Log-Offset"] = str(begin.skip or begin.offset)
    if begin.sections:
        section = begin.sections[0]
        run_id = section.run()
        if run_id is not None:
            headers["X-Log-Run"] = run_id
            if not begin.skip:
                headers["X-Log-Cursor"] = f"{section.name or run_id}:{begin.offset}"
    if begin.content_range:
        headers["Content-Range"] = begin.content_range
    else:
        headers["Accept-Ranges"] = "bytes"
    return headers
