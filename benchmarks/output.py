"""What the supervisor and its shim compute while a command writes 1 GiB to its log, which is kept at its limit."""

from __future__ import annotations

import time

from benchmarks.measure import SUPERVISOR, Row, cpu_s, running, runs_begun, until, workspace

FILE = """\
services:
  writer:
    name: writer
    triggeredBy: [postEnvironmentStart]
    commands:
      start: |
        until [ -e go ]; do sleep 0.05; done
        tr '\\0' x </dev/zero | WRITE
        touch written
        exec sleep 1000
"""
WRITERS = {
    "": "head -c 1073741824",  # 8 KiB at a time
    ", 1 MiB at a time": "dd bs=1M count=1024 iflag=fullblock status=none",
}
"""The kernel gives back what was written in large pieces sooner: it keeps it in larger ones."""
REST_S = 3.0
"""Time for what the supervisor does after the writing, such as keeping the limit once more."""


def measure() -> list[Row]:
    return [row for how, writer in WRITERS.items() for row in _measure(how, writer)]


def _measure(how: str, writer: str) -> list[Row]:
    with workspace(on_disk=True) as folder:
        (folder / "automations.yaml").write_text(FILE.replace("WRITE", writer))
        argv = [SUPERVISOR, "run", "automations.yaml", "--state-dir", "state"]
        with running(argv, folder) as pids:
            until(lambda: runs_begun(folder / "state") > 0)
            time.sleep(REST_S)
            before, began = cpu_s(pids), time.monotonic()
            (folder / "go").touch()
            until((folder / "written").exists)
            took = time.monotonic() - began
            time.sleep(REST_S)
            used = cpu_s(pids) - before
            (log,) = folder.glob("state/runs/*/log")
            kept = log.stat().st_blocks * 512
    return [
        Row(f"1 GiB of output{how}: time to write it", took, "s"),
        Row(f"1 GiB of output{how}: kept on disk", kept / 2**20, "MiB", 80),
        Row(f"1 GiB of output{how}: CPU of supervisor and shim", used, "s", 0.1),
    ]
