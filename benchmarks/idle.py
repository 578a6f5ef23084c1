"""What 100 services cost that do nothing: memory and CPU of the supervisor and its shim, with the API and without."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.measure import (
    SUPERVISOR,
    Row,
    cpu_s,
    keeper_of,
    pss_bytes,
    running,
    runs_begun,
    until,
    workspace,
)

SERVICES = 100
SETTLE_S = 3.0
IDLE_S = 60.0


def measure() -> list[Row]:
    return _rows(["--no-api"], "no API", 45, 0.1) + _rows(["--listen", "127.0.0.1:0"], "API", None, None)


def _rows(options: list[str], what: str, memory: float | None, cpu: float | None) -> list[Row]:
    supervisor, shim, share, wakings = idle(SUPERVISOR, options, IDLE_S)
    return [
        Row(f"{SERVICES} idle services, {what}: PSS of the supervisor", supervisor, "MB"),
        Row(f"{SERVICES} idle services, {what}: PSS of the shim", shim, "MB"),
        Row(f"{SERVICES} idle services, {what}: PSS of both", supervisor + shim, "MB", memory),
        Row(f"{SERVICES} idle services, {what}: CPU of both", share * 100, "% of a core", cpu),
        Row(
            f"{SERVICES} idle services, {what}: wakings of shim and keeper in {IDLE_S:.0f} s", wakings, "", 0
        ),
    ]


def idle(program: str, options: list[str], idle_s: float) -> tuple[float, float, float, int]:
    """PSS of the supervisor and of its shim, in MB, the share of a core that both take, and how often the shim woke.

    The shim is shim and keeper here; the keeper shares all its pages with the shim, so its PSS is nearly nothing.
    """
    with workspace() as folder:
        items = (
            f"  idle-{number}:\n    name: idle\n    triggeredBy: [postEnvironmentStart]\n"
            "    commands:\n      start: exec sleep 100000\n"
            for number in range(SERVICES)
        )
        (folder / "automations.yaml").write_text(f"services:\n{''.join(items)}")
        argv = [program, "run", "automations.yaml", "--state-dir", "state", *options]
        with running(argv, folder) as pids:
            until(lambda: runs_begun(folder / "state") == SERVICES)
            time.sleep(SETTLE_S)
            helpers = [pids[1], *keeper_of(pids[1])]
            before, began, woken = cpu_s(pids), time.monotonic(), _wakings(helpers)
            time.sleep(idle_s)
            share = (cpu_s(pids) - before) / (time.monotonic() - began)
            woken = _wakings(helpers) - woken
            supervisor, shim = pss_bytes(pids[:1]) / 1e6, pss_bytes(helpers) / 1e6
    return supervisor, shim, share, woken


def _wakings(pids: list[int]) -> int:
    """How often the threads of processes went to sleep so far: voluntary_ctxt_switches of /proc/PID/task/TID/status."""
    files = (file for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/status"))
    lines = (line for file in files for line in file.read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
