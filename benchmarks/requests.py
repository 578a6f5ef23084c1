"""GetService over loopback TCP with a token, while 100 idle services run, and the memory of a supervisor so used.

One client process with a few connections; on each, the next request follows the answer at once. What is measured is
the supervisor at its limit, so the 99th percentile includes waiting for the requests of the other connections.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import time

from benchmarks.measure import Row, cpu_s, percentile, rss_bytes, workspace
from benchmarks.serving import IDLE, Served, serving, unread

SERVICES = 100
CONNECTIONS = 4
ROUNDS = 5
ROUND_S = 4.0
SETTLE_S = 3.0
_CHUNK = 1 << 16


def measure() -> list[Row]:
    with workspace() as folder, serving(folder, IDLE, SERVICES - 1) as served:
        time.sleep(SETTLE_S)
        fresh = rss_bytes(served.pids[0])
        _round(served, CONNECTIONS)  # does not count
        alone = _round(served, 1)
        rates, slowest, shares = [], [], []
        for _ in range(ROUNDS):
            before, began = cpu_s(served.pids[:1]), time.perf_counter()
            times = _round(served, CONNECTIONS)
            took = time.perf_counter() - began
            rates.append(len(times) / took)
            slowest.append(percentile(times, 99))
            shares.append((cpu_s(served.pids[:1]) - before) / took)
        used = rss_bytes(served.pids[0])
    load = f"GetService, {CONNECTIONS} connections, {SERVICES} idle services"
    return [
        Row(f"{load}: answers", statistics.median(rates), "/s", at_least=2000),
        Row(f"{load}: p99", statistics.median(slowest) * 1e3, "ms", 5),
        Row(f"{load}: CPU of the supervisor", statistics.median(shares) * 100, "% of a core"),
        Row("GetService, 1 connection: median", statistics.median(alone) * 1e3, "ms"),
        Row("GetService, 1 connection: p99", percentile(alone, 99) * 1e3, "ms", 5),
        Row(f"{SERVICES} idle services, before any request: RSS of the supervisor", fresh / 1e6, "MB", 70),
        Row(f"{SERVICES} idle services, after the requests: RSS of the supervisor", used / 1e6, "MB", 70),
    ]


def _round(served: Served, connections: int) -> list[float]:
    """The seconds that each answer took, for as long as a round is."""
    request = served.call("EnvironmentAutomationService/GetService", {"id": served.service_id})
    times: list[float] = []
    sent: dict[socket.socket, float] = {}
    received: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as selector:
        try:
            end = time.perf_counter() + ROUND_S
            for _ in range(connections):
                client = served.connect()
                selector.register(client, selectors.EVENT_READ)
                received[client], sent[client] = b"", time.perf_counter()
                client.sendall(request)
            while (now := time.perf_counter()) < end:
                for key, _ in selector.select(end - now):
                    client = key.fileobj  # type: ignore[assignment]  # only sockets are registered
                    if not (more := client.recv(_CHUNK)):
                        raise RuntimeError("the server hung up")
                    received[client] += more
                    if unread(received[client]) == 0:
                        now = time.perf_counter()
                        times.append(now - sent[client])
                        received[client], sent[client] = b"", now
                        client.sendall(request)
        finally:
            for client in sent:
                client.close()
    return times
