"""How the output of runs gets through an outlet, on a terminal and into a file."""

from __future__ import annotations

import itertools
import os
import pty
import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.cli.terminal import screen
from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.run_output import PrefixedOutput
from tests.cli.terminal.terminal_model import Terminal


class OnTerminal:
    """An outlet whose terminal is read as a person would."""

    def __init__(self) -> None:
        self.leader, self._follower = pty.openpty()
        self._file = open(self._follower, "w", encoding="utf-8")  # noqa: SIM115
        self.terminal = Terminal(80, 24)
        self.outlet = Outlet(self._file)
        self.output = PrefixedOutput(self.outlet)

    def shows(self, *expected: str) -> None:
        """Wait until the terminal does."""
        deadline = time.monotonic() + 10
        while self.terminal.text != [*expected] and time.monotonic() < deadline:
            if select.select([self.leader], [], [], 0.1)[0]:
                self.terminal.feed(os.read(self.leader, 65536))
        assert self.terminal.text == [*expected]

    def close(self) -> None:
        self.outlet.close()
        self._file.close()
        os.close(self.leader)


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[OnTerminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    it = OnTerminal()
    yield it
    it.close()


def test_terminal_shows_what_is_unfinished_below_all_else(on_terminal: OnTerminal) -> None:
    output, shows = on_terminal.output, on_terminal.shows
    web, build = output.sink("web"), output.sink("build")
    web.write(b"\x1b]0;evil\x07ready\nname? ")
    build.write(b"10%\r")
    for sink in (web, build):
        sink.show_unfinished()
    shows("web | ready", "web | name?", "build | 10%")
    on_terminal.outlet.put("12:00:00 a report")
    shows("web | ready", "12:00:00 a report", "web | name?", "build | 10%")
    build.write(b"20%")
    for sink in (web, build):
        sink.show_unfinished()
    shows("web | ready", "12:00:00 a report", "web | name?", "build | 20%")
    web.write(b"joe\n")
    for sink in (web, build):
        sink.show_unfinished()
    shows("web | ready", "12:00:00 a report", "web | name? joe", "build | 20%")
    build.end()
    web.end()
    on_terminal.outlet.put("bye")
    shows("web | ready", "12:00:00 a report", "web | name? joe", "build | 20%", "bye")


def test_next_program_begins_with_what_is_unfinished(on_terminal: OnTerminal) -> None:
    web = on_terminal.output.sink("web")
    web.write(b"ready\nname? ")
    web.show_unfinished()
    on_terminal.shows("web | ready", "web | name?")

    assert not web.leave()
    on_terminal.outlet.pause()

    on_terminal.shows("web | ready")


def test_what_is_unfinished_when_all_ends_stays_there(on_terminal: OnTerminal) -> None:
    web = on_terminal.output.sink("web")
    web.write(b"name? ")
    web.show_unfinished()
    on_terminal.outlet.close()
    on_terminal.shows("web | name?")
    assert on_terminal.terminal.row == ""


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_pass_on_a_terminal_unless_told_otherwise(
    on_terminal: OnTerminal, monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    on_terminal.outlet = Outlet(on_terminal._file)
    on_terminal.output = PrefixedOutput(on_terminal.outlet)
    web = on_terminal.output.sink("web")
    web.write(b"\x1b[31mred\n")
    printed = b""
    while not printed.endswith(b"\n"):
        printed += os.read(on_terminal.leader, 1000)
    if no_color:
        assert printed == b"web | red\r\n"
    else:
        assert printed == b"\x1b[2mweb\x1b[0m | \x1b[31mred\x1b[0m\r\n"


def test_file_gets_what_is_unfinished_after_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 0.4)
    monkeypatch.setattr("supervisor.cli.terminal.run_output.time.monotonic", lambda: next(clock))
    with open(tmp_path / "out", "w", encoding="utf-8") as file:
        outlet = Outlet(file)
        output = PrefixedOutput(outlet)
        web, bar = output.sink("web"), output.sink("bar")
        web.write(b"\x1b[31mname? ")
        bar.write(b"\r10%")
        for _ in range(int(screen.MOMENT_S / 0.4)):
            bar.write(b"\r20%")
            web.show_unfinished()
            bar.show_unfinished()
        web.write(b"joe")
        assert web.leave()
        assert not bar.leave()
        web.write(b"!\n")
        bar.write(b"\r30%\n")
        web.end()
        bar.end()
        outlet.close()
    assert (tmp_path / "out").read_text() == "web | name? joe!\nbar | 30%\n"
