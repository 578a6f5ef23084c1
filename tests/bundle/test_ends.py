"""The ends of logs, cut without showing a part of a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.bundle.ends import masked_end
from supervisor.bundle.masking import Masking
from supervisor.bundle.part import LeftOut
from supervisor.host import logs

SECRET = "pl4nted-" + "s3cret-" * 40
MASKING = Masking([SECRET])


def test_short_file_is_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"a {SECRET} b\n")

    assert masked_end(tmp_path / "log", 1000, MASKING) == b"a *** b\n"


@pytest.mark.parametrize("tail", range(0, 400, 7))
def test_secret_that_the_cut_goes_through_is_hidden(tmp_path: Path, tail: int) -> None:
    (tmp_path / "log").write_text(
        "x\n" * 20_000 + f"a {SECRET} b\n" + f"Authorization: Bearer {SECRET[:30]} pl4n\n"
    )

    shown = masked_end(tmp_path / "log", 20 + tail, MASKING)

    assert b"bytes before this are not in the bundle]" in shown
    assert b"pl4n" not in shown
    assert b"s3cr" not in shown


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\nthree\n")

    assert masked_end(tmp_path / "log", 6, MASKING) == b"[8 bytes before this are not in the bundle]\nthree\n"


def test_log_whose_head_was_dropped_begins_with_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    block = os.statvfs(tmp_path).f_bsize
    path.write_bytes((f"{SECRET}\n".encode() * 10_000)[: 64 * block])
    assert logs.enforce_limit(str(path), 8 * block) > 0

    shown = masked_end(path, 1 << 20, MASKING)

    assert b"s3cret" not in shown
    assert shown.count(b"***") > 10


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("fifo", "link"):
        with pytest.raises(LeftOut, match="it is no file"):
            masked_end(tmp_path / name, 10, MASKING)
    with pytest.raises(FileNotFoundError):
        masked_end(tmp_path / "none", 10, MASKING)
