"""A real terminal emulator as a witness: tmux, in which bytes are shown as a program's output.

A pane of a tmux server of its own holds a small program, which writes what it is sent to its terminal, then asks the
terminal whether it is well: once that is answered, tmux has read all that came before.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from supervisor.terminals.characters import DRAWING
from supervisor.terminals.pen import DEFAULT, Pen

Row = list[tuple[str, str]]
"""Each character with the sequence that makes it look so."""

DEADLINE_S = 20.0
FORMAT = ";".join(
    f"{name}=#{{{name}}}"
    for name in (
        "cursor_x", "cursor_y", "cursor_flag", "insert_flag", "keypad_cursor_flag", "keypad_flag", "origin_flag",
        "mouse_button_flag", "mouse_standard_flag", "mouse_all_flag", "mouse_sgr_flag", "mouse_utf8_flag",
        "scroll_region_upper", "scroll_region_lower", "wrap_flag", "alternate_on", "pane_tabs", "pane_width",
    )
)  # fmt: skip
_PROGRAM = """
import os, socket, sys, termios, tty
tty.setraw(0)
attributes = termios.tcgetattr(0)
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
stream = peer.makefile("rb")
while size := stream.readline():
    data = stream.read(int(size))
    while data:
        data = data[os.write(1, data):]
    os.write(1, b"\\x1b[5n")
    answers = b""
    while not answers.endswith(b"\\x1b[0n"):
        answers += os.read(0, 4096)
    peer.sendall(b"%d\\n%s" % (len(answers), answers))
"""

needs_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="needs tmux (Debian: apt-get install tmux)"
)


class TmuxTerminal:
    """A pane of tmux."""

    def __init__(self, folder: Path, cols: int, rows: int) -> None:
        self._folder = folder
        folder.mkdir()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "pane"))
        self._listener.listen()
        self._listener.settimeout(DEADLINE_S)
        program = folder / "program.py"
        program.write_text(_PROGRAM)
        self._run("-f", "/dev/null", "new-session", "-d", "-x", str(cols), "-y", str(rows), "-s", "t",
                  sys.executable, "-I", "-S", str(program), str(folder / "pane"))  # fmt: skip
        self._run("set", "-g", "status", "off")
        self._run("resize-window", "-t", "t", "-x", str(cols), "-y", str(rows))
        self._peer = self._listener.accept()[0]
        self._peer.settimeout(DEADLINE_S)
        self._stream = self._peer.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pid = int(self._run("display-message", "-p", "#{pid}"))
        # The program ends, its pane is closed, and the server ends with its last session.
        self._stream.close()
        self._peer.close()
        self._listener.close()
        give_up_at = time.monotonic() + DEADLINE_S
        while _lives(pid) and time.monotonic() < give_up_at:
            select.select([], [], [], 0.005)

    def _run(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._folder),
            "TERM": "xterm-256color",
        }
        return subprocess.run(
            ["tmux", "-S", str(self._folder / "tmux"), *arguments],
            env=environment, check=True, capture_output=True, text=True, timeout=DEADLINE_S,
        ).stdout  # fmt: skip

    def feed(self, data: bytes) -> bytes:
        """Show output. Returns what the terminal has answered to it."""
        self._peer.sendall(b"%d\n%s" % (len(data), data))
        size = int(self._stream.readline())
        answers = self._stream.read(size)
        return answers.removesuffix(b"\x1b[0n")

    def resize(self, cols: int, rows: int) -> None:
        self._run("resize-window", "-t", "t", "-x", str(cols), "-y", str(rows))

    def clear(self) -> None:
        """As new."""
        self.feed(
            b"\x1b\\\x18\x1b[?1049l\x1bc\x1b[?1000;1002;1003;1005;1006;1004;2004l\x1b[4l\x1b[m\x1b[3J\x1b]2;\x07"
        )
        self._run("clear-history", "-t", "t")

    def shown(self) -> dict[str, object]:
        """Rows with their colours, those of the main screen below too; the cursor and modes."""
        state = self._run("display-message", "-p", "-t", "t", FORMAT).rstrip("\n")
        fields: dict[str, object] = {}
        for field in state.split(";"):
            name, _, value = field.partition("=")
            fields[name] = value
        # After it became narrower, tmux may leave the cursor outside until it moves.
        x, width = int(str(fields["cursor_x"])), int(str(fields.pop("pane_width")))
        fields["cursor_x"] = x if x <= width else width - 1
        fields["rows"] = self._captured()
        if fields["alternate_on"] == "1":
            # It gets the present size when it is shown again.
            main = self._captured("-a")
            while main and not main[-1]:
                main.pop()
            fields["main"] = main
        return fields

    def _captured(self, *options: str) -> list[Row]:
        text = self._run("capture-pane", *options, "-e", "-p", "-N", "-t", "t").removesuffix("\n")
        rows = []
        pen, drawing = DEFAULT, False
        for line in text.split("\n"):
            row, pen, drawing = _looks(line, pen, drawing)
            rows.append(row)
        return rows


def _lives(pid: int) -> bool:
    """Whether it does more than wait to be reaped."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def _looks(line: str, pen: Pen, drawing: bool) -> tuple[Row, Pen, bool]:
    """A row as `(text, look)` pieces, without blanks at its end that look as if nothing was ever written there.

    Returns:
        The row, and how the next one begins.
    """
    row: Row = []
    for piece in re.split("(\x1b\\[[\\d;:]*m|[\x0e\x0f])", line):
        if piece in ("\x0e", "\x0f"):
            # tmux keeps line drawing characters as letters with a mark.
            drawing = piece == "\x0e"
        elif piece.startswith("\x1b"):
            pen = pen.changed(piece[2:-1])
        else:
            for character in piece.translate(DRAWING) if drawing else piece:
                # The colour of a blank's text is not to be seen.
                shown = pen.blank if character == " " and not (pen.flags or pen.underline) else pen
                row.append((character, shown.sgr))
    while row and row[-1] == (" ", DEFAULT.sgr):
        row.pop()
    return row, pen, drawing
