"""What a command's output goes to, when the command cannot start."""

import os
from pathlib import Path

import pytest

from supervisor.shim.logs.standard_streams import StandardStreams
from supervisor.shim.protocol import SpawnRequest
from supervisor.shim.regular_file import Replaced


def request(folder: Path, fifo: str = "") -> SpawnRequest:
    return SpawnRequest("r", ("true",), {}, "/", str(folder / "log"), str(folder), 0.0, fifo=fifo)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("fifo", [False, True])
def test_command_that_does_not_start_leaves_nothing(tmp_path: Path, fifo: bool) -> None:
    before = descriptors()
    streams = StandardStreams(request(tmp_path, str(tmp_path / "fifo") if fifo else ""))
    streams.discard()
    streams.close()

    assert list(tmp_path.iterdir()) == []
    assert descriptors() == before


def test_log_that_has_something_stays(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    streams = StandardStreams(request(tmp_path))
    streams.discard()
    streams.close()

    assert (tmp_path / "log").read_text() == "before\n"


@pytest.mark.parametrize("fifo", [False, True])
def test_what_stands_in_the_place_of_the_log_is_left_there(tmp_path: Path, fifo: bool) -> None:
    os.mkfifo(tmp_path / "log")
    before = descriptors()
    with pytest.raises(Replaced):
        StandardStreams(request(tmp_path, str(tmp_path / "fifo") if fifo else ""))

    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert descriptors() == before


def test_fifo_that_the_supervisor_holds_stays_for_another_attempt(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    streams = StandardStreams(request(tmp_path, str(fifo)))
    streams.discard()
    streams.close()

    assert list(tmp_path.iterdir()) == [fifo]
