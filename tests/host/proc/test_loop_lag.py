"""A stall of the event loop is reported, with the place where the loop was, and nothing about that can crash."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from supervisor.host.proc import loop_lag
from supervisor.host.proc.loop_lag import EventLoopLag
from tests.host.runs.harness import until

# pytest's own timer would be SIGALRM, which is the watch's here.
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60, method="thread")]


class Heard:
    """What a lag is reported to."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.lags: list[float] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def observe(self, amount: float) -> None:
        self.lags.append(amount)


def blocks_the_loop(seconds: float) -> None:
    time.sleep(seconds)


async def test_stall_is_reported_with_the_stack_of_the_loop(tmp_path: Path) -> None:
    heard = Heard()
    it = EventLoopLag(tmp_path / "stalls", heard)
    it.observer = heard
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 0.2)
        await until(lambda: len(heard.lags) >= 2)
        blocks_the_loop(1.0)
        await until(lambda: it.stalls == 1)
        tasks.cancel_scope.cancel()
    assert it.worst_s >= 0.7
    assert heard.notices[0].startswith("the supervisor stood still for ")
    assert heard.notices[0].endswith(str(tmp_path / "stalls"))
    by_signal, _, by_thread = (tmp_path / "stalls").read_text().partition("The event loop has stood still")
    assert "in blocks_the_loop" in by_signal
    assert "in blocks_the_loop" in by_thread


async def test_stack_of_another_thread_is_reported_too(tmp_path: Path) -> None:
    done = threading.Event()

    def holds_up_the_loop() -> None:
        done.wait()

    thread = threading.Thread(target=holds_up_the_loop)
    thread.start()
    it = EventLoopLag(tmp_path / "stalls", Heard())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 0.1)
        await until(lambda: it.worst_s > 0)
        blocks_the_loop(0.6)
        await until(lambda: it.stalls == 1)
        tasks.cancel_scope.cancel()
    done.set()
    thread.join()
    assert "in holds_up_the_loop" in (tmp_path / "stalls").read_text()


async def test_one_stall_is_written_once(tmp_path: Path) -> None:
    it = EventLoopLag(tmp_path / "stalls", Heard())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 0.1)
        await until(lambda: it.worst_s > 0)
        blocks_the_loop(1.5)
        await until(lambda: it.stalls == 1)
        tasks.cancel_scope.cancel()
    assert (tmp_path / "stalls").read_text().count("The event loop has stood still") == 1


async def test_call_that_holds_the_interpreters_lock_is_seen_while_it_lasts(tmp_path: Path) -> None:
    it = EventLoopLag(tmp_path / "stalls", Heard())

    def holds_the_lock() -> None:
        began, size = time.monotonic(), 1 << 20
        while time.monotonic() - began < 0.5:  # until one call takes so long, however fast the machine is
            began, size = time.monotonic(), size * 2
            sum(range(size))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 0.2)
        await until(lambda: it.worst_s > 0)
        holds_the_lock()
        await until(lambda: it.stalls >= 1)
        tasks.cancel_scope.cancel()
    by_signal, _, _ = (tmp_path / "stalls").read_text().partition("The event loop has stood still")
    assert "in holds_the_lock" in by_signal


async def test_loop_that_turns_writes_nothing(tmp_path: Path) -> None:
    it = EventLoopLag(tmp_path / "stalls", Heard())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 30.0)
        await until(lambda: it.worst_s > 0)
        tasks.cancel_scope.cancel()
    assert (tmp_path / "stalls").read_text() == ""


async def test_file_of_stacks_is_begun_anew_when_it_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_lag, "KEPT_BYTES", 100)
    stalls = tmp_path / "stalls"
    stalls.write_bytes(bytes(101))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(EventLoopLag(stalls, Heard()).run)
        await until(lambda: stalls.stat().st_size == 0)
        tasks.cancel_scope.cancel()


async def test_disk_that_takes_nothing_does_not_keep_it_from_measuring(tmp_path: Path) -> None:
    it = EventLoopLag(tmp_path / "no such folder" / "stalls", Heard())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 0.1)
        await until(lambda: it.worst_s > 0)
        tasks.cancel_scope.cancel()


BUSY = """
import sys, threading, time
from pathlib import Path
from supervisor.host.proc.loop_lag import StallWatch

def deep(n, call):
    return deep(n - 1, call) if n else call(n)

def spin():
    n = 0
    while True:
        n += 1  # a code object of its own each time, freed at once
        text = "def call(x):\\n return [y for y in range(3)]\\nfor i in range(50): deep(i, call)"
        exec(compile(text, "x" * (n % 50), "exec"), {"deep": deep})

for _ in range(4):
    threading.Thread(target=spin, daemon=True).start()
stalls = 0
give_up_at = time.monotonic() + float(sys.argv[2])
while time.monotonic() < give_up_at:
    with StallWatch(Path(sys.argv[1]), 0.002) as watch:
        watch.beat()
        time.sleep(0.15)
        stalls += 1
print(stalls)
"""
"""Threads that make and drop frames while stacks are written, again and again."""


@pytest.mark.slow
def test_threads_that_go_on_meanwhile_do_not_end_the_process(tmp_path: Path) -> None:
    # faulthandler.dump_traceback_later in its place ends this with SIGSEGV within seconds.
    stalls = tmp_path / "stalls"
    done = subprocess.run(
        [sys.executable, "-c", BUSY, stalls, "8"], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 5
    assert stalls.read_text().count("in deep") > 5


def test_alarm_does_not_pass_to_a_program_that_is_executed(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from supervisor.host.proc.loop_lag import StallWatch\n"
        "with StallWatch(Path(sys.argv[1]), 0.2) as watch: watch.beat()\n"
        "os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(0.6)'])"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "stalls"], check=False, timeout=50)
    assert done.returncode == 0
