"""The pump with real FIFOs and files: nothing is lost, doubled, or written by anybody else."""

import errno
import fcntl
import os
import random
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.shim.descriptors import unread_bytes
from supervisor.shim.logs import log_pipe
from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.logs.log_times import LogTimes
from supervisor.shim.protocol import Pumping

ROOT = Path(__file__).parents[3]
DEADLINE_S = 20.0
LARGE = 1 << 40
MEGABYTE = 1 << 20


class Pumped:
    """A pump, and commands whose output it moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "runs").mkdir()
        self.woken, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.times = LogTimes(str(folder))
        self.pump = LogPump(self.times, wakeup)
        self._fds = [self.woken, wakeup]
        self._processes: list[subprocess.Popen[bytes]] = []

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def open(self, name: str, limit_bytes: int = LARGE, head_bytes: int = 0) -> LogPipe:
        fifo = self.folder / name
        if not fifo.exists():
            os.mkfifo(fifo)
        pipe = LogPipe(name, str(fifo), str(self.log(name)), Pumping(limit_bytes, head_bytes=head_bytes))
        self.pump.start()
        self.pump.add(pipe)
        return pipe

    def start(
        self, name: str, script: str, limit_bytes: int = LARGE, head_bytes: int = 0
    ) -> subprocess.Popen[bytes]:
        self.open(name, limit_bytes, head_bytes)
        out, err = (os.open(self.folder / name, os.O_WRONLY) for _ in range(2))
        process = subprocess.Popen(["bash", "-c", script], stdout=out, stderr=err, cwd=self.folder)
        os.close(out)
        os.close(err)
        self._processes.append(process)
        return process

    def output(self, name: str, script: str, limit_bytes: int = LARGE) -> bytes:
        """What is in the log of a script that has ended, once its FIFO is closed."""
        self.start(name, script, limit_bytes).wait(DEADLINE_S)
        self.until_closed(name)
        return self.log(name).read_bytes()

    def until_closed(self, *names: str) -> None:
        left = set(names)
        poll = select.poll()
        poll.register(self.woken, select.POLLIN)
        deadline = time.monotonic() + DEADLINE_S
        while left := left - set(self.pump.take_closed()):
            assert time.monotonic() < deadline, f"{left} did not close"
            poll.poll(100)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for name in self.pump.streams():
            self.pump.remove(name)
        self.pump.close()
        self.times.close()
        for fd in self._fds:
            os.close(fd)


@pytest.fixture
def pumped(tmp_path: Path) -> Iterator[Pumped]:
    it = Pumped(tmp_path)
    yield it
    it.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_streams_that_are_opened_anew_truncate_nothing(pumped: Pumped) -> None:
    script = "echo 1; echo w > /dev/stderr; echo 2 | tee /dev/stderr; echo 3"
    assert pumped.output("a", script).split() == [b"1", b"w", b"2", b"2", b"3"]


def test_order_of_both_streams_is_kept(pumped: Pumped) -> None:
    lines = pumped.output("a", "for i in $(seq 2000); do echo $i; echo $i >&2; done").split()
    assert lines == [b"%d" % (number // 2 + 1) for number in range(4000)]


def test_each_byte_of_many_writers_arrives_once(pumped: Pumped) -> None:
    names = [f"w{number}" for number in range(8)]
    for name in names:
        pumped.start(name, f"for i in $(seq 3000); do echo {name} line $i; done; seq 20000")
    pumped.until_closed(*names)

    for name in names:
        lines = [f"{name} line {number}\n" for number in range(1, 3001)]
        lines += [f"{number}\n" for number in range(1, 20001)]
        assert pumped.log(name).read_text() == "".join(lines)


def test_large_output_arrives_whole(pumped: Pumped) -> None:
    assert pumped.output("a", "head -c 20000000 /dev/zero | tr '\\0' x") == b"x" * 20_000_000


def test_nonblocking_output_leaves_error_output_alone(pumped: Pumped) -> None:
    script = (
        "python3 -c 'import os; os.set_blocking(1, False)'; "
        "python3 -c 'import os; print(os.get_blocking(1), os.get_blocking(2))'"
    )
    assert pumped.output("a", script).split() == [b"False", b"True"]


def test_limit_holds_while_a_command_writes(pumped: Pumped) -> None:
    pumped.start("a", "head -c 30000000 /dev/zero | tr '\\0' x; sleep 100", 1 << 20)
    until(lambda: pumped.log("a").stat().st_size == 30_000_000)

    assert pumped.log("a").stat().st_blocks * 512 <= (1 << 20) * 5 // 4


NUMBERED = "seq -f %09.0f 1000000"
"""Prints 10 bytes a line, which tell where they stand."""
NUMBERS = b"".join(b"%09d\n" % number for number in range(1, 1_000_001))


def test_head_and_last_bytes_of_a_log_with_a_head_are_kept(pumped: Pumped) -> None:
    pumped.start("a", f"{NUMBERED}; sleep 100", MEGABYTE, MEGABYTE)
    until(lambda: pumped.log("a").stat().st_size == len(NUMBERS))

    data = pumped.log("a").read_bytes()
    assert data[:MEGABYTE] == NUMBERS[:MEGABYTE]
    assert data[-MEGABYTE:] == NUMBERS[-MEGABYTE:]
    assert pumped.log("a").stat().st_blocks * 512 <= 2 * MEGABYTE + MEGABYTE // 8
    assert data.count(b"\0") > len(NUMBERS) - 3 * MEGABYTE


def test_what_is_kept_when_the_run_ends_stays_whatever_comes_then(pumped: Pumped) -> None:
    script = f"{NUMBERED}; until [ -e go ]; do sleep 0.01; done; {NUMBERED}; sleep 100"
    pumped.start("a", script, MEGABYTE, MEGABYTE)
    until(lambda: pumped.log("a").stat().st_size == len(NUMBERS))
    pumped.pump.main_ended("a")
    end, lost = pumped.pump.report("a")
    (pumped.folder / "go").touch()
    until(lambda: pumped.log("a").stat().st_size == 2 * len(NUMBERS))

    assert (end, lost) == (len(NUMBERS), 0)
    data = pumped.log("a").read_bytes()
    assert data[:MEGABYTE] == NUMBERS[:MEGABYTE]
    assert data[end - MEGABYTE : end] == NUMBERS[-MEGABYTE:]
    assert data[-MEGABYTE:] == NUMBERS[-MEGABYTE:]
    assert pumped.log("a").stat().st_blocks * 512 <= 3 * MEGABYTE + MEGABYTE // 4


def test_nothing_is_given_back_between_the_end_of_the_run_and_its_report(pumped: Pumped) -> None:
    pumped.start("a", f"until [ -e go ]; do sleep 0.01; done; {NUMBERED}; sleep 100", MEGABYTE, MEGABYTE)
    pumped.pump.main_ended("a")
    (pumped.folder / "go").touch()
    until(lambda: pumped.log("a").stat().st_size == len(NUMBERS))

    assert pumped.log("a").read_bytes() == NUMBERS


def test_head_and_last_bytes_are_kept_where_no_holes_can_be_punched(
    pumped: Pumped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def punch(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(log_pipe, "punch", punch)
    pumped.start("a", f"{NUMBERED}; sleep 100", MEGABYTE, MEGABYTE)
    until(lambda: pumped.log("a").stat().st_size == len(NUMBERS))

    data = pumped.log("a").read_bytes()
    assert data[:MEGABYTE] == NUMBERS[:MEGABYTE]
    assert data[-MEGABYTE:] == NUMBERS[-MEGABYTE:]
    assert pumped.log("a").stat().st_blocks * 512 <= 3 * MEGABYTE + MEGABYTE // 4


def test_log_with_a_head_that_is_removed_comes_back_whole(
    pumped: Pumped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pipe, "_CHECK_S", 0.0)
    script = f"{NUMBERED}; until [ -e go ]; do sleep 0.01; done; echo end; sleep 100"
    pumped.start("a", script, MEGABYTE, MEGABYTE)
    until(lambda: pumped.log("a").stat().st_size == len(NUMBERS))
    pumped.log("a").unlink()
    (pumped.folder / "go").touch()
    until(lambda: pumped.log("a").exists() and pumped.log("a").stat().st_size == len(NUMBERS) + 4)

    data = pumped.log("a").read_bytes()
    assert data[:MEGABYTE] == NUMBERS[:MEGABYTE]
    assert data[-MEGABYTE:] == NUMBERS[4 - MEGABYTE :] + b"end\n"
    assert pumped.log("a").stat().st_blocks * 512 <= 2 * MEGABYTE + MEGABYTE // 4


def test_two_pumps_cannot_have_one_log(pumped: Pumped) -> None:
    pumped.open("a")
    with pytest.raises(BlockingIOError):
        LogPipe("a", str(pumped.folder / "a"), str(pumped.log("a")), Pumping(LARGE))


PROGRAM = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from supervisor.shim.descriptors import unread_bytes
from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.logs.log_times import LogTimes
from supervisor.shim.protocol import Pumping
pump = LogPump(LogTimes(sys.argv[2]), os.pipe2(os.O_NONBLOCK)[1])
pump.start()
for name in sys.argv[3:]:
    pump.take_over(LogPipe(name, f"{sys.argv[2]}/{name}", f"{sys.argv[2]}/{name}.log", Pumping(1 << 40)))
time.sleep(1000)
"""


