"""The log of one run, as lines with their times, read from where it was left: over upgrades too.

With `timestamps=true` each line begins with its time, which is taken off here. A reader that goes on within a line gets
the rest of it without a time. A cursor names a byte of the log, so
what comes after it is neither lost nor doubled, whatever was read before and however.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.live_response import LiveResponse
from supervisor.cli.remote.responses import ConnectionLost, LogParts

STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")
STAMP_LENGTH = len("2026-11-30T22:27:03.123Z ")
LONGEST_LINE = 64 * 1024
"""A longer line is given out piece by piece."""

Piece = tuple[bytes, bytes]
"""The time of a line, and its bytes with the newline; without one: the rest may come. No times: any bytes."""


class StampedLog:
    """Reads one log. First what there is (`open(follow=False)`), then, from there, what comes."""

    def __init__(self, client: Client, path: str, begin: dict[str, str], filters: dict[str, str]) -> None:
        """`path`: below /logs; `begin` and `filters`: parameters that say where to begin and what to leave out."""
        self.path = path
        self.run_id = ""
        """Whose log it is, once it is open."""
        self._client = client
        self._begin = begin
        self._filters = filters
        self._stamped = filters.get("timestamps") == "true"
        self._response: LiveResponse | None = None
        self._parts = LogParts()
        self._follow = False
        self._rest = b""
        """The beginning of a line, or what follows the part of one that was given out."""
        self._stamp = b""
        self._in_line = False
        """Whether the last piece was the beginning of a line."""

    def open(self, *, follow: bool) -> None:
        """Ask for the log from where it was left. Raises RequestRefused, NotRunning, ConnectionLost."""
        self.close()
        self._follow = follow
        query = {"follow": "true" if follow else "false"} | self._filters | self._begin
        self._response = self._client.open_log(self.path, query)
        self._parts = LogParts()
        self.run_id = self._response.headers["X-Log-Run"] or ""
        if cursor := self._response.headers["X-Log-Cursor"]:
            self._begin = {"cursor": cursor}

    def reopen(self) -> None:
        """Go on after the supervisor was upgraded. Raises ConnectionLost if it has ended."""
        self._client.resume()
        self.open(follow=self._follow)

    def close(self) -> None:
        """End the connection; `open` goes on."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def fileno(self) -> int:
        """For poll()."""
        assert self._response is not None
        return self._response.fileno()

    @property
    def ended(self) -> bool:
        """Whether all was read that was asked for."""
        return self._response is None or self._response.ended

    @property
    def in_line(self) -> bool:
        """Whether a line has begun that was not given out."""
        return bool(self._rest)

    def take(self) -> Iterator[Piece]:
        """What has arrived. Raises ConnectionLost: then `reopen`."""
        if self._response is None:
            return
        for cursor, data in self._parts.feed(self._response.read()):
            self._begin = {"cursor": cursor}
            if self._stamped:
                yield from self._lines(data)
            elif data:
                yield b"", data

    def unfinished(self) -> Iterator[Piece]:
        """The beginning of the last line, which has no end yet; what comes later goes on from there."""
        if self._rest and (self._in_line or len(self._rest) > STAMP_LENGTH):
            rest, self._rest = self._rest, b""
            yield self._piece(rest)

    def _lines(self, data: bytes) -> Iterator[Piece]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield self._piece(line + b"\n")
        if len(self._rest) > LONGEST_LINE:
            yield from self.unfinished()

    def _piece(self, line: bytes) -> Piece:
        if not self._in_line and STAMP.match(line):
            self._stamp, line = line[: STAMP_LENGTH - 1], line[STAMP_LENGTH:]
        self._in_line = not line.endswith(b"\n")
        return self._stamp, line


def every_piece(log: StampedLog) -> Iterator[Piece | None]:
    """What a log gives, to the end of what was asked for; None: nothing yet, wait for it."""
    while True:
        try:
            pieces = list(log.take())
        except ConnectionLost:
            log.reopen()
            continue
        yield from pieces
        if log.ended:
            return
        if not pieces:
            yield None
