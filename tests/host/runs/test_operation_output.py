"""What is shown of an operation's result, and what is said to be missing."""

import os
from pathlib import Path

import pytest

from supervisor.host.runs import operation_output
from supervisor.host.runs.run_directory import RunDir
from tests.host.runs.harness import disk_bytes_of

OUT = bytes(range(256)) * 40
ERR = bytes(reversed(range(256))) * 40


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    directory = RunDir(tmp_path, "r")
    directory.create()
    Path(directory.stdout).write_bytes(OUT + b"later")
    Path(directory.stderr).write_bytes(ERR + b"later")
    return directory


@pytest.mark.parametrize(
    ("written", "most", "kept", "out", "err"),
    [
        ((100, 50), 1000, 100, (100, 100), (50, 50)),  # all
        ((200, 200), 400, 100, (200, 200), (200, 200)),  # all that is kept
        ((201, 50), 1000, 100, (100, 101), (50, 50)),
        ((1000, 0), 1000, 100, (100, 900), (0, 0)),
        ((1000, 1000), 200, 100, (50, 950), (50, 950)),  # a half for each
        ((1000, 20), 200, 100, (90, 910), (20, 20)),  # what the other one leaves
        ((20, 1000), 200, 100, (20, 20), (90, 910)),
        ((1000, 1000), 1, 100, (0, 1000), (1, 1000)),
    ],
)
def test_beginning_and_end_of_each_stream_are_shown(
    run: RunDir,
    written: tuple[int, int],
    most: int,
    kept: int,
    out: tuple[int, int],
    err: tuple[int, int],
) -> None:
    with operation_output.opened(run, written, most, kept) as streams:
        assert [(stream.head_bytes, stream.tail_from) for stream in streams] == [out, err]
        assert sum(stream.shown_bytes for stream in streams) <= most
        for stream, data, size_bytes in zip(streams, (OUT, ERR), written, strict=True):
            assert (
                b"".join(stream.chunks()) == data[: stream.head_bytes] + data[stream.tail_from : size_bytes]
            )
            assert stream.head() + stream.tail() == b"".join(stream.chunks())
            assert stream.shown_bytes + stream.missing_bytes == size_bytes


def test_what_is_not_kept_is_not_made_up(run: RunDir) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError), operation_output.opened(run, (len(OUT) + 6, 0)):
        pass
    os.unlink(run.stderr)
    with pytest.raises(FileNotFoundError), operation_output.opened(run, (1, 1)):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_takes_room_on_the_disk_is_counted(run: RunDir) -> None:
    assert 3 * 4096 <= disk_bytes_of(run) <= 16 * 4096
    assert disk_bytes_of(RunDir(run.runs, "none")) == 0
