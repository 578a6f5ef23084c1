"""Where every thread and task of the supervisor is just now, written into a file for whoever asks why it hangs.

The threads are written by faulthandler from within the signal's handler: also when the event loop stands still, which
is when somebody asks. The tasks follow when the loop comes to it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supervisor.host.regular import open_regular

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


@contextmanager
def stacks_on_signal(path: Path, number: int = signal.SIGQUIT) -> Iterator[None]:
    """Have the signal write the stacks of all threads to the end of `path`, before its handler of now is called."""
    try:
        fd = open_regular(path, _FLAGS)
    except OSError:
        yield  # no room, or what is no file: whoever asks is told by `add_tasks`
        return
    try:
        faulthandler.register(number, fd, all_threads=True, chain=True)
        yield
    finally:
        faulthandler.unregister(number)
        os.close(fd)


def add_tasks(path: Path) -> str:
    """Write the stacks of all tasks of the running loop to the end of `path`. Returns a sentence that says where."""
    tasks = asyncio.all_tasks()
    try:
        with open(open_regular(path, _FLAGS), "a", encoding="utf-8") as file:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            print(f"\n{len(tasks)} tasks at {stamp}, pid {os.getpid()}, Python {sys.version}\n", file=file)
            for task in tasks:
                task.print_stack(file=file)
    except OSError as error:
        return f"cannot write the stacks to {path}: {error.strerror}"
    return f"the stacks of all threads and tasks are in {path}"
