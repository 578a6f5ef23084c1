"""Pages of lists, newest first.

A token names the age of the last item that was given out (`born`, which never changes), so it stays valid while items
come and go: the next page goes on with older ones.

A list's request holds `pagination: {token, pageSize}`. It may also stand in the query, `?token=...&pageSize=...`: so
the JSON SDKs page by themselves. The next page is to them the same request with the last page's token in the URL.
Connect knows no query of a POST; if it were ignored, they would get the first page for ever.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from connect_server.connect_errors import Code, ConnectError, InvalidArgument, Violation
from connect_server.strict_json import loaded

DEFAULT_SIZE = 25
PAGE_BYTES = 512 * 1024
"""A page that is larger gets no further item."""
MARK = b"older-than:"


class Aged(Protocol):
    """An item of a list."""

    @property
    def born(self) -> int:
        """Its place in the order of creation."""


T = TypeVar("T", bound=Aged)


def page(
    items: Sequence[T],
    size: int,
    token: str,
    size_bytes: Callable[[T], int] = lambda _: 0,
    wanted: Callable[[T], bool] = lambda _: True,
) -> tuple[list[T], str]:
    """The page that a request asks for, and the token of the next one; empty: there is none.

    Ends early where it gets large. Looks only at the items that the page shows or passes over, so that all pages of a
    list together look at each item about once. Raises InvalidArgument for a bad token.

    Args:
        items: the oldest first.
        size: how many items; 0: the default.
        token: of the page before; empty: the first page.
        size_bytes: about how large an item is.
        wanted: whether the list has an item.
    """
    end = bisect_left(items, _read(token), key=lambda item: item.born) if token else len(items)
    shown: list[T] = []
    filled_bytes = 0
    for number in range(end - 1, -1, -1):
        item = items[number]
        if not wanted(item):
            continue
        if len(shown) >= (size or DEFAULT_SIZE) or filled_bytes > PAGE_BYTES:
            return shown, _token(shown[-1].born)
        shown.append(item)
        filled_bytes += size_bytes(item)
    return shown, ""


def with_query(body: bytes, query: Mapping[str, str], encoding: str = "") -> bytes:
    """A list's request in JSON, with the page that the query asks for in its `pagination`.

    A body that cannot be read is returned as it is: its decoder reports the mistake. Raises ConnectError for a body
    that is compressed (`encoding`): no client that pages like this does that, and it would get the first page for ever.
    """
    asked = {name: query[name] for name in ("token", "pageSize") if name in query}
    if not asked:
        return body
    if encoding not in ("", "identity"):
        why = "cannot read the page in the URL beside a compressed body: say it in the body's pagination"
        raise ConnectError(Code.INVALID_ARGUMENT, why)
    try:
        request = loaded(body or b"{}")
    except InvalidArgument:
        return body
    if not isinstance(request, dict) or not isinstance(request.get("pagination") or {}, dict):
        return body
    pagination = dict(request.get("pagination") or {})
    if "pageSize" in asked:
        pagination.pop("page_size", None)
    try:
        return json.dumps({**request, "pagination": pagination | asked}).encode()
    except RecursionError:  # deeper than the reader's limit by now
        return body


def _token(born: int) -> str:
    return base64.urlsafe_b64encode(MARK + str(born).encode()).decode()


def _read(token: str) -> int:
    try:
        text = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        if text.startswith(MARK):
            return int(text.removeprefix(MARK))
    except (ValueError, binascii.Error):
        pass
    why = "is not a token that a list gave; begin again without one"
    raise InvalidArgument((Violation(("pagination", "token"), why),))
