"""Prints what several logs have, in the order of the times of their lines.

Each log is in order by itself. So of each one a piece is held, and the log whose line is the oldest goes on. A log is
asked for when its turn comes, at the time when its run began, and let go at its end: there are as many connections as
runs that lived at the same time, and no more of a log is here than was printed, but for one piece.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.responses import ConnectionLost, RequestRefused
from supervisor.cli.remote.stamped_log import Piece, StampedLog, every_piece
from supervisor.cli.terminal.log_writer import LogWriter, ShownLog


class PrintedRun:
    """A run's log on its way to the output."""

    def __init__(
        self, log: StampedLog, source: ShownLog, began: str, lives: bool, lane: str, notice: str = ""
    ) -> None:
        """Print a log, from where that begins.

        Args:
            log: not opened yet.
            source: what the output knows it by.
            began: when the run did, RFC 3339.
            lives: whether it may print more.
            lane: of the runs that have it in common one is printed after the other.
            notice: what is said before its first line.
        """
        self.log = log
        self.source = source
        self.lives = lives
        self.time = began.encode()
        """Of the last line; before the first one, when it began."""
        self.lane = lane
        self.by_step = False
        """Whether its log is that of a step, so that it may be known by its id."""
        self.notice = notice
        self.number = 0
        """Tells runs apart that began at the same time."""
        self._pieces: Iterator[Piece | None] = iter(())
        self._head: Piece | None = None

    def __lt__(self, other: PrintedRun) -> bool:
        return (self.time, self.number) < (other.time, other.number)

    def announce(self, writer: LogWriter) -> None:
        """Say what is to be said before its first line."""
        if self.notice:
            writer.notice(self.notice)
            self.notice = ""

    def open(self, client: Client, writer: LogWriter, *, follow: bool) -> None:
        """Ask for the log. One that is gone has nothing more, and says so. Raises ConnectionLost, NotRunning."""
        while True:
            try:
                self.log.open(follow=follow)
                return
            except ConnectionLost:
                client.resume()
            except RequestRefused as refused:
                if refused.code != "not_found":
                    raise
                writer.notice(f"{self.source.name}: {refused}")
                return

    def print_until(self, other: PrintedRun | None, writer: LogWriter) -> bool:
        """Print the lines that are older than another's. Returns whether there is another line."""
        while self._head is not None or self._fill(writer):
            if other is not None and other < self:
                return True
            assert self._head is not None
            writer.write(self.source, *self._head)
            self._head = None
        return False

    def read_past(self) -> None:
        """Go through what the log has now."""
        self._pieces = every_piece(self.log)

    def end(self, writer: LogWriter) -> None:
        """Print the last line, which has no end."""
        for piece in self.log.unfinished():
            writer.write(self.source, *piece)
        writer.finish(self.source)

    def _fill(self, writer: LogWriter) -> bool:
        for piece in self._pieces:
            if piece is not None:
                self._head = piece
                self.time = max(self.time, piece[0])
                return True
            writer.wait(self.log)
        return False


def print_past(client: Client, runs: Sequence[PrintedRun], writer: LogWriter, *, followed: bool) -> None:
    """Print what the logs have now, to the end of each.

    If they are followed, what comes is read from there: the line that a live run has begun waits for its end.
    """
    waiting = list(runs)
    for number, run in enumerate(waiting):
        run.number = number
    heapq.heapify(waiting)
    begun: set[PrintedRun] = set()
    while waiting:
        run = heapq.heappop(waiting)
        if run not in begun:
            begun.add(run)
            run.announce(writer)
            run.open(client, writer, follow=False)
            run.read_past()
        if run.print_until(waiting[0] if waiting else None, writer):
            heapq.heappush(waiting, run)
            continue
        run.log.close()
        if not (run.lives and followed):
            run.end(writer)
    if not followed:
        writer.end()
    writer.flush()
