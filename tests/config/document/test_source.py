"""Whatever stands at the path is read without waiting, or refused with a reason."""

import io
import os
import socket
import sys
from pathlib import Path

import pytest

from supervisor.config import load_file
from supervisor.config.document.source import read
from supervisor.config.document.text import LIMIT_BYTES


def reason(path: Path | str) -> str:
    loaded = load_file(path)
    assert loaded.file is None
    [problem] = loaded.problems
    assert problem.line == 0
    return problem.render("f")


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "automations.yaml"
    path.write_bytes(b"tasks: {}\n")

    assert read(path) == b"tasks: {}\n"
    assert load_file(str(path)).file is not None


def test_missing_file(tmp_path: Path) -> None:
    assert reason(tmp_path / "none") == "f: cannot read the file: no such file or directory"
    assert reason(tmp_path / "none" / "below") == "f: cannot read the file: no such file or directory"


def test_link_that_leads_nowhere_and_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("none")
    (tmp_path / "loop").symlink_to("loop")

    assert reason(tmp_path / "dangling") == "f: cannot read the file: no such file or directory"
    assert "too many levels of symbolic links" in reason(tmp_path / "loop")


def test_directory(tmp_path: Path) -> None:
    assert reason(tmp_path) == "f: cannot read the file: it is a directory"


@pytest.mark.timeout(10)
def test_named_pipe_without_a_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert reason(tmp_path / "pipe").startswith(
        "f: cannot read the file: it is a named pipe; to read what it gives, use"
    )


@pytest.mark.timeout(10)
def test_device_is_not_read() -> None:
    assert reason("/dev/zero") == "f: cannot read the file: it is a device"


def test_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))

        assert reason(tmp_path / "socket").startswith("f: cannot read the file: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0)

    assert reason(tmp_path / "secret") == "f: cannot read the file: permission denied"


def test_name_with_a_nul_character() -> None:
    assert reason("a\0b") == "f: cannot read the file: its name holds a NUL character"


def test_name_that_is_too_long(tmp_path: Path) -> None:
    assert reason(tmp_path / ("x" * 300)) == "f: cannot read the file: file name too long"


def test_reading_ends_one_byte_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(LIMIT_BYTES * 100)

    data = read(path)

    assert isinstance(data, bytes)
    assert len(data) == LIMIT_BYTES + 1
    assert reason(path) == "f: the file is larger than 10 MB"


class Stdin:
    """Standard input as far as reading bytes goes."""

    def __init__(self, buffer: io.RawIOBase | io.BytesIO) -> None:
        self.buffer = buffer


def test_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(b"tasks: {}")))

    assert read("-") == b"tasks: {}"


def test_standard_input_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/zero", "rb", buffering=0) as endless:
        monkeypatch.setattr(sys, "stdin", Stdin(endless))
        data = read("-")

    assert isinstance(data, bytes)
    assert len(data) == LIMIT_BYTES + 1


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert reason("-") == "f: cannot read the file: standard input is closed"
