"""What a command's output goes to, when the command cannot start."""

import os
from pathlib import Path

import pytest

from supervisor.lean.frozen import replace
from supervisor.shim.logs.standard_streams import StandardStreams
from supervisor.shim.protocol import Pumping, SpawnRequest
from supervisor.shim.regular_file import Replaced


def request(folder: Path, fifo: str = "") -> SpawnRequest:
    return SpawnRequest("r", ("true",), {}, "/", str(folder / "log"), str(folder), 0.0, fifo=fifo)


def apart(folder: Path, *, pumped: bool) -> SpawnRequest:
    """With a file for each of the two."""
    asked = replace(request(folder), log=str(folder / "out"), err_log=str(folder / "err"))
    if pumped:
        asked = replace(asked, fifo=str(folder / "out.fifo"), err_fifo=str(folder / "err.fifo"))
    return replace(asked, pumping=Pumping(1 << 20, head_bytes=1 << 20))


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


@pytest.mark.parametrize("pumped", [False, True])
def test_two_streams_of_a_command_that_does_not_start_leave_nothing(tmp_path: Path, pumped: bool) -> None:
    before = descriptors()
    streams = StandardStreams(apart(tmp_path, pumped=pumped))
    assert os.fstat(streams.out).st_ino != os.fstat(streams.err).st_ino
    streams.discard()
    streams.close()

    assert list(tmp_path.iterdir()) == []
    assert descriptors() == before


@pytest.mark.parametrize("pumped", [False, True])
def test_what_stands_in_the_place_of_the_second_stream_undoes_the_first(tmp_path: Path, pumped: bool) -> None:
    (tmp_path / "err").symlink_to("elsewhere")
    before = descriptors()
    with pytest.raises(Replaced):
        StandardStreams(apart(tmp_path, pumped=pumped))

    assert [path.name for path in tmp_path.iterdir()] == ["err"]
    assert descriptors() == before