@pytest.mark.slow
def test_pumps_that_are_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    """The writers end while no pump is there, too: what is left in their FIFOs is for the next one."""
    names = ["a", "b", "c"]
    kept, writers = [], []
    for name in names:
        os.mkfifo(tmp_path / name)
        kept.append(os.open(tmp_path / name, os.O_RDONLY | os.O_NONBLOCK))  # as the keeper does
        script = f"for i in $(seq 100000); do echo {name} writes line $i; done"
        with open(tmp_path / name, "w") as out:
            writers.append(subprocess.Popen(["bash", "-c", script], stdout=out))
    words = [sys.executable, "-I", "-S", "-c", PROGRAM, str(ROOT), str(tmp_path), *names]
    moment = random.Random(7)
    kills = 0
    while any(writer.poll() is None for writer in writers):
        with subprocess.Popen(words) as pump:
            time.sleep(moment.uniform(0.04, 0.12))
            pump.kill()
            kills += 1
    with subprocess.Popen(words) as last:
        until(lambda: all(unread_bytes(fd) == 0 for fd in kept))
        last.kill()
    for fd in kept:
        os.close(fd)

    assert kills >= 3
    for name in names:
        lines = (tmp_path / f"{name}.log").read_text().splitlines()
        assert lines == [f"{name} writes line {number}" for number in range(1, 100001)]


