"""How long `true` takes by Exec, one after the other: through the public SDK, and as bytes on a connection each.

The SDK is a process of its own in an environment of its own, as `tests/clients` makes it; its time is what a program
that uses it waits for. The bytes tell how much of that is the supervisor's.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time

from benchmarks.measure import Row, percentile, workspace
from benchmarks.serving import IDLE, Served, answer, serving
from tests.clients.set_up import ROOT, SDK_1_2, make_ready

COUNT = 200
TARGET_MS = 10.0
_PROGRAM = ROOT / "tests/clients/programs/ops_exec.py"


def measure() -> list[Row]:
    make_ready(SDK_1_2)
    with workspace() as folder, serving(folder, IDLE, 0) as served:
        _raw(served)  # does not count
        raw, sdk = _raw(served), _by_sdk(served)
    return [
        Row(
            f'run_command("true") by {SDK_1_2.name}, {COUNT} times: median',
            statistics.median(sdk),
            "ms",
            TARGET_MS,
        ),
        Row("the same: p99", percentile(sdk, 99), "ms"),
        Row("the same without the SDK, a connection each: median", statistics.median(raw), "ms"),
        Row("the same: p99", percentile(raw, 99), "ms"),
    ]


def _raw(served: Served) -> list[float]:
    """Milliseconds from the connect to the end of the answer."""
    body = json.dumps({"command": "true"}).encode()
    request = (
        b"POST /supervisor.v1.EnvironmentOpsService/Exec HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    ) % (served.token.encode(), len(body), body)
    times = []
    for _ in range(COUNT):
        began = time.perf_counter()
        with served.connect() as client:
            assert answer(client, request) == b"{}"
        times.append((time.perf_counter() - began) * 1000)
    return times


def _by_sdk(served: Served) -> list[float]:
    """Milliseconds, as the client's own clock has them."""
    base = f"http://{served.address[0]}:{served.address[1]}/api"
    arguments = {"environmentId": served.environment_id, "baseUrl": base, "count": COUNT}
    done = subprocess.run(
        [*SDK_1_2.program, _PROGRAM, "quickly", json.dumps(arguments)],
        env={
            "GITPOD_API_KEY": served.token,
            "GITPOD_BASE_URL": base,
            "ONA_BASE_URL": base,
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        check=True,
    )
    times: list[float] = json.loads(done.stdout)["ms"]
    return times
