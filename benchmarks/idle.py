"""What 100 services cost that do nothing: memory and CPU of the supervisor and its shim."""

from __future__ import annotations

import time

from benchmarks.measure import SUPERVISOR, Row, cpu_s, pss_bytes, running, until, workspace

SERVICES = 100
SETTLE_S = 3.0
IDLE_S = 30.0


def measure() -> list[Row]:
    with workspace() as folder:
        items = (
            f"  idle-{number}:\n    name: idle\n    triggeredBy: [postEnvironmentStart]\n"
            "    commands:\n      start: exec sleep 100000\n"
            for number in range(SERVICES)
        )
        (folder / "automations.yaml").write_text(f"services:\n{''.join(items)}")
        argv = [SUPERVISOR, "run", "automations.yaml", "--state-dir", "state"]
        with running(argv, folder) as pids:
            until(lambda: len(list(folder.glob("state/runs/*/started"))) == SERVICES)
            time.sleep(SETTLE_S)
            before, began = cpu_s(pids), time.monotonic()
            time.sleep(IDLE_S)
            share = (cpu_s(pids) - before) / (time.monotonic() - began)
            supervisor, shim = (pss_bytes([pid]) / 1e6 for pid in pids)
    return [
        Row(f"{SERVICES} idle services: PSS of the supervisor", supervisor, "MB"),
        Row(f"{SERVICES} idle services: PSS of the shim", shim, "MB"),
        Row(f"{SERVICES} idle services: PSS of both", supervisor + shim, "MB", 45),
        Row(f"{SERVICES} idle services: CPU of both", share * 100, "% of a core", 0.1),
    ]