def test_a_flushed_run_has_all_in_its_log_that_was_in_the_fifo(pumped: Pumped) -> None:
    pumped.open("a")
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    for size in (1, 5000, 100_000):
        os.write(writer, b"x" * size)
        before = pumped.log("a").stat().st_size
        if not pumped.pump.flush("a"):
            until(lambda: "a" in pumped.pump.take_flushed())
        assert pumped.log("a").stat().st_size >= before
    os.close(writer)
    assert pumped.log("a").stat().st_size == 105_001


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process, which is the pump's, may be larger."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_what_a_full_disk_does_not_take_is_counted(pumped: Pumped) -> None:
    pipe = pumped.open("a")
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    os.write(writer, b"before\n")
    until(lambda: pumped.log("a").read_bytes() == b"before\n")
    with largest_file(7):
        os.write(writer, b"lost line\n")
        until(lambda: pipe.lost_bytes == 10)
    os.write(writer, b"after\n")
    os.close(writer)
    pumped.until_closed("a")

    said = b"supervisor: 10 bytes are missing here: the disk was full\n"
    assert pumped.log("a").read_bytes() == b"before\n" + said + b"after\n"


@pytest.mark.parametrize("closed", [False, True], ids=["lives", "has ended"])
def test_what_was_dropped_is_noted_when_there_is_room_though_nothing_more_comes(
    pumped: Pumped, closed: bool
) -> None:
    pipe = pumped.open("a")
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    with largest_file(0):
        os.write(writer, b"lost line\n")
        until(lambda: pipe.lost_bytes == 10)
        if closed:
            os.close(writer)
            pumped.until_closed("a")
            pumped.pump.remove("a")
            until(lambda: not (pumped.folder / "a").exists())
        assert pumped.log("a").read_bytes() == b""

    said = b"supervisor: 10 bytes are missing here: the disk was full\n"
    until(lambda: pumped.log("a").read_bytes() == said)
    if not closed:
        os.close(writer)


