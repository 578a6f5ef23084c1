"""Shows a terminal of the running supervisor on the user's own, and passes on what is typed.

The own terminal becomes as large as it is in the other one, which follows when it changes: each call says so, and the
supervisor's terminal has the size that was told last. What is on the own terminal is pushed up first, since what comes
is drawn at places that count from its upper left corner.

One thread waits for output, keys and signals. The output goes through an emulated screen too, so that at the end
exactly those modes are undone that were switched on. An upgrade or the death of the supervisor breaks the stream off;
the screen is drawn anew once a supervisor answers.
"""

from __future__ import annotations

import base64
import math
import signal
import time
from typing import Final, NoReturn

from supervisor.cli.remote.client import OPERATIONS, Client
from supervisor.cli.remote.discovery import NotRunning
from supervisor.cli.remote.live_response import LiveResponse
from supervisor.cli.remote.responses import ConnectionLost, Json, RequestRefused, event_of
from supervisor.cli.terminal.detach_keys import DetachKeys
from supervisor.cli.terminal.raw_terminal import ENDING, RawTerminal
from supervisor.model.errors import SupervisorError
from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.farewell import farewell

RETRY_S: Final = 0.05
"""How long a program that does not read keeps us from sending more."""
MOST_TYPED_BYTES: Final = 1 << 20
"""So much may wait to be sent; then the keyboard waits."""
ATTACH_S: Final = 10.0
"""How long to try again when the stream broke off: another supervisor may be about to start."""


class Detached(Exception):
    """The user wants to leave. The terminal goes on."""


class Ended(Exception):
    """The shell has ended. `status`: its exit code."""

    def __init__(self, status: int) -> None:
        self.status = status


class Signalled(Exception):
    """A signal ends this command. The terminal goes on."""

    def __init__(self, number: int) -> None:
        self.number = number


def attach(client: Client, id_: str, keys: DetachKeys) -> int | None:
    """Attach until the shell ends, or the user leaves.

    Returns:
        The exit code of the shell; 128 + N: signal N ended this command; None: the user has left.

    Raises NoTerminal, RequestRefused, ConnectionLost, NotRunning.
    """
    with RawTerminal() as terminal:
        attached = _Attached(client, id_, keys, terminal)
        try:
            attached.run()
        except Ended as ended:
            return ended.status
        except Detached:
            return None
        except Signalled as signalled:
            return 128 + signalled.number
        except OSError:
            return 128 + signal.SIGHUP  # our own terminal is gone
        finally:
            attached.leave()


