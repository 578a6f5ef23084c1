"""Views of a log's lines, over random logs that grow, against the rule applied to the whole log at once."""

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisor.api.logs import chunks, line_view
from supervisor.api.logs.chunks import ChunkCache, file_version
from supervisor.api.logs.line_pattern import LinePattern
from supervisor.api.logs.line_view import LineView
from supervisor.api.logs.log_query import WantedLines
from supervisor.api.logs.mask import HIDDEN
from supervisor.host.runs.line_times import LineTimes
from supervisor.model.timestamp import rfc3339_ms
from supervisor.shim.logs.log_times import NAME, RECORD, key

BEGAN_MS = 1_796_077_620_000
STAMP = re.compile(rb"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")
SECRETS = ("ab", "b\nc", "xyz")

Writes = list[tuple[int, bytes]]
"""Milliseconds since the last write, and what is written."""


@dataclass
class GrowingLog:
    """A log and its journal, and what is known of both."""

    state: Path
    secrets: frozenset[str]
    text: bytes = b""
    records: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.state / "runs/run").mkdir(parents=True)
        self.times = LineTimes(self.state)
        self.path = str(self.state / "runs/run/log")
        self.cache = ChunkCache(self)
        self.now_ms = BEGAN_MS

    def values(self) -> frozenset[str]:
        return self.secrets

    def write(self, after_ms: int, data: bytes) -> None:
        self.now_ms += after_ms
        self.records.append((len(self.text), self.now_ms))
        with open(self.state / NAME, "ab") as journal:
            journal.write(RECORD.pack(key("run"), len(self.text), self.now_ms * 1_000_000))
        with open(self.path, "ab") as log:
            log.write(data)
        self.text += data

    def shown(self) -> list[tuple[int, bytes]]:
        """The lines as they are shown, each with the offset at which it begins."""
        hidden = [False] * len(self.text)
        for value in (secret.encode() for secret in self.secrets):
            for at in range(len(self.text)):
                if self.text.startswith(value, at):
                    hidden[at : at + len(value)] = [True] * len(value)
        lines, line, begin = [], b"", 0
        for at, byte in enumerate(self.text):
            if not line:
                begin = at
            if not hidden[at]:
                line += bytes([byte])
                if byte == 10:
                    lines.append((begin, line))
                    line = b""
            elif at == 0 or not hidden[at - 1]:
                line += HIDDEN
        return lines + ([(begin, line)] if line else [])

    def ms_at(self, offset: int) -> int:
        return max((start, number, ms) for number, (start, ms) in enumerate(self.records) if start <= offset)[
            2
        ]

    def expected(self, wanted: WantedLines) -> bytes:
        first = min((start for start, ms in self.records if ms >= (wanted.since_ms or 0)), default=None)
        early = [number for number, (_, ms) in enumerate(self.records) if ms <= (wanted.until_ms or 1 << 60)]
        end = 0 if not early else [start for start, _ in [*self.records, (1 << 60, 0)]][early[-1] + 1]
        passing = b""
        for begin, line in self.shown():
            if first is None or not first <= begin < end:
                continue
            if wanted.pattern is None or wanted.pattern.matching([line])[0]:
                stamp = f"{rfc3339_ms(self.ms_at(begin))} ".encode() if wanted.timestamps else b""
                passing += stamp + line
        return passing


@dataclass
class Reader:
    """Reads a log with a view, as far as it goes."""

    log: GrowingLog
    wanted: WantedLines
    offset: int = 0
    text: bool = False
    got: list[tuple[bytes, int]] = field(default_factory=list)
    """What came, and the offset that its cursor has."""
    done: bool = False

    def __post_init__(self) -> None:
        self.view = LineView(self.wanted, self.log.times, "run", "run", begin=self.offset)
        if self.offset:
            self.offset = self.log.cache.line_start(self.log.path, self.offset)

    def read(self, final: bool) -> None:
        while not self.done:
            version = file_version(self.log.path)
            chunk = self.log.cache.chunk(self.log.path, self.offset, final, self.text, version)
            self.log.times.catch_up()
            piece = self.view.piece(chunk, chunk.fresh, final and not chunk.more)
            self.view.accept(piece)
            if piece.frame is not None:
                self.got.append((piece.frame.data, piece.end))
            stands, self.offset, self.done = piece.end == self.offset, piece.end, piece.done
            if stands:
                return

    @property
    def body(self) -> bytes:
        return b"".join(data for data, _ in self.got)