def test_note_for_which_there_is_room_in_part_is_written_whole_or_not_at_all(pumped: Pumped) -> None:
    pipe = pumped.open("a")
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    with largest_file(0):
        os.write(writer, b"first line\n")
        until(lambda: pipe.lost_bytes == 11)
    with largest_file(20):
        os.write(writer, b"second line\n")
        until(lambda: pipe.lost_bytes == 23)
    os.write(writer, b"third\n")
    os.close(writer)
    pumped.until_closed("a")

    said = b"supervisor: 23 bytes are missing here: the disk was full\n"
    assert pumped.log("a").read_bytes() == said + b"third\n"


def test_broken_filesystem_does_not_stop_a_command(pumped: Pumped, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, splice, write = pumped.open("a"), os.splice, os.write

    def no_splice(source: int, target: int, count: int, flags: int = 0) -> int:
        if target == pipe.log:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return splice(source, target, count, flags=flags)

    def no_write(target: int, data: bytes) -> int:
        if target == pipe.log:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return write(target, data)

    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    with monkeypatch.context() as patch:
        patch.setattr(os, "splice", no_splice)
        patch.setattr(os, "write", no_write)
        for _ in range(10):
            os.write(writer, bytes(100_000))
        until(lambda: pipe.lost_bytes == 1_000_000)
    os.close(writer)
    pumped.until_closed("a")

    why = b"they could not be written: read-only file system"
    assert pumped.log("a").read_bytes() == b"supervisor: 1000000 bytes are missing here: " + why + b"\n"


def test_limit_holds_where_no_holes_can_be_punched(pumped: Pumped, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(log_pipe, "punch", refused)
    script = "for i in $(seq 30); do head -c 999999 /dev/zero | tr '\\0' x; echo; done; echo last"
    data = pumped.output("a", script, 1 << 20)

    assert len(data) == 30_000_005, "an offset has moved"
    assert data.endswith(b"x\nlast\n")
    assert set(data.lstrip(b"\0")) == set(b"x\nlast")
    assert pumped.log("a").stat().st_blocks * 512 <= (1 << 20) * 5 // 4


def test_run_of_which_the_command_reads_the_output_itself_is_flushed(
    pumped: Pumped, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pumped.open("a")

    def stolen(_: LogTimes) -> int:
        os.read(pipe.fd, 100)
        return -1

    monkeypatch.setattr(pipe, "is_busy", True)
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    monkeypatch.setattr(pipe, "move", stolen)
    os.write(writer, b"stolen")
    if not pumped.pump.flush("a"):
        until(lambda: "a" in pumped.pump.take_flushed())
    os.close(writer)
    monkeypatch.undo()
    pumped.until_closed("a")


def test_flush_takes_no_log_for_whole_while_its_last_bytes_are_on_the_way(
    pumped: Pumped, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pumped.open("a")
    begin, taken, go_on = threading.Event(), threading.Event(), threading.Event()
    move, unread = LogPipe.move, LogPipe.unread_bytes

    def slow(times: LogTimes) -> int:
        begin.wait(DEADLINE_S)
        position, moved = pipe.position, move(pipe, times)
        if moved > 0:  # the FIFO is empty, and the position is not raised yet
            pipe.position = position
            taken.set()
            go_on.wait(DEADLINE_S)
            pipe.position = position + moved
        return moved

    def unread_once_taken(asked: LogPipe) -> int:
        if threading.current_thread() is threading.main_thread():
            begin.set()
            taken.wait(DEADLINE_S)
        return unread.fget(asked)  # type: ignore[attr-defined]

    monkeypatch.setattr(pipe, "move", slow)
    monkeypatch.setattr(LogPipe, "unread_bytes", property(unread_once_taken))
    # The flush of another moment moves them, which `is_busy` does not tell before.
    monkeypatch.setattr(pumped.pump, "_move", pumped.pump._moves)
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    os.write(writer, b"last")
    assert not pumped.pump.flush("a")
    go_on.set()
    until(lambda: "a" in pumped.pump.take_flushed())
    assert pumped.pump.report("a") == (4, 0)
    os.close(writer)
    monkeypatch.undo()


def test_error_in_the_thread_is_reported_and_ends_nothing(
    pumped: Pumped, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pumped.open("a")
    with monkeypatch.context() as patch:
        patch.setattr(pipe, "move", lambda _: 1 // 0)
        writer = os.open(pumped.folder / "a", os.O_WRONLY)
        os.write(writer, b"line\n")
        until(
            lambda: pumped.pump.take_troubles() == ["ZeroDivisionError('integer division or modulo by zero')"]
        )
    assert pumped.output("b", "echo other") == b"other\n"
    os.close(writer)


@pytest.mark.parametrize(
    "how", ["rm a.log", "rm a.log; mkdir a.log; rmdir a.log", "mv a.log b; echo x > a.log"]
)
def test_log_that_is_taken_away_is_made_anew_from_the_last_look_at_it_on(pumped: Pumped, how: str) -> None:
    look = "echo 123456; sleep 1.1"
    pumped.start("a", f"{look}; {look}; echo 123456; sleep 0.1; {how}; echo now; sleep 1.2; echo later")
    pumped.until_closed("a")

    data = pumped.log("a").read_bytes()
    lost, _, rest = data.partition(b"123456\n")
    assert lost == bytes(len(lost)), "offsets go on"
    now, note, later = rest.splitlines()
    assert (now, later) == (b"now", b"later")
    assert note.startswith(
        f"supervisor: the log is a new one, without its first {len(lost)} bytes: ".encode()
    )


def test_fifo_without_a_writer_costs_nothing_and_takes_the_next_one(pumped: Pumped) -> None:
    assert pumped.output("a", "echo one") == b"one\n"
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1

    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    os.write(writer, b"two\n")
    os.close(writer)
    pumped.until_closed("a")
    assert pumped.log("a").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("written", [b"", b"last words", b"x" * 200_000], ids=["nothing", "little", "much"])
def test_fifo_whose_writers_have_gone_before_is_closed_at_once(pumped: Pumped, written: bytes) -> None:
    os.mkfifo(pumped.folder / "a")
    held = os.open(pumped.folder / "a", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(held, fcntl.F_SETPIPE_SZ, 256 * 1024)
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    os.write(writer, written)
    os.close(writer)

    pipe = LogPipe("a", str(pumped.folder / "a"), str(pumped.log("a")), Pumping(LARGE))
    pumped.pump.start()
    pumped.pump.take_over(pipe)
    pumped.until_closed("a")
    os.close(held)
    assert pumped.log("a").read_bytes() == written


def test_fifo_that_another_pump_is_through_with_is_not_taken_over(pumped: Pumped) -> None:
    """It was removed, but not yet closed."""
    fifo = pumped.folder / "a"
    os.mkfifo(fifo)
    held = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    fifo.unlink()
    try:
        pumped.log("a").touch()
        pipe = LogPipe("a", str(fifo), str(pumped.log("a")), Pumping(LARGE), is_new=False)
        pipe.close()
        os.close(writer)
        with pytest.raises(FileNotFoundError):
            LogPipe("a", str(fifo), str(pumped.log("a")), Pumping(LARGE), is_new=False)
    finally:
        os.close(held)


def test_fifo_that_a_live_command_has_closed_wakes_nobody(pumped: Pumped) -> None:
    """The shim asks when the command has ended, of which it hears anyway."""
    os.mkfifo(pumped.folder / "a")
    pipe = LogPipe("a", str(pumped.folder / "a"), str(pumped.log("a")), Pumping(LARGE))
    pumped.pump.start()
    pumped.pump.add(pipe, has_main=True)
    os.close(os.open(pumped.folder / "a", os.O_WRONLY))
    until(lambda: pipe.is_closed)
    with pytest.raises(BlockingIOError):
        os.read(pumped.woken, 1)
    assert pumped.pump.take_closed() == ["a"]

    pumped.pump.main_ended("a")
    writer = os.open(pumped.folder / "a", os.O_WRONLY)
    os.write(writer, b"later")  # a process that it has left, say
    os.close(writer)
    pumped.until_closed("a")


def test_pipe_is_large(pumped: Pumped) -> None:
    pipe = pumped.open("a")
    assert fcntl.fcntl(pipe.fd, fcntl.F_GETPIPE_SZ) == 256 * 1024
