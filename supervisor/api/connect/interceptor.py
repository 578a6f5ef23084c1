"""What stands around every Connect handler: rules on the way in, errors made presentable on the way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext

from supervisor.api.connect.connect_errors import as_connect_error

Check = Callable[[Any], str | None]
"""Looks at a request message; says what is wrong with it, naming the field, or None."""

BEGUN: ContextVar[asyncio.Event | None] = ContextVar("BEGUN", default=None)
"""Set as soon as the handler of a server stream has a valid request. Whoever waits for it runs once the handler has
run up to its first wait, so after it has subscribed to what it will stream."""


class Screen:
    """The interceptor around every handler: checks what goes in, translates what is raised.

    `check` is the validation rules. `stopping` says whether the server ends: then its streams, which are cancelled,
    tell their clients to come back later.
    """

    def __init__(self, check: Check, stopping: Callable[[], bool] = lambda: False) -> None:
        self._problem = check
        self._stopping = stopping

    async def intercept_unary(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], Awaitable[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
        /,
    ) -> Any:
        try:
            self._check_rules(request)
            return await call_next(request, ctx)
        except Exception as error:
            raise as_connect_error(error) from error

    async def intercept_server_stream(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], AsyncIterator[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
        /,
    ) -> AsyncIterator[Any]:
        try:
            self._check_rules(request)
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
            if self._stopping():
                raise ConnectError(Code.UNAVAILABLE, "the supervisor stops") from None
            raise
        except Exception as error:
            raise as_connect_error(error) from error

    def _check_rules(self, request: Any) -> None:
        problem = self._problem(request)
        if problem is not None:
            raise ConnectError(Code.INVALID_ARGUMENT, problem)
