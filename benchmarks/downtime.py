"""How long nobody answers after a SIGKILL: from the kill to the first answered request of the next supervisor.

It is started at once, as a service manager with no delay would, and takes over 100 services that live on. The client
asks on the Unix socket again and again, and counts a whole answer of the status, which looks at all records.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks.measure import (
    SUPERVISOR,
    TIMEOUT_S,
    Row,
    environment,
    percentile,
    runs_begun,
    until,
    workspace,
)

SERVICES = 100
ROUNDS = 11
TARGET_MS = 300.0
ARGUMENTS = ["run", "automations.yaml", "--state-dir", "state", "--listen", "none"]


def measure() -> list[Row]:
    times = downtimes_ms(SUPERVISOR, ROUNDS)
    name = f"kill -9 to the first answer, {SERVICES} services adopted"
    return [
        Row(f"{name}: median", statistics.median(times), "ms", target=TARGET_MS),
        Row(f"{name}: least", min(times), "ms"),
        Row(f"{name}: p90", percentile(times, 90), "ms"),
    ]


def downtimes_ms(program: str, rounds: int) -> list[float]:
    """How long nobody answered, for each of so many kills, one after the other."""
    with workspace() as folder:
        items = (
            f"  s{number}: {{name: S, triggeredBy: [postEnvironmentStart], commands: {{start: exec sleep 100000}}}}\n"
            for number in range(SERVICES)
        )
        (folder / "automations.yaml").write_text("services:\n" + "".join(items))
        process = _start(program, folder)
        try:
            until(lambda: runs_begun(folder / "state") == SERVICES)
            _answered(folder / "state" / "api.sock")
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                process.kill()
                process.wait()
                process = _start(program, folder)
                _answered(folder / "state" / "api.sock")
                times.append((time.perf_counter() - began) * 1e3)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)
    return times


def _start(program: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [program, *ARGUMENTS],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _answered(path: Path) -> None:
    """Ask until a supervisor answers with a whole status."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        client = http.client.HTTPConnection("localhost", timeout=TIMEOUT_S)
        client.sock = socket.socket(socket.AF_UNIX)
        try:
            client.sock.settimeout(TIMEOUT_S)
            client.sock.connect(os.fspath(path))
            client.request("GET", "/control/status")
            response = client.getresponse()
            if response.status == 200 and response.read():
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.001)  # it does not listen yet, or was killed in the middle
        finally:
            client.close()
    raise TimeoutError("no supervisor answers")
