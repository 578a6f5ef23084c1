"""The interceptor around every Connect handler: checks requests on the way in, translates errors on the way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext

from connect_server.connect_errors import Program
from connect_server.validation import Validator

BEGUN: ContextVar[asyncio.Event | None] = ContextVar("BEGUN", default=None)
"""Is set as soon as the handler of a server stream has a valid request. A task that waits for it runs after the handler
has come to its first wait, and so after the handler has subscribed to what it will stream."""


class Interceptor:
    """Holds requests to the rules of the wire, and gives exceptions their codes."""

    def __init__(self, program: Program, validator: Validator, stopping: asyncio.Event) -> None:
        """`stopping`: is set when the server ends. It cancels its streams, which tell clients to come back later."""
        self._program = program
        self._validator = validator
        self._stopping = stopping

    async def intercept_unary(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], Awaitable[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
        /,
    ) -> Any:
        """One call with one answer."""
        try:
            self._validator.validate(request)
            return await call_next(request, ctx)
        except Exception as error:
            raise self._program.connect_error(error) from error

    async def intercept_server_stream(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], AsyncIterator[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
        /,
    ) -> AsyncIterator[Any]:
        """One call that is answered by a stream."""
        try:
            self._validator.validate(request)
            messages = call_next(request, ctx)
            begun = BEGUN.get()
            if begun is not None:
                begun.set()
            try:
                async for message in messages:
                    yield message
            finally:
                # A generator that wraps another does not close it when it is closed itself.
                close = getattr(messages, "aclose", None)
                if close is not None:
                    await close()
        except asyncio.CancelledError:
            if self._stopping.is_set():
                raise ConnectError(Code.UNAVAILABLE, f"the {self._program.name} stops") from None
            raise
        except Exception as error:
            raise self._program.connect_error(error) from error
