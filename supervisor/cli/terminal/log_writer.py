"""Prints the lines of logs: with the name of each one's item in its colour, with their times, or as the bytes they are.

Lines of several logs share the output, so each is printed whole. On a terminal one that has no end yet (a question, a
progress bar) stands below the others (`screen`), and everything passes through `TerminalFilter`. To a file or a pipe go
the bytes of the log: a line without an end when nothing came for a moment; if another log's line comes in between, what
follows has its prefix anew.
"""

from __future__ import annotations

import itertools
import select
import sys
from binascii import crc32
from typing import Protocol

from supervisor.cli.terminal.escapes import TerminalFilter, Unfiltered, colours_wanted, filter_for
from supervisor.cli.terminal.output import write_bytes
from supervisor.cli.terminal.screen import OutputLine, Screen, screen_for
from supervisor.cli.terminal.shown_lines import ShownLines
from supervisor.cli.terminal.visible import visible

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94, "38;5;208", "38;5;141")
"""Of prefixes, as SGR numbers. Not red, which means an error, and nothing that is unseen on black or white."""
_SEED = 469
"""With it the names that most projects have (web, api, db, build, test, worker and others) differ in colour."""
_WIDEST = 24
"""A longer name is not cut, but shorter ones are not filled up to it."""
_PIECE_BYTES = 64 * 1024
"""Past logs are printed in pieces of this size."""


class Pollable(Protocol):
    """What poll() can wait for."""

    def fileno(self) -> int:
        """The descriptor."""


class ShownTimes:
    """Formats the times of lines: RFC 3339 to the millisecond, in local time or UTC."""

    def __init__(self, utc: bool) -> None:
        self._utc = utc
        self._second = b""
        self._shown = (b"", b"")

    def text(self, stamp: bytes) -> bytes:
        """A time as the supervisor sends it (`2026-11-30T22:27:03.123Z`), for people."""
        if self._utc or len(stamp) != 24:
            return stamp
        if stamp[:19] != self._second:  # many lines have the same second
            self._second, self._shown = stamp[:19], _local(stamp)
        before, after = self._shown
        return before + stamp[19:23] + after


class ShownLog:
    """One log among those that are printed."""

    def __init__(self, name: str, number: int, way: ShownLines | TerminalFilter | Unfiltered) -> None:
        """`way`: makes output of its bytes; `ShownLines`: lines for a terminal that have something before them."""
        self.name = name
        self.number = number
        self.way = way
        self.head = b""
        """What stands before the line that was begun last."""
        self.is_begun = False
        """Whether a line was."""


