"""The JSON bodies of the control routes: a missing, unknown or mistyped field is refused by its name."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from connect_server.body import STILL_S, read_body
from connect_server.connect_errors import Code, ConnectError
from supervisor.config.document.text import LIMIT_BYTES

BODY_LIMIT_BYTES = 4 * LIMIT_BYTES
"""JSON writes some characters of a file's text in several bytes."""
_SHOWN = 80


class Body:
    """A request's fields. Callers ask for each by its type."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def only(self, *known: str) -> None:
        """Refuse fields with other names. Raises ConnectError, as all of the following do."""
        for name in self._fields:
            if name not in known:
                raise _invalid(name[:_SHOWN], f"is unknown here; known are {', '.join(known)}")

    def absent(self, name: str) -> bool:
        """Whether a field was left out, or is null."""
        return self._fields.get(name) is None

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise _invalid(name, "is missing" if value is None else "must be a string")
        return value

    def text_or_null(self, name: str) -> str | None:
        """A text, or None."""
        return None if self.absent(name) else self.text(name)

    def bytes_or_null(self, name: str) -> bytes | None:
        """A text as UTF-8, or None. JSON carries other bytes as Python writes them, as surrogates."""
        text = self.text_or_null(name)
        try:
            return None if text is None else text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise _invalid(name, "holds half a surrogate pair, which is not a character") from None

    def word(self, name: str, words: Sequence[str], default: str | None = None) -> str:
        """One of `words`."""
        if default is not None and self.absent(name):
            return default
        value = self.text(name)
        if value not in words:
            raise _invalid(name, f"must be one of {', '.join(words)}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false if it is left out."""
        value = self._fields.get(name, False)
        if not isinstance(value, bool):
            raise _invalid(name, "must be true or false")
        return value

    def whole(self, name: str) -> int:
        """A whole number that must be there."""
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _invalid(name, "is missing" if value is None else "must be a whole number")
        return value

    def number(self, name: str, least: float, most: float, default: float) -> float:
        """A number within bounds."""
        value = self._fields.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _invalid(name, "must be a number")
        if not least <= value <= most:  # as NaN is not either
            raise _invalid(name, f"must be between {least:g} and {most:g}")
        return float(value)


async def read(request: web.Request) -> Body:
    """The body of a request. Raises ConnectError if it is not a JSON object."""
    data = await read_body(request, BODY_LIMIT_BYTES, STILL_S)
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise ConnectError(Code.INVALID_ARGUMENT, f"cannot read the body as JSON: {why}") from None
    if not isinstance(fields, dict):
        raise ConnectError(Code.INVALID_ARGUMENT, "the body must be a JSON object")
    return Body(fields)


def handler(
    method: Callable[[Body], Awaitable[dict[str, Any]]], *fields: str
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A route's handler from a method that takes a body of these fields and gives the answer's."""

    async def handle(request: web.Request) -> web.Response:
        body = await read(request)
        body.only(*fields)
        return web.json_response(await method(body))

    return handle


def _invalid(name: str, why: str) -> ConnectError:
    return ConnectError(Code.INVALID_ARGUMENT, f'field "{name}" {why}')
