"""The ends of logs, cut without showing a part of a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.bundle.archive import LeftOut
from supervisor.bundle.excerpt import masked_both_ends, masked_end
from supervisor.bundle.masker import Masker
from supervisor.host.runs import log_file

SECRET = "pl4nted-" + "s3cret-" * 40
MASKER = Masker([SECRET])


def test_short_file_is_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"a {SECRET} b\n")

    assert masked_end(tmp_path / "log", 1000, MASKER) == b"a *** b\n"


@pytest.mark.parametrize("tail", range(0, 400, 7))
def test_secret_that_the_cut_goes_through_is_hidden(tmp_path: Path, tail: int) -> None:
    (tmp_path / "log").write_text(
        "x\n" * 20_000 + f"a {SECRET} b\n" + f"Authorization: Bearer {SECRET[:30]} pl4n\n"
    )

    shown = masked_end(tmp_path / "log", 20 + tail, MASKER)

    assert b"bytes before this are not in the bundle]" in shown
    assert b"pl4n" not in shown
    assert b"s3cr" not in shown


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\nthree\n")

    assert masked_end(tmp_path / "log", 6, MASKER) == b"[8 bytes before this are not in the bundle]\nthree\n"


def test_log_whose_head_was_dropped_begins_with_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    block = os.statvfs(tmp_path).f_bsize
    path.write_bytes((f"{SECRET}\n".encode() * 10_000)[: 64 * block])
    assert log_file.enforce_limit(str(path), 8 * block) > 0

    shown = masked_end(path, 1 << 20, MASKER)

    assert b"s3cret" not in shown
    assert shown.count(b"***") > 10


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name, what in (("fifo", "a FIFO"), ("link", "a symbolic link")):
        with pytest.raises(LeftOut, match=what):
            masked_end(tmp_path / name, 10, MASKER)
    with pytest.raises(FileNotFoundError):
        masked_end(tmp_path / "none", 10, MASKER)


def test_beginning_and_end_of_a_report_are_there_and_lines_are_whole(tmp_path: Path) -> None:
    lines = [
        "Traceback\n",
        *(f"  line {number} EnvVar(name='A', value='pl4nted')\n" for number in range(1000)),
    ]
    (tmp_path / "report").write_text("".join(lines))
    size_bytes = (tmp_path / "report").stat().st_size

    for longest_bytes in range(1000, 1100, 7):
        head, _, tail = masked_both_ends(tmp_path / "report", longest_bytes, MASKER).partition(b"[")
        missing, _, tail = tail.partition(b" bytes in between are not in the bundle]\n")
        told = head.count(b"\n") + tail.count(b"\n")
        shown = "".join(lines[: head.count(b"\n")] + lines[-tail.count(b"\n") :])

        assert head.startswith(b"Traceback\n  line 0 EnvVar(name='A', value=***)\n")
        assert tail.endswith(b"  line 999 EnvVar(name='A', value=***)\n")
        assert int(missing) + len(shown) == size_bytes, told
        assert b"pl4n" not in head + tail


def test_line_that_is_longer_than_the_room_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("first\n" + "pl4nted " * 1000 + "\n")

    assert masked_both_ends(tmp_path / "report", 1000, MASKER) == (
        b"first\n[8001 bytes in between are not in the bundle]\n"
    )


def test_report_that_is_short_is_whole_and_a_link_is_none(tmp_path: Path) -> None:
    (tmp_path / "report").write_text(f"a {SECRET} b")
    (tmp_path / "link").symlink_to("report")

    assert masked_both_ends(tmp_path / "report", 1000, MASKER) == b"a *** b"
    with pytest.raises(LeftOut, match="a symbolic link"):
        masked_both_ends(tmp_path / "link", 1000, MASKER)


def test_log_with_holes_shows_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab", buffering=0) as file:
        file.write(f"before {SECRET}\n".encode())
        file.truncate(1 << 20)
        file.write(b"after\n")
        file.truncate(15 << 40)

    shown = masked_end(path, 2 << 20, MASKER)

    assert shown.startswith(b"before ***\n\n[")
    assert shown.endswith(b" bytes were never written: the command left a hole in its log]\nafter\n")
