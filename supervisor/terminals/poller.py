"""Waits for descriptors, and knows who attends to each."""

from __future__ import annotations

import select
from collections.abc import Callable

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT
Handler = Callable[[int], None]
"""Called with what has happened to its descriptor: bits of epoll(7)."""


class Poller:
    """Descriptors and their handlers."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[int, Handler]] = {}

    def watch(self, fd: int, bits: int, handler: Handler) -> None:
        """Have `handler` called when one of these bits, or an end, is there."""
        if fd not in self._watched:
            self._epoll.register(fd, bits)
        elif self._watched[fd][0] != bits:
            self._epoll.modify(fd, bits)
        self._watched[fd] = bits, handler

    def forget(self, fd: int) -> None:
        """Watch it no more; to be called before it is closed. Without effect on one that is not watched."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def wait(self, patience_s: float | None) -> list[tuple[int, int]]:
        """`[(descriptor, bits)]` of what has happened; None: wait for ever."""
        return self._epoll.poll(patience_s)

    def handle(self, fd: int, bits: int) -> None:
        """Call the handler, unless an earlier one has had the descriptor forgotten."""
        if fd in self._watched:
            self._watched[fd][1](bits)
