"""What 100 services cost that do nothing: memory and CPU of the supervisor and its shim, with the API and without."""

from __future__ import annotations

import time

from benchmarks.measure import SUPERVISOR, Row, cpu_s, pss_bytes, running, until, workspace

SERVICES = 100
SETTLE_S = 3.0
IDLE_S = 60.0


def measure() -> list[Row]:
    return _rows(["--no-api"], "no API", 45, 0.1) + _rows(["--listen", "127.0.0.1:0"], "API", None, None)


def _rows(options: list[str], what: str, memory: float | None, cpu: float | None) -> list[Row]:
    supervisor, shim, share = idle(SUPERVISOR, options, IDLE_S)
    return [
        Row(f"{SERVICES} idle services, {what}: PSS of the supervisor", supervisor, "MB"),
        Row(f"{SERVICES} idle services, {what}: PSS of the shim", shim, "MB"),
        Row(f"{SERVICES} idle services, {what}: PSS of both", supervisor + shim, "MB", memory),
        Row(f"{SERVICES} idle services, {what}: CPU of both", share * 100, "% of a core", cpu),
    ]


def idle(program: str, options: list[str], idle_s: float) -> tuple[float, float, float]:
    """PSS of the supervisor and of its shim, in MB, and the share of a core that both take."""
    with workspace() as folder:
        items = (
            f"  idle-{number}:\n    name: idle\n    triggeredBy: [postEnvironmentStart]\n"
            "    commands:\n      start: exec sleep 100000\n"
            for number in range(SERVICES)
        )
        (folder / "automations.yaml").write_text(f"services:\n{''.join(items)}")
        argv = [program, "run", "automations.yaml", "--state-dir", "state", *options]
        with running(argv, folder) as pids:
            until(lambda: len(list(folder.glob("state/runs/*/started"))) == SERVICES)
            time.sleep(SETTLE_S)
            before, began = cpu_s(pids), time.monotonic()
            time.sleep(idle_s)
            share = (cpu_s(pids) - before) / (time.monotonic() - began)
            supervisor, shim = (pss_bytes([pid]) / 1e6 for pid in pids)
    return supervisor, shim, share