pieces = st.sampled_from(
    [b"a", b"b", b"\n", b"ab", b"xyz", b"b\nc", b"ok\n", b"\n\n", b"x", "é\n".encode(), b"\r\n"]
)
writes = st.lists(st.tuples(st.integers(0, 3), st.lists(pieces, max_size=6).map(b"".join)), max_size=12)
moments = st.none() | st.integers(BEGAN_MS - 1, BEGAN_MS + 20)
patterns = st.sampled_from([None, None, "a|x", r"^\W", "b$", r"^$", r"\*{3}"])


@settings(max_examples=150, deadline=None)
@given(writes, st.sets(st.sampled_from(SECRETS)), moments, moments, st.booleans(), patterns, st.booleans())
@example([(0, b"xy"), (1, b"z\n")], {"xyz"}, BEGAN_MS, None, True, None, False)
def test_lines_of_a_log_that_grows_are_those_of_the_whole(
    written: Writes,
    secrets: set[str],
    since_ms: int | None,
    until_ms: int | None,
    timestamps: bool,
    pattern: str | None,
    text: bool,
) -> None:
    wanted = WantedLines(since_ms, until_ms, timestamps, LinePattern(pattern) if pattern else None)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "_BLOCK", 64)
        patch.setattr(line_view, "LINES_AT_ONCE", 3)
        log = GrowingLog(Path(folder), frozenset(secrets))
        reader = Reader(log, wanted, text=text)
        log.write(0, b"")
        for after_ms, data in written:
            log.write(after_ms, data)
            reader.read(final=False)
        reader.read(final=True)
        expected = log.expected(wanted)
        assert reader.body == expected
        _check_cursors(log, reader, expected)


def _check_cursors(log: GrowingLog, reader: Reader, expected: bytes) -> None:
    """Who goes on after any cursor gets the rest."""
    seen = b""
    for data, end in reader.got:
        seen += data
        rest = Reader(log, reader.wanted, end, reader.text)
        rest.read(final=True)
        assert seen + rest.body == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 9), st.binary(max_size=40)), max_size=12))
def test_stamped_log_without_its_stamps_is_the_log(written: Writes) -> None:
    """Whatever bytes are written, and whatever the clock does."""
    with tempfile.TemporaryDirectory() as folder:
        log = GrowingLog(Path(folder), frozenset())
        reader = Reader(log, WantedLines(timestamps=True))
        for after_ms, data in written:
            log.write(after_ms, data)
            reader.read(final=False)
        if written:
            reader.read(final=True)
        lines = reader.body.split(b"\n")
        stamped = [line for line in lines if line]
        assert all(STAMP.match(line) for line in stamped)
        assert b"\n".join(line[25:] for line in lines) == log.text
        assert len(lines) == log.text.count(b"\n") + 1


def test_no_file_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    log = GrowingLog(tmp_path, frozenset())
    log.write(0, b"one\n")
    reader = Reader(log, WantedLines(timestamps=True))
    reader.read(final=True)

    assert reader.body.endswith(b" one\n")
    assert len(os.listdir("/proc/self/fd")) == before


def test_reader_that_begins_within_a_hidden_value_gets_nothing_of_it(tmp_path: Path) -> None:
    log = GrowingLog(tmp_path, frozenset({"hunter2"}))
    log.write(0, b"my hunter2 is\n")
    for offset in range(4, 11):
        reader = Reader(log, WantedLines(timestamps=True), offset)
        reader.read(True)
        assert reader.body == b" is\n"


def test_reader_that_has_the_beginning_of_a_line_is_within_it(tmp_path: Path) -> None:
    """What is said next, or the next run, begins on a line of its own."""
    log = GrowingLog(tmp_path, frozenset())
    log.write(0, b"done\nsure? ")
    reader = Reader(log, WantedLines(timestamps=True), len(log.text))
    reader.read(True)
    assert (reader.body, reader.view.in_line) == (b"", True)


def test_cursor_moves_on_while_no_line_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_view, "_SILENT_BYTES", 10)
    log = GrowingLog(tmp_path, frozenset())
    reader = Reader(log, WantedLines(pattern=LinePattern("yes")))
    for _ in range(5):
        log.write(0, b"no no\n")
        reader.read(False)
    assert reader.got == [(b"", 18), (b"", 30)]