class LogWriter:
    """Prints to standard output."""

    def __init__(self, *, prefixed: bool, times: ShownTimes | None) -> None:
        """`prefixed`: with the item's name before each line; `times`: None: without."""
        self._prefixed = prefixed
        self._times = times
        has_heads = prefixed or times is not None
        self._screen: Screen | None = screen_for(sys.stdout) if has_heads and sys.stdout.isatty() else None
        """For lines with something before them, on a terminal."""
        self._coloured = colours_wanted(sys.stdout) and (self._screen is None or self._screen.rewrites)
        self._sources: list[ShownLog] = []
        self._numbers = itertools.count()
        self._width = 0
        self._unwritten = bytearray()
        self._open: ShownLog | None = None
        """Whose line has been begun and not ended."""
        self._prefixes: dict[str, bytes] = {}
        self._reader = select.poll()
        self.watch_reader(self._reader)

    @property
    def redraws(self) -> bool:
        """Whether a line may be written as often as more of it comes."""
        return self._screen is not None and self._screen.rewrites

    def source(self, name: str) -> ShownLog:
        """A log to be printed, by its item's name."""
        if self._width < len(name) <= _WIDEST:
            self._width = len(name)
            self._prefixes.clear()
        way = filter_for(sys.stdout) if self._screen is None else ShownLines(self._coloured)
        source = ShownLog(name, next(self._numbers), way)
        self._sources.append(source)
        return source

    def write(self, source: ShownLog, stamp: bytes, data: bytes) -> None:
        """Print a line or a part of one, or without prefix and times any bytes."""
        if isinstance(source.way, ShownLines):
            self._draw(source, source.way, stamp, data)
        else:
            if self._open is not source:
                self._end_line()
                self._unwritten += self._head(source, stamp)
            self._unwritten += source.way.feed(data)
            self._open = None if data.endswith(b"\n") else source
        if len(self._unwritten) > _PIECE_BYTES:
            self.flush()

    def notice(self, text: str) -> None:
        """Print a line of our own between those of logs."""
        line = f"--- {visible(text)} ---"
        self._end_line()
        self._unwritten += (f"{line}\n" if self._screen is None else self._screen.line(line)).encode()

    def finish(self, source: ShownLog) -> None:
        """A log has ended: colours that it left on end too."""
        if source in self._sources:
            self._sources.remove(source)
        if isinstance(source.way, ShownLines):
            self._put(source, source.way.end(), "")
        else:
            self._unwritten += source.way.end()

    def leave(self) -> None:
        """Nothing more is printed, whatever has ended: colours do, and a terminal's last line."""
        for source in list(self._sources):
            if not isinstance(source.way, ShownLines):
                self.finish(source)
        if self._screen is not None:
            self._unwritten += self._screen.leave().encode()
            self._screen = None
        self.flush()

    def end(self) -> None:
        """All logs have ended. What a shell prints next begins on a line of its own, unless one log is copied."""
        if self._prefixed:
            self._end_line()

    def flush(self) -> None:
        """Give everything to the reader. Raises BrokenPipeError if there is none."""
        if self._screen is not None:
            self._unwritten += self._screen.settle().encode()
        if self._unwritten:
            data = bytes(self._unwritten)
            self._unwritten.clear()
            write_bytes(data)

    def wait(self, *arriving: Pollable) -> None:
        """Wait until something arrives, with everything printed. Raises BrokenPipeError when the reader has gone."""
        self.flush()
        for each in arriving:
            self._reader.register(each, select.POLLIN)
        try:
            ready = self._reader.poll()
        finally:
            for each in arriving:
                self._reader.unregister(each)
        self.check(ready)

    def watch_reader(self, poll: select.poll) -> None:
        """Have poll() return when the reader of standard output has gone; `check` then says so."""
        poll.register(sys.stdout.fileno(), 0)

    def check(self, ready: list[tuple[int, int]]) -> None:
        """Raise BrokenPipeError if poll() says that the reader of standard output has gone."""
        if any(fd == sys.stdout.fileno() for fd, _ in ready):
            raise BrokenPipeError

    def _end_line(self) -> None:
        if self._open is not None:
            self._unwritten += b"\n"
            self._open = None

    def _draw(self, source: ShownLog, lines: ShownLines, stamp: bytes, data: bytes) -> None:
        """Print a line, or a part of one, on a terminal."""
        if not source.is_begun:
            source.head, source.is_begun = self._head(source, stamp), True
        self._put(source, lines.feed(data), lines.unfinished)
        source.is_begun = not data.endswith(b"\n")

    def _put(self, source: ShownLog, whole: list[str], unfinished: str) -> None:
        assert self._screen is not None
        head = source.head.decode()
        for line in whole:
            self._unwritten += self._screen.output(
                OutputLine(source.number, head, line, complete=True)
            ).encode()
        rest = OutputLine(source.number, head, unfinished, complete=False)
        self._unwritten += self._screen.output(rest).encode()

    def _head(self, source: ShownLog, stamp: bytes) -> bytes:
        head = self._prefix(source.name) if self._prefixed else b""
        if self._times is not None and stamp:
            head += self._times.text(stamp) + b" "
        return head

    def _prefix(self, name: str) -> bytes:
        prefix = self._prefixes.get(name)
        if prefix is None:
            text = f"{name:<{self._width}} |"
            if self._coloured:
                text = f"\x1b[{_COLOURS[crc32(name.encode(), _SEED) % len(_COLOURS)]}m{text}\x1b[0m"
            prefix = self._prefixes[name] = f"{text} ".encode()
        return prefix


def _local(stamp: bytes) -> tuple[bytes, bytes]:
    """A time's local date and time to the second, and the offset."""
    # Not at the top: only a command that prints times waits for the import.
    from datetime import datetime

    at = datetime.fromisoformat(f"{stamp[:19].decode()}+00:00").astimezone().isoformat().encode()
    return at[:19], at[19:]
