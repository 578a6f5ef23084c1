"""Pages of lists, newest first.

A token names the age of the last item that was given out (`born`, which never changes), so it stays valid while items
come and go: the next page goes on with what is older.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from platform_wire import pagination_pb2
from supervisor.api.platform.from_wire import invalid

DEFAULT_SIZE = 25
PAGE_BYTES = 512 * 1024
"""A page that is larger gets no further item."""
MARK = b"older-than:"


class Aged(Protocol):
    """What can be listed."""

    @property
    def born(self) -> int:
        """Its place in the order of creation."""


T = TypeVar("T", bound=Aged)


def page(
    items: Iterable[T],
    request: pagination_pb2.PaginationRequest,
    size_bytes: Callable[[T], int] = lambda _: 0,
) -> tuple[list[T], pagination_pb2.PaginationResponse]:
    """The page that `request` asks for, and how to ask for the next. Raises ConnectError for a bad token.

    It ends early where it gets large; `size_bytes`: about how large an item is.
    """
    size = request.page_size or DEFAULT_SIZE
    older_than = _read(request.token) if request.token else None
    ordered = sorted(items, key=lambda item: -item.born)
    rest = [item for item in ordered if older_than is None or item.born < older_than]
    shown: list[T] = []
    filled_bytes = 0
    for item in rest[:size]:
        if filled_bytes > PAGE_BYTES:
            break
        shown.append(item)
        filled_bytes += size_bytes(item)
    token = _token(shown[-1].born) if len(shown) < len(rest) else ""
    return shown, pagination_pb2.PaginationResponse(next_token=token)


def _token(born: int) -> str:
    return base64.urlsafe_b64encode(MARK + str(born).encode()).decode()


def _read(token: str) -> int:
    try:
        text = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        if text.startswith(MARK):
            return int(text.removeprefix(MARK))
    except (ValueError, binascii.Error):
        pass
    raise invalid("pagination.token", "is not a token that a list gave; begin again without one")
