"""Notes in a run's log: they go the way of its output, and never wait."""

import os
from pathlib import Path

import pytest

from supervisor.host.runs.run_directory import RunDir

LINE = b"supervisor: stopped by hand\n"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path, "r")
    run.create()
    return run


def test_note_without_a_fifo_is_appended_to_the_log(run: RunDir) -> None:
    Path(run.log).write_bytes(b"output\n")

    assert run.note("stopped by hand")
    assert Path(run.log).read_bytes() == b"output\n" + LINE


def test_note_goes_through_the_fifo_that_is_read(run: RunDir) -> None:
    os.mkfifo(run.fifo)
    reader = os.open(run.fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run.note("stopped by hand")
        assert os.read(reader, 100) == LINE
    finally:
        os.close(reader)
    assert not os.path.exists(run.log), "the pump alone writes there"


def test_note_that_is_too_long_for_one_piece_keeps_its_last_lines(run: RunDir) -> None:
    os.mkfifo(run.fifo)
    reader = os.open(run.fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run.note("\n".join(f"line {number} {'x' * 500}" for number in range(20)) + "\nexited 3")
        lines = os.read(reader, 1 << 16).decode().splitlines(keepends=True)
        assert len(lines) == 8
        assert all(line.startswith("supervisor: ") and line.endswith("\n") for line in lines)
        assert lines[-1] == "supervisor: exited 3\n"
        assert run.note("y" * 10_000)
        assert os.read(reader, 1 << 16) == b"supervisor: " + b"y" * (4096 - 13) + b"\n"
    finally:
        os.close(reader)


def test_note_for_a_full_fifo_is_to_be_tried_again(run: RunDir) -> None:
    os.mkfifo(run.fifo)
    reader = os.open(run.fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(run.fifo, os.O_WRONLY | os.O_NONBLOCK)
    try:
        size = os.write(writer, bytes(1 << 20))  # as much as it takes
        assert not run.note("stopped by hand")

        assert len(os.read(reader, 1 << 20)) == size
        assert run.note("stopped by hand")
        assert os.read(reader, 100) == LINE
    finally:
        os.close(reader)
        os.close(writer)


def test_note_for_a_fifo_that_nobody_reads_is_in_the_log(run: RunDir) -> None:
    os.mkfifo(run.fifo)

    assert run.note("stopped by hand")
    assert Path(run.log).read_bytes() == LINE
