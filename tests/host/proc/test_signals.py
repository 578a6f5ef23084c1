"""Signals are collected, each once, in the order of arrival."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[1])
from functools import partial
from supervisor.host.proc import signals

held = signals.hold()
os.kill(os.getpid(), signal.SIGTERM)

async def main():
    news = asyncio.Event()
    held.arrived = partial(asyncio.get_running_loop().call_soon_threadsafe, news.set)
    print("ready", flush=True)
    await news.wait()

asyncio.run(main())
print(*held)
"""


def test_each_signal_is_noted_once_and_wakes_a_loop_that_sleeps() -> None:
    words = [sys.executable, "-c", PROGRAM, str(ROOT)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        os.kill(program.pid, signal.SIGHUP)
        assert program.stdout.readline() == f"{signal.SIGTERM:d} {signal.SIGHUP:d}\n"
        assert program.wait(20) == 0
