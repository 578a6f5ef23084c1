"""Logs on real filesystems. The writer's pattern is its own offset, so that every byte can be checked."""

import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.host.runs import log_file
from supervisor.shim.logs import file_hole

MIB = 1 << 20

WRITER = """
import os, sys
for i in range(int(sys.argv[1]) // 65536):
    os.write(1, b"".join(b"%015d\\n" % at for at in range(i * 65536, (i + 1) * 65536, 16)))
"""


def pattern(start: int, end: int) -> bytes:
    """What the writer wrote there: each 16 bytes are the offset of the first of them."""
    first = start - start % 16
    whole = b"".join(b"%015d\n" % at for at in range(first, end, 16))
    return whole[start - first : end - first]


def append(path: str, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def disk_bytes(path: str) -> int:
    return os.stat(path).st_blocks * 512


def cannot_punch(fd: int, offset: int, length: int) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def test_log_within_its_limit_is_left_alone(log: str) -> None:
    append(log, pattern(0, MIB))

    assert log_file.enforce_limit(log, MIB) == 0
    assert (log_file.first_kept(log), log_file.size(log)) == (0, MIB)


def test_head_is_dropped_and_offsets_stay_true(log: str) -> None:
    append(log, pattern(0, 3 * MIB + 5))

    dropped = log_file.enforce_limit(log, MIB)

    assert log_file.size(log) == 3 * MIB + 5
    assert log_file.first_kept(log) == dropped
    assert MIB * 3 // 4 <= log_file.size(log) - dropped <= MIB
    assert disk_bytes(log) <= MIB
    assert log_file.read(log, dropped, 4 * MIB).data == pattern(dropped, 3 * MIB + 5)


def test_limit_is_kept_again_after_more_was_written(log: str) -> None:
    append(log, pattern(0, 2 * MIB))
    first = log_file.enforce_limit(log, MIB)
    append(log, pattern(2 * MIB, 2 * MIB + 65536))

    assert (
        log_file.enforce_limit(log, MIB) == 0
    )  # a quarter of the limit has to be written before the next drop
    append(log, pattern(2 * MIB + 65536, 4 * MIB))
    second = log_file.enforce_limit(log, MIB)

    assert log_file.first_kept(log) == first + second
    assert log_file.read(log, 0, 16).dropped == first + second


def test_read_of_what_is_gone_begins_at_the_first_byte_kept(log: str) -> None:
    append(log, pattern(0, 2 * MIB))
    dropped = log_file.enforce_limit(log, MIB)

    chunk = log_file.read(log, 100, 32)

    assert chunk == log_file.Chunk(dropped, pattern(dropped, dropped + 32), dropped - 100, head=True)
    assert chunk.end == dropped + 32


@pytest.mark.slow
def test_writer_at_full_speed_loses_nothing_that_is_kept(log: str) -> None:
    written, limit = 256 * MIB, 4 * MIB
    with open(log, "ab") as out:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(written)], stdout=out)
    most, drops, deadline = 0, 0, time.monotonic() + 50
    while (ended := writer.poll()) is None and time.monotonic() < deadline:
        drops += log_file.enforce_limit(log, limit) > 0
        begin, most = log_file.first_kept(log), max(most, disk_bytes(log))
        chunk = log_file.read(log, begin, 4096)
        assert chunk.data == pattern(chunk.offset, chunk.end)

    assert ended == 0
    log_file.enforce_limit(log, limit)
    begin = log_file.first_kept(log)
    assert log_file.size(log) == written
    assert log_file.read(log, begin, written).data == pattern(begin, written)
    assert drops > 3
    # What is written between two looks comes on top: the writer is not slowed down.
    assert most < written // 2
    assert disk_bytes(log) <= limit


def test_limit_smaller_than_a_block_still_keeps_the_last_bytes(log: str) -> None:
    append(log, pattern(0, 64 * 4096))

    log_file.enforce_limit(log, 100)

    assert log_file.tail(log, 1, 16).encode() == pattern(64 * 4096 - 16, 64 * 4096)
    assert disk_bytes(log) <= 4096


