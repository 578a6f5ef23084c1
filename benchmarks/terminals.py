"""Terminals: what idle ones cost, how soon what a program prints is at a client, and how fast a flood comes.

Calls go over loopback TCP with a token, in JSON. The clock is this machine's: the program prints when it prints.
"""

from __future__ import annotations

import base64
import http.client
import json
import statistics
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, cpu_s, percentile, pss_bytes, rss_bytes, until, workspace
from benchmarks.serving import IDLE, Served, serving

TERMINALS = 64
"""As many as there may be."""
IDLE_S = 20.0
SETTLE_S = 2.0
LINES, PAUSE_S = 500, 0.01
FLOOD_BYTES = 100_000_000
OPS = "/supervisor.v1.EnvironmentOpsService"
PRINTS = (
    f"import time\nfor _ in range({LINES}): print(f'T{{time.time()}}', flush=True); time.sleep({PAUSE_S})"
)
_ENVELOPE = struct.Struct(">BI")


def measure() -> list[Row]:
    with workspace() as folder, serving(folder, IDLE, 0) as served:
        first = _create(served)
        holder = _holder(folder)
        time.sleep(SETTLE_S)
        one = pss_bytes([holder])
        for _ in range(TERMINALS - 1):
            _create(served)
        time.sleep(SETTLE_S)
        each = (pss_bytes([holder]) - one) / (TERMINALS - 1)
        before, began = cpu_s([holder]), time.monotonic()
        time.sleep(IDLE_S)
        share = (cpu_s([holder]) - before) / (time.monotonic() - began)
        delays = _delays(served, first)
        took = _flood_s(served, first)
        after = rss_bytes(holder)
    return [
        Row("an idle terminal: PSS in the holder", each / 1e6, "MB", 1),
        Row("the holder with one idle terminal: PSS", one / 1e6, "MB"),
        Row(f"{TERMINALS} idle terminals: CPU of the holder", share * 100, "% of a core", 0),
        Row("printed in a terminal, at a client: median", statistics.median(delays) * 1e3, "ms"),
        Row("printed in a terminal, at a client: p99", percentile(delays, 99) * 1e3, "ms", 10),
        Row(f"{FLOOD_BYTES / 1e6:.0f} MB printed, to one client", FLOOD_BYTES / 1e6 / took, "MB/s"),
        Row("the holder after that: RSS", after / 1e6, "MB"),
    ]


def _call(served: Served, method: str, **fields: Any) -> dict[str, Any]:
    connection = http.client.HTTPConnection(*served.address, timeout=60)
    try:
        head = {"Content-Type": "application/json", "Authorization": f"Bearer {served.token}"}
        connection.request("POST", f"{OPS}/{method}", json.dumps(fields), head)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{method}: {answer}")
        return answer
    finally:
        connection.close()


def _create(served: Served) -> str:
    return str(_call(served, "CreateTerminal", shell="/bin/sh", env={"PS1": "$ "})["terminalId"])


def _type(served: Served, id_: str, text: str) -> None:
    _call(served, "WriteTerminal", terminalId=id_, data=base64.b64encode(text.encode()).decode())


@contextmanager
def _reading(served: Served, id_: str) -> Iterator[Iterator[bytes]]:
    """What comes from now on."""
    connection = http.client.HTTPConnection(*served.address, timeout=60)
    body = json.dumps({"terminalId": id_, "skipHistory": True}).encode()
    head = {"Content-Type": "application/connect+json", "Authorization": f"Bearer {served.token}"}
    connection.request("POST", f"{OPS}/ReadTerminal", _ENVELOPE.pack(0, len(body)) + body, head)
    response = connection.getresponse()

    def pieces() -> Iterator[bytes]:
        while True:
            flags, length = _ENVELOPE.unpack(response.read(_ENVELOPE.size))
            message = json.loads(response.read(length))
            if flags:
                raise RuntimeError(f"the stream ended: {message}")
            yield base64.b64decode(message["data"])

    try:
        yield pieces()
    finally:
        connection.close()


def _delays(served: Served, id_: str) -> list[float]:
    """How long each line took from its print to here, in seconds."""
    delays: list[float] = []
    with _reading(served, id_) as pieces:
        _type(served, id_, f'stty -echo; {sys.executable} -c "{PRINTS}"\n')
        for piece in pieces:
            now = time.time()
            delays += [now - float(line[1:]) for line in piece.split() if line.startswith(b"T1")]
            if len(delays) >= LINES:
                return delays
    raise RuntimeError("the terminal ended")


def _flood_s(served: Served, id_: str) -> float:
    """How long a flood takes."""
    with _reading(served, id_) as pieces:
        began, size = time.perf_counter(), 0
        _type(served, id_, f"yes 0123456789abcdefghijklmnopqrstu | head -c {FLOOD_BYTES}\n")
        for piece in pieces:
            size += len(piece)
            if size >= FLOOD_BYTES:
                return time.perf_counter() - began
    raise RuntimeError("the terminal ended")


def _holder(folder: Path) -> int:
    """The pid of the process that holds the terminals."""
    found: list[int] = []

    def look() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.startswith(bytes(folder)) and b"terminals-" in word for word in words):
                found.append(int(path.parent.name))
        return bool(found)

    until(look)
    return found[0]
