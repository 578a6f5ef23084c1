"""Lines of several logs on one output."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from supervisor.cli.terminal.log_writer import LogWriter, ShownTimes
from tests.cli.terminal.terminal_model import Terminal

AT = b"2026-11-30T22:27:03.123Z"
Out = pytest.CaptureFixture[bytes]


def test_lines_have_the_names_of_their_items(capfdbinary: Out) -> None:
    writer = LogWriter(prefixed=True, times=ShownTimes(utc=True))
    web, database = writer.source("web"), writer.source("database")
    writer.write(web, AT, b"one\n")
    writer.notice("web: run 2 began")
    writer.write(database, AT, b"\x1b[31mred\r\n")
    writer.flush()

    assert capfdbinary.readouterr().out == (
        b"web      | 2026-11-30T22:27:03.123Z one\n"
        b"--- web: run 2 began ---\n"
        b"database | 2026-11-30T22:27:03.123Z \x1b[31mred\r\n"
    )


def test_line_that_is_interrupted_goes_on_with_its_prefix(capfdbinary: Out) -> None:
    writer = LogWriter(prefixed=True, times=None)
    a, b = writer.source("a"), writer.source("b")
    writer.write(a, AT, b"Pass")
    writer.write(a, AT, b"word: ")
    writer.write(b, AT, b"other\n")
    writer.write(a, AT, b"given\n")
    writer.flush()

    assert capfdbinary.readouterr().out == b"a | Password: \nb | other\na | given\n"


def test_one_log_is_printed_as_it_is(capfdbinary: Out) -> None:
    writer = LogWriter(prefixed=False, times=None)
    web = writer.source("web")
    for data in (b"\x00\xff\r", b"no end"):
        writer.write(web, b"", data)
    writer.finish(web)
    writer.flush()

    assert capfdbinary.readouterr().out == b"\x00\xff\rno end"


@contextmanager
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Standard output is a terminal. Gives a function that returns what it shows."""
    leader, follower = pty.openpty()
    terminal = Terminal(60, 10)
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 60, 0, 0))

    def shows() -> list[str]:
        while select.select([leader], [], [], 0.05)[0]:
            terminal.feed(os.read(leader, 65536))
        return terminal.text

    with open(follower, "w") as out, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", out)
        patch.setenv("TERM", "xterm")
        patch.delenv("NO_COLOR", raising=False)
        yield shows
    os.close(leader)


def test_on_a_terminal_nothing_goes_back_into_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_terminal(monkeypatch) as shows:
        writer = LogWriter(prefixed=True, times=ShownTimes(utc=True))
        web = writer.source("web")
        writer.write(web, AT, b"10 %\r100 %\r\n")
        writer.write(web, AT, b"\b\b\b\b\b\bapi | \x1b[2K\x1b]0;title\x07\x1b[31mred\x1b[0m\n")
        writer.write(web, AT, b"plain\n")
        writer.leave()

        assert shows() == [f"web | {AT.decode()} {line}" for line in ("100 %", "red", "plain")]


def test_on_a_terminal_unfinished_lines_stand_below_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_terminal(monkeypatch) as shows:
        writer = LogWriter(prefixed=True, times=None)
        web, ask = writer.source("web"), writer.source("ask")
        writer.write(ask, AT, b"Password: ")
        for part in (b"1 %\r", b"2 %\r", b"\r3 %"):
            writer.write(web, AT, part)
            writer.flush()
        writer.notice("a notice")
        writer.flush()
        assert shows() == ["--- a notice ---", "ask | Password:", "web | 3 %"]
        writer.write(web, AT, b" done\n")
        writer.flush()
        assert shows() == ["--- a notice ---", "web | 3 % done", "ask | Password:"]
        writer.write(ask, AT, b"given")
        writer.finish(ask)
        writer.finish(web)
        writer.leave()
        assert shows() == ["--- a notice ---", "web | 3 % done", "ask | Password: given"]


def test_one_log_on_a_terminal_has_what_it_may_show(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_terminal(monkeypatch) as shows:
        writer = LogWriter(prefixed=False, times=None)
        writer.write(writer.source("web"), b"", b"10%\x1b]0;title\x07\x1b[31m\r20%")
        writer.leave()
        assert shows() == ["20%"]


def test_times_are_shown_in_local_time(monkeypatch: pytest.MonkeyPatch, berlin: None) -> None:
    times = ShownTimes(utc=False)

    assert times.text(AT) == b"2026-11-30T23:27:03.123+01:00"
    assert times.text(AT.replace(b".123", b".999")) == b"2026-11-30T23:27:03.999+01:00"
    assert times.text(b"2026-07-01T22:59:59.000Z") == b"2026-07-02T00:59:59.000+02:00"


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_writer_that_waits_finds_out_that_its_reader_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    never, silent = os.pipe()
    with open(writing, "w") as out, open(never) as nothing:
        monkeypatch.setattr("sys.stdout", out)
        writer = LogWriter(prefixed=False, times=None)
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            writer.wait(nothing)
    os.close(silent)