@pytest.mark.parametrize("log", ["disk"], indirect=True)
def test_filesystem_without_holes_is_truncated_and_counts(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_hole, "punch", cannot_punch)
    append(log, pattern(0, 2 * MIB))

    assert log_file.enforce_limit(log, MIB) == 2 * MIB
    assert (log_file.first_kept(log), log_file.size(log)) == (2 * MIB, 2 * MIB)
    append(log, pattern(2 * MIB, 4 * MIB))
    assert log_file.read(log, 2 * MIB + 16, 32) == log_file.Chunk(
        2 * MIB + 16, pattern(2 * MIB + 16, 2 * MIB + 48)
    )
    assert log_file.enforce_limit(log, MIB) == 2 * MIB
    append(log, pattern(4 * MIB, 4 * MIB + 32))

    assert log_file.read(log, 0, 64) == log_file.Chunk(
        4 * MIB, pattern(4 * MIB, 4 * MIB + 32), 4 * MIB, head=True
    )
    assert log_file.tail(log, 1, 100).encode() == pattern(4 * MIB + 16, 4 * MIB + 32)
    assert os.path.getsize(log) == 32


@pytest.mark.parametrize("log", ["disk"], indirect=True)
def test_other_faults_of_the_filesystem_are_not_taken_for_a_missing_ability(
    log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(file_hole, "punch", broken)
    append(log, pattern(0, 2 * MIB))

    with pytest.raises(OSError, match="Input/output error"):
        log_file.enforce_limit(log, MIB)
    assert log_file.size(log) == 2 * MIB


def test_hole_punched_between_look_and_read_is_never_read(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, pattern(0, 2 * MIB))
    pread = os.pread

    def pread_late(fd: int, count: int, offset: int) -> bytes:
        log_file.enforce_limit(log, MIB)
        return pread(fd, count, offset)

    monkeypatch.setattr(os, "pread", pread_late)
    chunk = log_file.read(log, 0, 32)

    assert chunk.offset == log_file.first_kept(log) > 0
    assert chunk.data == pattern(chunk.offset, chunk.end)


def test_read_at_the_end_is_empty_and_goes_on_when_more_comes(log: str) -> None:
    append(log, b"one\n")

    assert log_file.read(log, 4, 100) == log_file.Chunk(4, b"")
    append(log, b"two\n")
    assert log_file.read(log, 4, 100) == log_file.Chunk(4, b"two\n")


def test_reader_of_a_log_that_its_command_truncated_begins_anew(log: str) -> None:
    append(log, b"before\n")
    with open(log, "wb") as file:  # what `> /dev/stdout` does
        file.write(b"new\n")

    assert log_file.read(log, 7, 100) == log_file.Chunk(0, b"new\n")


def test_missing_log_is_an_empty_one(log: str) -> None:
    assert log_file.enforce_limit(log, 1) == 0
    assert log_file.size(log) == log_file.first_kept(log) == log_file.find_tail(log, 1).start == 0
    assert log_file.read(log, 5, 10) == log_file.Chunk(5, b"")
    assert log_file.tail(log, 10, 100) == ""


@pytest.mark.parametrize("log", ["disk"], indirect=True)
def test_link_in_the_place_of_a_log_is_not_followed(log: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(2 * MIB))
    os.symlink(tmp_path / "other", log)

    with pytest.raises(OSError, match="a symbolic link"):
        log_file.read(log, 0, 10)


@pytest.mark.parametrize("log", ["disk"], indirect=True)
def test_fifo_in_the_place_of_a_log_blocks_nobody(log: str) -> None:
    os.mkfifo(log)

    with pytest.raises(OSError, match="a FIFO"):
        log_file.read(log, 0, 10)


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        (b"", 3, ""),
        (b"one", 3, "one"),
        (b"one\ntwo\nthree\n", 2, "two\nthree\n"),
        (b"one\ntwo\nthree", 2, "two\nthree"),
        (b"one\n\n\n", 2, "\n\n"),
        (b"\n", 1, "\n"),
        (b"one\ntwo\n", 0, ""),
        (b"10%\r20%\rdone\n", 1, "10%\r20%\rdone\n"),
        (b"\x1b[31mred\x00\n", 1, "\x1b[31mred\x00\n"),
        (b"caf\xe9\n", 1, "caf\ufffd\n"),
    ],
)
@pytest.mark.parametrize("log", ["disk"], indirect=True)
def test_tail_is_the_last_lines(log: str, content: bytes, lines: int, expected: str) -> None:
    append(log, content)

    assert log_file.tail(log, lines, 1000) == expected


