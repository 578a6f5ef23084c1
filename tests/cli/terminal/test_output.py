"""What an outlet prints on a terminal, and what elsewhere."""

import os
import pty
import threading
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.visible import style

STYLED = f"{style('failed', 'red')} \x1b[2Kand"
ITEMS: list[str | bytes] = [STYLED, b"raw \x1b[1m\xff\n", "end é"]


def test_a_file_gets_text_without_escapes_and_bytes_as_they_are(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w", encoding="utf-8") as file, closing(Outlet(file)) as outlet:
        for item in ITEMS:
            outlet.put(item)
    assert (tmp_path / "out").read_bytes() == b"failed \\x1b[2Kand\nraw \x1b[1m\xff\nend \xc3\xa9\n"


@pytest.mark.parametrize(
    ("no_color", "expected"), [("", b"\x1b[31mfailed\x1b[0m \\x1b[2Kand"), ("1", b"failed \\x1b[2Kand")]
)
def test_a_terminal_gets_colours_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, no_color: str, expected: bytes
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    leader, follower = pty.openpty()
    with open(follower, "w", encoding="utf-8") as terminal, closing(Outlet(terminal)) as outlet:
        outlet.put(STYLED)
        printed = b""
        while not printed.endswith(b"\n"):
            printed += os.read(leader, 1000)
    os.close(leader)
    assert printed.rstrip() == expected


def test_what_is_printed_waits_for_a_thread_and_in_the_end_needs_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with open(tmp_path / "out", "w", encoding="utf-8") as file:
        with monkeypatch.context() as machine, closing(Outlet(file)) as outlet:
            machine.setattr(threading.Thread, "start", refuse)
            outlet.put("one")
            outlet.put("two")
        assert (tmp_path / "out").read_text() == "one\ntwo\n"


def test_what_cannot_be_printed_does_not_end_the_printing(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w", encoding="utf-8") as file:
        outlet = Outlet(file)
    for item in ITEMS:  # the file is closed, which is no OSError
        outlet.put(item)
    outlet.close()
    assert not outlet.behind
