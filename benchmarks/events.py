"""From a change to the event of it at a client of WatchEvents, which reads JSON lines.

The change is a service's new name. The time runs from before UpdateService is sent, so it includes that request and
the commit of the change, as does the time until its answer, which is shown beside it.
"""

from __future__ import annotations

import random
import selectors
import socket
import statistics
import time

from benchmarks.measure import TIMEOUT_S, Row, percentile, workspace
from benchmarks.serving import IDLE, Served, serving, unread

SERVICES = 100
CHANGES = 300
SETTLE_S = 3.0
_CHUNK = 1 << 16


def measure() -> list[Row]:
    with workspace() as folder, serving(folder, IDLE, SERVICES - 1) as served:
        time.sleep(SETTLE_S)
        watch = {"environmentId": served.environment_id}
        call = served.call("EventService/WatchEvents", watch, "application/jsonl")
        with served.stream(call) as watcher, served.connect() as client:
            times = [_change(served, watcher, client, number) for number in range(CHANGES)]
    events, answers = [event for event, _ in times], [answered for _, answered in times]
    return [
        Row("change to its event, with the request: median", statistics.median(events) * 1e3, "ms", 5),
        Row("change to its event, with the request: p99", percentile(events, 99) * 1e3, "ms"),
        Row("change to the answer of that request: median", statistics.median(answers) * 1e3, "ms"),
    ]


def _change(
    served: Served, watcher: socket.socket, client: socket.socket, number: int
) -> tuple[float, float]:
    """The seconds until the event and until the answer of one change."""
    time.sleep(random.uniform(0.005, 0.02))
    name = {"id": served.service_id, "metadata": {"name": f"name {number}"}}
    request = served.call("EnvironmentAutomationService/UpdateService", name)
    event = answered = 0.0
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(watcher, selectors.EVENT_READ)
        selector.register(client, selectors.EVENT_READ)
        began = time.perf_counter()
        client.sendall(request)
        while not (event and answered):
            ready = selector.select(TIMEOUT_S)
            if not ready:
                raise TimeoutError("a change had no event or no answer")
            for key, _ in ready:
                now = time.perf_counter() - began
                if key.fileobj is client:
                    received += client.recv(_CHUNK)
                    if unread(received) == 0:
                        answered = now
                elif served.service_id.encode() in watcher.recv(_CHUNK):
                    event = now
    return event, answered