@pytest.mark.parametrize("log", ["disk"], indirect=True)
def test_tail_of_a_line_without_end_is_bounded_and_begins_with_a_whole_character(log: str) -> None:
    append(log, "ü€".encode() * 200_000)

    assert log_file.tail(log, 20, 9) == "€ü€"


@given(content=st.lists(st.integers(0, 100_000), max_size=8), lines=st.integers(1, 6), ended=st.booleans())
def test_tail_offset_agrees_with_reading_everything(content: list[int], lines: int, ended: bool) -> None:
    text = b"\n".join(b"x" * length for length in content) + (b"\n" if ended else b"")
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()

        assert log_file.find_tail(file.name, lines).start == len(text) - len(
            b"".join(text.splitlines(True)[-lines:])
        )


def test_tail_stops_at_the_first_byte_kept(log: str) -> None:
    append(log, b"x" * 2 * MIB)
    dropped = log_file.enforce_limit(log, MIB)

    assert log_file.find_tail(log, 5).start == dropped


def test_follower_keeps_a_character_that_two_reads_share() -> None:
    follower = log_file.LineFollower()

    assert follower.feed(b"gr" + "ü".encode()[:1]) == []
    assert follower.feed("ü".encode()[1:] + b"n\nrot") == ["grün"]
    assert follower.feed(b"\r\n") == ["rot\r"]
    assert follower.flush() == []


def test_follower_gives_out_a_long_line_in_pieces() -> None:
    follower = log_file.LineFollower()

    assert follower.feed(b"x" * 20_000) == ["x" * 8192] * 2
    assert follower.feed(b"\nnext\n") == ["x" * (20_000 - 2 * 8192), "next"]


def test_follower_flush_gives_the_line_that_has_no_end() -> None:
    follower = log_file.LineFollower()

    assert follower.feed(b"last \xe2\x82") == []
    assert follower.flush() == ["last \ufffd"]
    assert follower.flush() == []


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200)))
def test_follower_does_not_care_how_the_bytes_were_cut(data: bytes, cuts: list[int]) -> None:
    follower, lines, at = log_file.LineFollower(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        lines += follower.feed(data[at:cut])
        at = max(at, cut)
    lines += follower.flush()

    text = data.decode("utf-8", "replace")
    assert lines == (text.removesuffix("\n").split("\n") if text else [])


def test_ctypes_is_not_loaded_before_a_log_is_full() -> None:
    check = "import sys, supervisor.host.runs.log_file; sys.exit('ctypes' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-5", b"9" * 30, b"\xff\xfe", b"12", "folder", "link", "pipe", "dangling"]
)
def test_base_that_is_none_of_ours_is_no_base_and_nobody_waits_for_it(
    tmp_path: Path, content: bytes | str
) -> None:
    path, base = str(tmp_path / "log"), tmp_path / "log.base"
    append(path, b"one\ntwo\n")
    (tmp_path / "elsewhere").write_text("1000000")
    match content:
        case bytes():
            base.write_bytes(content)
        case "folder":
            base.mkdir()
        case "link":
            base.symlink_to(tmp_path / "elsewhere")
        case "dangling":
            base.symlink_to(tmp_path / "nothing")
        case _:
            os.mkfifo(base)

    assert log_file.first_kept(path) == (12 if content == b"12" else 0)
    assert log_file.tail(path, 1, 100) == "two\n"
