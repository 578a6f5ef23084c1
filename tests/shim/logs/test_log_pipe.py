"""One FIFO and its log, without the pump's thread: what counts as flushed, and what is moved before the end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.logs.log_times import LogTimes
from supervisor.shim.protocol import Pumping


@pytest.fixture
def pipe(tmp_path: Path) -> LogPipe:
    os.mkfifo(tmp_path / "fifo")
    return LogPipe("a", str(tmp_path / "fifo"), str(tmp_path / "log"), Pumping(1 << 20))


@pytest.fixture
def writer(pipe: LogPipe) -> Iterator[int]:
    fd = os.open(pipe.fifo, os.O_WRONLY)
    yield fd
    os.close(fd)


def test_note_does_not_count_as_output_that_was_moved(pipe: LogPipe, writer: int) -> None:
    os.write(writer, b"last words\n")
    pipe.mark = pipe.position + pipe.unread_bytes
    pipe.note("a line that is longer than what is in the FIFO")
    pipe.say()
    before = pipe.is_flushed
    pipe.move(LogTimes())
    assert (before, pipe.is_flushed) == (False, True)
    pipe.close()


def test_output_that_was_dropped_is_not_waited_for(pipe: LogPipe, writer: int) -> None:
    os.write(writer, b"last words\n")
    pipe.mark = pipe.position + pipe.unread_bytes
    log, pipe.log = pipe.log, os.open(pipe.path, os.O_RDONLY)  # which takes nothing
    assert pipe.move(LogTimes()) == len(b"last words\n")
    os.write(writer, b"a command that never stops")
    assert pipe.is_flushed
    os.close(log)
    pipe.close()


def test_what_came_after_the_last_look_is_moved_before_the_fifo_is_closed(pipe: LogPipe) -> None:
    woken, wakeup = os.pipe()
    pump = LogPump(LogTimes(), wakeup)
    pump.add(pipe)
    Path(pipe.fifo).write_bytes(b"supervisor: one more line\n")

    pump._remove(pipe)

    assert Path(pipe.path).read_bytes() == b"supervisor: one more line\n"
    pump.close()
    os.close(woken)
    os.close(wakeup)
