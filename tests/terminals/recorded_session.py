"""What real programs print on a terminal, as it was recorded: `python -m tests.terminals.recorded_session NAME`.

A recording is a file of lines as asciinema has them (version 2): the size, then `[seconds, "o", text]` and
`[seconds, "r", "COLSxROWS"]`. A character that was cut stands in the piece with its rest.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

SESSIONS = Path(__file__).parent / "sessions"
Step = bytes | tuple[int, int]
"""Output, or another size."""


def load(name: str) -> tuple[tuple[int, int], list[Step]]:
    """The size at first, and what happened."""
    head, *lines = (SESSIONS / f"{name}.cast").read_text().splitlines()
    size = json.loads(head)
    steps: list[Step] = []
    for line in lines:
        _, kind, text = json.loads(line)
        if kind == "r":
            cols, _, rows = text.partition("x")
            steps.append((int(cols), int(rows)))
        else:
            steps.append(text.encode())
    return (size["width"], size["height"]), steps


PROGRAMS: dict[str, tuple[list[str], list[str | tuple[int, int]]]] = {
    "shell": (
        ["bash", "--norc", "--noprofile", "-i"],
        [
            "PS1='\\[\\e[1;32m\\]me@here\\[\\e[0m\\]:\\[\\e[34m\\]\\w\\[\\e[0m\\]\\$ '\r", "ls --color=always /usr\r",
            "echo one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen\r",
            "\x1b[A\x01\x1b[C\x1b[Cxyz\x1b[D\x1b[D\x08\x0bwords\r", "\x12ls --\x07", "\x03", "ech\x09 /us\x09\x15",
            (60, 20), "seq 30\r", "echo this line is longer than sixty columns and so it wraps on to the next one\r",
            (90, 26), "\x1b[A", (40, 10), "\r", "printf '\\e[?25l\\e[44m blue '; echo -n there\r",
        ],
    ),
    "vim": (
        ["vim", "-u", "NONE", "-N", "-c", "syntax on", "-c", "set number ruler showcmd hlsearch", "sample.py"],
        ["\x06", "/def\r", "nn", "V3jd", ":split\r",
         "ihello \x1b[200~w\u00f6rld \u6f22\u5b57\x1b[201~\x1b", (100, 30), ":vsplit\r",
         "zt\x17w", "50ix\x1b", (60, 15), "\x0c", ":set nonumber\r", "v3jl"],
    ),
    "less": (["less", "-R", "sample.py"], [" ", "/return\r", "n", (50, 12), "G", "b", "-N\r", "h"]),
    "tmux": (
        ["tmux", "-L", "inside", "-f", "/dev/null", "new-session", "bash --norc --noprofile -i"],
        ["seq 40\r", "\x02%", "vim -u NONE sample.py\r", "\x06", '\x02"',
         "echo below\r", (100, 30), "\x02\x1b[D", "ls /usr\r"],
    ),
}  # fmt: skip
"""What is typed, piece by piece, each when nothing more was printed to the one before."""
_QUIET_S = 0.4


def record(name: str, folder: Path) -> None:
    """Run a program and write what it prints."""
    arguments, typed = PROGRAMS[name]
    (folder / "sample.py").write_text(Path(codecs.__file__).read_text()[:4000])
    pid, leader = pty.fork()
    if not pid:
        os.chdir(folder)
        kept = {key: os.environ[key] for key in ("PATH", "HOME")}
        os.execvpe(arguments[0], arguments, kept | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"})
    size = (80, 24)
    lines: list[object] = [{"version": 2, "width": size[0], "height": size[1]}]
    _set_size(leader, size)
    decode = codecs.getincrementaldecoder("utf-8")("strict").decode
    for keys in ["", *typed]:
        if isinstance(keys, tuple):
            _set_size(leader, keys)
            lines.append([0, "r", f"{keys[0]}x{keys[1]}"])
        else:
            os.write(leader, keys.encode())
        lines += [[0, "o", decode(piece)] for piece in _printed(leader)]
    os.kill(pid, signal.SIGHUP)
    os.close(leader)
    os.waitpid(pid, 0)
    SESSIONS.mkdir(exist_ok=True)
    (SESSIONS / f"{name}.cast").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _set_size(leader: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))


def _printed(leader: int) -> Iterator[bytes]:
    quiet_at = time.monotonic() + _QUIET_S
    while (wait_s := quiet_at - time.monotonic()) > 0:
        if select.select([leader], [], [], wait_s)[0]:
            piece = os.read(leader, 65536)
            # What a terminal would answer to vim and tmux, so that they do not wait for it.
            if b"\x1b[c" in piece or b"\x1b[>c" in piece:
                os.write(leader, b"\x1b[?62;22c")
            yield piece
            quiet_at = time.monotonic() + _QUIET_S


if __name__ == "__main__":
    import tempfile

    for session in sys.argv[1:] or PROGRAMS:
        with tempfile.TemporaryDirectory() as temporary:
            record(session, Path(temporary))
