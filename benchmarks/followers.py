"""From a line in a log to a client that follows it, and what 1,000 followers of a log cost that grows by 1 MB a second.

The clients are one process that reads and throws away. What they have received is compared with what was written:
a supervisor that lags behind must not look cheap.
"""

from __future__ import annotations

import os
import random
import resource
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from benchmarks.measure import Row, cpu_s, percentile, rss_bytes, workspace
from benchmarks.serving import Served, serving

FORMATS = {
    "text": "text/plain",
    "events": "text/event-stream",
    "parts": "application/vnd.supervisor.log-parts",
}
FOLLOWERS = 1000
LINES = 150
SETTLE_S = 3.0
WARM_UP_S = 3.0
WRITING_S = 12.0
RATE = 1_000_000
WRITER = """\
import os, time
while not os.path.exists("go"):
    time.sleep(0.02)
line, began, written = b"x" * 99 + b"\\n", time.monotonic(), 0
while not os.path.exists("enough"):
    due = int((time.monotonic() - began) * RATE / 100) - written
    os.write(1, line * due)
    written += due
    time.sleep(0.005)
time.sleep(100000)
"""
_BUFFER = bytearray(1 << 20)


def measure() -> list[Row]:
    with workspace() as folder, ExitStack() as stack:
        (folder / "writer.py").write_text(f"RATE = {RATE}\n{WRITER}")
        served = stack.enter_context(serving(folder, f"exec {sys.executable} -I writer.py", 0))
        time.sleep(SETTLE_S)
        times = {name: _latencies(served, accept) for name, accept in FORMATS.items()}
        _allow(FOLLOWERS + 100)
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(FOLLOWERS):
            client = stack.enter_context(served.stream(served.follow()))
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
        (folder / "go").touch()
        stack.callback((folder / "enough").touch)
        _drain(selector, WARM_UP_S)
        before, size, began = cpu_s(served.pids), served.log.stat().st_size, time.monotonic()
        received = _drain(selector, WRITING_S)
        took = time.monotonic() - began
        share = (cpu_s(served.pids) - before) / took
        written = served.log.stat().st_size - size
        memory = rss_bytes(served.pids[0])
    load = f"{FOLLOWERS} followers at {written / took / 1e6:.2f} MB/s"
    return [
        *_latency_rows(times),
        Row(f"{load}: CPU of supervisor and shim", share, "cores", 0.5),
        Row(f"{load}: of what was written, received", received / written / FOLLOWERS * 100, "%"),
        Row(f"{load}: RSS of the supervisor", memory / 1e6, "MB", 70),
    ]


def _latency_rows(times: Mapping[str, list[float]]) -> Iterator[Row]:
    for name, seconds in times.items():
        yield Row(f"line to a follower, {name}: median", statistics.median(seconds) * 1e3, "ms")
        yield Row(f"line to a follower, {name}: p99", percentile(seconds, 99) * 1e3, "ms", 20)


def _latencies(served: Served, accept: str) -> list[float]:
    """The seconds from a line that is written as the command writes it, into its FIFO, to one follower."""
    times = []
    log = os.open(served.log.with_name("fifo"), os.O_WRONLY)
    try:
        with served.stream(served.follow(accept)) as client:
            for number in range(LINES):
                time.sleep(random.uniform(0.005, 0.12))
                line, received, began = b"line %06d\n" % number, b"", time.perf_counter()
                os.write(log, line)
                while line not in received:
                    if not (more := client.recv(1 << 16)):
                        raise RuntimeError("the server ended the log")
                    received += more
                times.append(time.perf_counter() - began)
    finally:
        os.close(log)
    return times


def _drain(selector: selectors.BaseSelector, seconds: float) -> int:
    """How many bytes come in that time, with the frames of their chunks."""
    total, end = 0, time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        for key, _ in selector.select(end - now):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            if not (count := client.recv_into(_BUFFER)):
                raise RuntimeError("the server ended the log")
            total += count
    return total


def _allow(descriptors: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
