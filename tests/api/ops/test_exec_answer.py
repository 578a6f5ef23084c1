"""The answer to an Exec: its text, and its two forms, which are those of the message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connect_server.codecs import BinaryCodec, JSONCodec
from supervisor.api.ops.exec_answer import AnsweredStream, encoded, message

PATH = "/state/runs/1/stdout"


@dataclass(frozen=True)
class Kept:
    """A stream in memory."""

    head: bytes
    tail: bytes = b""
    missing_bytes: int = 0
    size: int = 3

    @property
    def head_bytes(self) -> int:
        return len(self.head)

    def chunks(self) -> Iterator[bytes]:
        for part in (self.head, self.tail):
            for at in range(0, len(part), self.size):
                yield part[at : at + self.size]


def text(kept: Kept, note: str = "") -> str:
    return "".join(AnsweredStream(kept, PATH, note).pieces())


@pytest.mark.parametrize(
    ("kept", "note", "expected"),
    [
        (Kept(b""), "", ""),
        (Kept(b"one\ntwo"), "", "one\ntwo"),
        (Kept("grün €".encode(), size=1), "", "grün €"),
        (Kept(b"a\xffb\x00\xe2\x82"), "", "a\ufffdb\0\ufffd"),
        (Kept(b""), "ended", "supervisor: ended\n"),
        (Kept(b"a"), "ended", "a\nsupervisor: ended\n"),
        (Kept(b"a\n"), "ended", "a\nsupervisor: ended\n"),
        (Kept(b"a\xe2"), "ended", "a\ufffd\nsupervisor: ended\n"),
        (Kept(b"a\n", b"z", 7), "", "a\n{}z"),
        (Kept(b"a\xe2", b"\x82z\n", 7), "ended", "a\ufffd\n{}\ufffdz\nsupervisor: ended\n"),
        (Kept(b"abc", b"", 7), "ended", "abc\n{}supervisor: ended\n"),
        (Kept(b"", b"z", 7), "", "{}z"),
        (Kept(b"", b"", 7), "", "{}"),
    ],
)
def test_text_of_a_stream(kept: Kept, note: str, expected: str) -> None:
    gap = f"supervisor: 7 bytes are missing here; what is kept is in {PATH}\n"
    assert text(kept, note) == expected.replace("{}", gap)


def test_bytes_that_the_disk_had_no_room_for_are_told_before_the_last_line() -> None:
    stream = AnsweredStream(Kept(b"a"), PATH, "ended", lost_bytes=9)
    lost = f"supervisor: 9 bytes are missing here: the disk was full; the others are in {PATH}\n"
    assert "".join(stream.pieces()) == f"a\n{lost}supervisor: ended\n"


@given(
    st.integers(0, 255),
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.sampled_from(["", "ended because of its limit"]),
    st.integers(1, 200),
)
def test_both_forms_are_those_of_the_message(code: int, out: bytes, err: bytes, note: str, size: int) -> None:
    streams = AnsweredStream(Kept(out, size=size), PATH), AnsweredStream(Kept(err, size=size), PATH, note)
    whole = message(code, *streams)
    assert whole.stdout == out.decode("utf-8", "replace")
    for codec in (BinaryCodec(), JSONCodec()):
        assert codec.encode(encoded(codec.name, code, *streams)) == codec.encode(whole)
