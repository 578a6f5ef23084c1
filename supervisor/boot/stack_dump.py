"""Where every thread and task of the supervisor is just now, written into a file for whoever asks why it hangs.

The main thread, where the loop is, is written by faulthandler from within the signal's handler: also when the loop
stands still, which is when somebody asks. The other threads and the tasks follow when the loop comes to it: they go on
while a handler runs, and to read the frames of a thread that goes on can end the process.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supervisor.shim.regular_file import open_regular

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


@contextmanager
def stacks_on_signal(path: Path, number: int = signal.SIGQUIT) -> Iterator[None]:
    """Have the signal write the main thread's stack to the end of `path`, before its handler of now is called."""
    try:
        fd = open_regular(path, _FLAGS)
    except OSError:
        yield  # no room, or what is no file: whoever asks is told by `add_tasks`
        return
    try:
        faulthandler.register(number, fd, all_threads=False, chain=True)
        yield
    finally:
        faulthandler.unregister(number)
        os.close(fd)


def add_tasks(path: Path) -> str:
    """Write the stacks of all threads and tasks to the end of `path`. Returns a sentence that says where."""
    tasks = asyncio.all_tasks()
    threads = sys._current_frames()
    try:
        with open(open_regular(path, _FLAGS), "a", encoding="utf-8") as file:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            print(f"\n{len(tasks)} tasks at {stamp}, pid {os.getpid()}, Python {sys.version}\n", file=file)
            for thread, frame in threads.items():
                print(f"Thread {thread:#x} (most recent call last):", file=file)
                traceback.print_stack(frame, file=file)
            for task in tasks:
                task.print_stack(file=file)
    except OSError as error:
        return f"cannot write the stacks to {path}: {error.strerror}"
    return f"the stacks of all threads and tasks are in {path}"
