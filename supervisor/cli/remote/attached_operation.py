"""Runs a command in the running supervisor as if it ran here: with both of its streams, and its exit code.

Three responses are read side by side: the operation's (accepted, then ended) and the logs of its two streams. After an
upgrade each is asked for again, the logs from where they were left, the operation by its id. A supervisor that was
killed and started again within some seconds is the same.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import BinaryIO, TextIO
from urllib.parse import quote

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning
from supervisor.cli.remote.interrupts import Interrupts
from supervisor.cli.remote.live_response import LiveResponse
from supervisor.cli.remote.responses import ConnectionLost, Json, RequestRefused, event_of
from supervisor.cli.remote.stamped_log import StampedLog
from supervisor.cli.terminal.escapes import filter_for
from supervisor.cli.terminal.output import abandon
from supervisor.model.sysexits import EXIT_INTERRUPTED

BACK_S = 10.0
"""How long a supervisor that was killed has to be there again."""
_PAUSE_S = 0.1


class AttachedOperation:
    """One operation, from its request to its end."""

    what = "command"

    def __init__(self, client: Client, request: Json) -> None:
        """`request`: as for `POST /control/exec`, with an id."""
        self._client = client
        self._request = request
        self._id: str = request["id"]
        self._response: LiveResponse | None = None
        self._received = b""
        self.ended: Json | None = None
        """The operation as it was at its end; None: it has not ended."""

    def stop(self) -> None:
        """Cancel it."""
        self._client.control("cancel", id=self._id)

    def run(self) -> tuple[int, Json | None]:
        """Run it, and print what it prints. Returns the exit status, and the operation as it has ended; None: not yet.

        Raises RequestRefused, ConnectionLost, NotRunning.
        """
        with Interrupts() as interrupts, ExitStack() as stack:
            stack.callback(self._close)
            self._open()
            while not self._accepted():
                self._wait(self)
            interrupts.began(self)
            try:
                streams = [
                    stack.enter_context(closing(stream))
                    for name, out in (("stdout", sys.stdout), ("stderr", sys.stderr))
                    if (stream := self._stream(name, out)) is not None
                ]
                self._follow(streams)
            except KeyboardInterrupt:
                return EXIT_INTERRUPTED, None
        assert self.ended is not None
        status: int | None = self.ended["exitStatus"]
        return (1 if status is None else status), self.ended

    def fileno(self) -> int:
        """For poll()."""
        assert self._response is not None
        return self._response.fileno()

    def _stream(self, name: str, out: TextIO) -> _PrintedStream | None:
        """A stream; None: nothing is known of the operation any more, as its response says."""
        stream = _PrintedStream(self._client, self._id, name, out)
        try:
            stream.open()
        except RequestRefused as refused:
            if refused.code != "not_found":
                raise
            return None
        return stream

    def _follow(self, streams: list[_PrintedStream]) -> None:
        while self.ended is None or not all(stream.over for stream in streams):
            for stream in streams:
                stream.print()
            if self.ended is None:
                self._take()
            waited = [stream for stream in streams if not stream.over]
            self._wait(*waited, *([self] if self.ended is None else []))

    def _wait(self, *sources: AttachedOperation | _PrintedStream) -> None:
        if sources:
            poll = select.poll()
            for source in sources:
                poll.register(source, select.POLLIN)
            poll.poll()

    def _open(self) -> None:
        self._close()
        self._received = b""
        self._response = self._client.open_operation(self._request)

    def _close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _accepted(self) -> bool:
        """Whether it is. What follows is left for `_take`."""
        self._read()
        return b"\n" in self._received

    def _take(self) -> None:
        """Look whether it has ended. Raises RequestRefused: it could not be started."""
        self._read()
        while (end := self._received.find(b"\n")) >= 0:
            line, self._received = self._received[:end], self._received[end + 1 :]
            said = event_of(line)
            self.ended = said.get("ended")

    def _read(self) -> None:
        assert self._response is not None
        try:
            self._received += self._response.read()
            if self._response.ended and b'"ended"' not in self._received and b'"error"' not in self._received:
                raise ConnectionLost
        except ConnectionLost:
            again(self._client, self._open)
            self._read()  # what came with the head of the new response is not to be waited for


class _PrintedStream:
    """A stream of an operation on its way to one of ours. If that has no reader any more, the command goes on."""

    def __init__(self, client: Client, id_: str, name: str, out: TextIO) -> None:
        self._client = client
        self._log = StampedLog(client, f"operations/{quote(id_, safe='')}/{name}", {}, {})
        self._out = out
        self._shown = filter_for(out)

    def open(self) -> None:
        """Ask for it from where it was left. Raises RequestRefused."""
        try:
            self._ask()
        except (ConnectionLost, NotRunning):
            again(self._client, self._ask)

    def _ask(self) -> None:
        self._log.open(follow=True)

    @property
    def over(self) -> bool:
        """Whether all was printed."""
        return self._log.ended

    def fileno(self) -> int:
        """For poll()."""
        return self._log.fileno()

    def close(self) -> None:
        """Print what was kept back, and end the connection."""
        self._write(self._shown.end())
        self._log.close()

    def print(self) -> None:
        """Print what has come."""
        if self.over:
            return
        try:
            for _, data in self._log.take():
                self._write(self._shown.feed(data))
        except ConnectionLost:
            again(self._client, self._ask)
            self.print()  # what came with the head of the new response is not to be waited for

    def _write(self, data: bytes) -> None:
        binary: BinaryIO = self._out.buffer
        try:
            binary.write(data)
            binary.flush()
        except OSError:
            abandon(self._out)


def again(client: Client, ask: Callable[[], None]) -> None:
    """Ask again once the supervisor answers. Raises ConnectionLost if it has ended, and none was started."""
    give_up_at = time.monotonic() + BACK_S
    while True:
        try:
            client.resume()
            return ask()
        except (ConnectionLost, NotRunning):
            if time.monotonic() > give_up_at:
                raise ConnectionLost(
                    "the supervisor went away while the command ran, so its end is not known here; once one runs "
                    'again, "supervisor operations" lists it, and "supervisor exec --id ID" gets its result'
                ) from None
            time.sleep(_PAUSE_S)
