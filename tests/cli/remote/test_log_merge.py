"""Several logs, merged by the times of their lines, from answers that are made here."""

from __future__ import annotations

import os
from typing import Any, cast

import pytest

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.log_merge import PrintedRun, print_past
from supervisor.cli.remote.responses import RequestRefused
from supervisor.cli.remote.stamped_log import LONGEST_LINE, StampedLog
from supervisor.cli.terminal.log_writer import LogWriter

Parts = dict[str, list[tuple[float, str]]]
Out = pytest.CaptureFixture[bytes]


def at(second: float) -> str:
    return f"2026-11-30T22:27:{second:06.3f}Z"


class Answer:
    """A response that has arrived whole, and gives out a few bytes at a time."""

    def __init__(self, server: Server, body: bytes, step: int) -> None:
        self.headers = {"X-Log-Cursor": "r:0", "X-Log-Run": "r"}
        self.ended = False
        self._server = server
        self._body = body
        self._step = step
        self._ready = os.open("/dev/zero", os.O_RDONLY)  # poll() finds it readable
        server.open += 1
        server.most_open = max(server.most_open, server.open)

    def fileno(self) -> int:
        return self._ready

    def read(self) -> bytes:
        data, self._body = self._body[: self._step], self._body[self._step :]
        self.ended = not self._body
        return data

    def close(self) -> None:
        if self._ready >= 0:
            os.close(self._ready)
            self._ready = -1
            self._server.open -= 1


class Server:
    """In the place of `Client`. `logs`: `{path: [(second, text)]}`; a text is a part, whole lines or not."""

    def __init__(self, logs: Parts, step: int = 7) -> None:
        self.logs = logs
        self.step = step
        self.open = self.most_open = 0
        self.gone = ""
        self.asked: list[dict[str, str]] = []

    def open_log(self, path: str, parameters: dict[str, str]) -> Any:
        self.asked.append(parameters)
        if path == self.gone:
            raise RequestRefused("not_found", f'cannot find run "{path}"')
        begin = int(parameters.get("cursor", "r:0")[2:])
        parts = self.logs[path][begin:]
        body = b""
        for number, (second, text) in enumerate(parts, begin + 1):
            fresh = number == 1 or self.logs[path][number - 2][1].endswith("\n")
            data = (f"{at(second)} {text}" if fresh else text).encode()
            body += b"r:%d %d\n%b" % (number, len(data), data)
        return Answer(self, body, self.step)


def print_all(server: Server, *begun: float, followed: bool = False) -> list[PrintedRun]:
    writer = LogWriter(prefixed=True, times=None)
    runs = [
        PrintedRun(
            StampedLog(cast(Client, server), path, {}, {"timestamps": "true"}),
            writer.source(path), at(second), lives=True, lane=path,
        )
        for path, second in zip(server.logs, begun, strict=True)
    ]  # fmt: skip
    print_past(cast(Client, server), runs, writer, followed=followed)
    return runs


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_lines_come_in_the_order_of_their_times(capfdbinary: Out, step: int) -> None:
    logs: Parts = {
        "a": [(1, "a1\n"), (4, "a4\n")],
        "b": [(2, "b2\n"), (3, "b3\n"), (9, "b9\n")],
        "c": [(0, "c0\n")],
    }

    print_all(Server(logs, step), 0, 0, 0)

    assert capfdbinary.readouterr().out.split(b"\n")[:-1] == [
        b"c | c0", b"a | a1", b"b | b2", b"b | b3", b"a | a4", b"b | b9",
    ]  # fmt: skip


def test_log_whose_clock_went_back_stays_in_its_own_order(capfdbinary: Out) -> None:
    print_all(Server({"a": [(5, "a5\n"), (1, "a1\n"), (7, "a7\n")], "b": [(4, "b4\n"), (6, "b6\n")]}), 0, 0)

    out = capfdbinary.readouterr().out.split()[2::3]
    assert out == [b"b4", b"a5", b"a1", b"b6", b"a7"]


def test_log_is_asked_for_when_its_run_began(capfdbinary: Out) -> None:
    """However many runs there were: those that did not live at the same time are not open at the same time."""
    server = Server({f"r{number}": [(number, "x\n"), (number + 0.5, "y\n")] for number in range(50)})

    print_all(server, *range(50))

    assert (server.most_open, server.open) == (1, 0)
    assert len(capfdbinary.readouterr().out.splitlines()) == 100


def test_line_without_an_end_is_printed_or_goes_on_if_the_log_is_followed(capfdbinary: Out) -> None:
    whole: Parts = {"a": [(1, "half"), (2, " done\n")]}
    print_all(Server({"a": whole["a"][:1]}), 0)
    assert capfdbinary.readouterr().out == b"a | half\n"

    server = Server({"a": whole["a"][:1]})
    runs = print_all(server, 0, followed=True)
    assert capfdbinary.readouterr().out == b""
    server.logs = whole
    print_past(cast(Client, server), runs, LogWriter(prefixed=False, times=None), followed=True)
    assert server.asked[-1] == {"follow": "false", "timestamps": "true", "cursor": "r:1"}
    assert capfdbinary.readouterr().out == b"half done\n"


def test_line_that_is_too_long_is_printed_in_pieces(capfdbinary: Out) -> None:
    parts: list[tuple[float, str]] = [(1, "x" * 50_000), (1, "y" * 50_000), (1, "z\n"), (2, "next\n")]

    print_all(Server({"a": parts}, 1 << 20), 0)

    assert LONGEST_LINE < 100_000
    assert capfdbinary.readouterr().out == b"a | %b%bz\na | next\n" % (b"x" * 50_000, b"y" * 50_000)


def test_log_that_is_gone_meanwhile_says_so_and_the_others_go_on(capfdbinary: Out) -> None:
    server = Server({"a": [], "b": [(2, "b\n")]})
    server.gone = "a"

    print_all(server, 0, 0)

    assert capfdbinary.readouterr().out == b'--- a: cannot find run "a" ---\nb | b\n'


def test_rest_of_a_line_that_looks_like_a_time_stays() -> None:
    rest = f"{at(9)} x\n"
    log = StampedLog(cast(Client, Server({"a": [(1, "at "), (2, rest)]})), "a", {}, {"timestamps": "true"})
    log.open(follow=False)
    while not log.in_line:
        assert list(log.take()) == []
    pieces = list(log.unfinished())
    while not log.ended:
        pieces += log.take()
    log.close()
    assert pieces == [(at(1).encode(), b"at "), (at(1).encode(), rest.encode())]