class _Attached:
    def __init__(self, client: Client, id_: str, keys: DetachKeys, terminal: RawTerminal) -> None:
        self._client = client
        self._id = id_
        self._keys = keys
        self._terminal = terminal
        self._screen: EmulatedScreen | None = None
        self._typed = bytearray()
        self._retry_at: float | None = None
        self._shown_again = False

    def run(self) -> NoReturn:
        """Raises Ended, Detached, Signalled, and what the calls raise."""
        give_up_at = math.inf
        while True:
            try:
                self._show_all()
            except (ConnectionLost, NotRunning, RequestRefused) as error:
                # The stream of one who reads too slowly is aborted.
                is_over = isinstance(error, RequestRefused) and error.code != "aborted"
                if self._screen is None or is_over or time.monotonic() > give_up_at:
                    raise self._with_advice(error) from None
            if self._shown_again:
                self._shown_again = False
                give_up_at = time.monotonic() + ATTACH_S
            self._pause(RETRY_S)

    def _show_all(self) -> None:
        """Show what the terminal prints. Raises what `run` raises."""
        self._tell_size()
        stream = self._client.open_terminal(self._id)
        try:
            self._relay(stream)
        finally:
            stream.close()

    def _with_advice(self, error: ConnectionLost | NotRunning | RequestRefused) -> Exception:
        if self._screen is None or isinstance(error, RequestRefused):
            return error
        return ConnectionLost(
            f"the supervisor went away; the terminal goes on, and "
            f'"supervisor terminal attach {self._id}" shows it once a supervisor runs again'
        )

    def leave(self) -> None:
        """Undo what was switched on."""
        if self._screen is not None:
            try:
                self._terminal.write(farewell(self._screen))
            except OSError:
                pass  # the terminal is gone
            self._screen = None

    def _pause(self, wait_s: float) -> None:
        """Wait, but not with signals."""
        for event in self._terminal.wait(self._terminal.input, wait_s, keys=False):
            if event < 0:
                self._signalled(-event)
            else:
                self._read_keys()
                return

    def _tell_size(self) -> None:
        cols, rows = self._terminal.size()
        try:
            self._client.call("ResizeTerminal", OPERATIONS, terminalId=self._id, cols=cols, rows=rows)
        except RequestRefused as refused:
            # Its shell may have ended: what it has left can be seen all the same.
            if refused.code != "failed_precondition":
                raise

    def _relay(self, stream: LiveResponse) -> None:
        received = bytearray()
        while True:
            self._send()
            wait_s = None if self._retry_at is None else self._retry_at - time.monotonic()
            # What came with the head of the answer is there without a word of poll().
            received += stream.read()
            self._show_lines(received)
            if stream.ended:
                raise ConnectionLost
            for event in self._terminal.wait(
                stream.fileno(), wait_s, keys=len(self._typed) < MOST_TYPED_BYTES
            ):
                if event < 0:
                    self._signalled(-event)
                elif event == self._terminal.input:
                    self._read_keys()

    def _show_lines(self, received: bytearray) -> None:
        while (end := received.find(b"\n")) >= 0:
            line = bytes(received[:end])
            del received[: end + 1]
            self._show(event_of(line))

    def _show(self, message: Json) -> None:
        if "replay" in message:
            self._begin(message["replay"])
        elif "data" in message:
            self._print(base64.b64decode(message["data"].get("data", "")))
        elif "exited" in message:
            raise Ended(int(message["exited"].get("exitCode", 0)))

    def _begin(self, replay: Json) -> None:
        """Make room on the own terminal, and draw."""
        _, rows = self._terminal.size()
        if self._screen is None:
            self._terminal.write(b"\x1b[0m\x1b[%dH" % rows + b"\n" * rows + b"\x1b[H\x1b[2J")
        else:
            self._terminal.write(farewell(self._screen) + b"\x1b[H\x1b[2J")
        self._screen = EmulatedScreen(int(replay["cols"]), int(replay["rows"]))
        self._shown_again = True
        self._print(base64.b64decode(replay.get("data", "")))

    def _print(self, data: bytes) -> None:
        if self._screen is not None:
            self._screen.feed(data)
        self._terminal.write(data)

    def _signalled(self, number: int) -> None:
        if number in ENDING:
            raise Signalled(number)
        if number == signal.SIGCONT:
            # The shell that stopped us has had the terminal meanwhile.
            self._terminal.make_raw()
            raise ConnectionLost
        if number == signal.SIGWINCH:
            cols, rows = self._terminal.size()
            if self._screen is not None:
                self._screen.resize(cols, rows)
            self._tell_size()

    def _read_keys(self) -> None:
        typed = self._terminal.read()
        if not typed:
            raise Signalled(signal.SIGHUP)
        wanted, is_left = self._keys.feed(typed)
        self._typed += wanted
        if is_left:
            self._retry_at = None
            try:
                self._send()
            except (SupervisorError, NotRunning):
                pass  # who leaves does not wait for what he typed before
            raise Detached

    def _send(self) -> None:
        """Send what was typed, unless the program does not read just now."""
        if not self._typed or (self._retry_at is not None and time.monotonic() < self._retry_at):
            return
        self._retry_at = None
        data = bytes(self._typed)
        try:
            self._client.call(
                "WriteTerminal", OPERATIONS, terminalId=self._id, data=base64.b64encode(data).decode()
            )
        except RequestRefused as refused:
            if refused.code == "resource_exhausted":
                self._retry_at = time.monotonic() + RETRY_S
                return
            if refused.code != "failed_precondition":
                raise
            # The shell has ended: the stream is about to say so.
        finally:
            if self._retry_at is None:
                # Nobody knows whether what was sent on a connection that broke has come: not twice.
                del self._typed[: len(data)]
