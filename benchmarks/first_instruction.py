"""From the start of the program to the first instruction of the first service's command, beside honcho.

The command writes its pid into a FIFO, which both programs' shells open at once because a reader is there already. Both
begin in an empty folder: the supervisor makes its state directory and its database on the way.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence

from benchmarks.measure import (
    HONCHO,
    SUPERVISOR,
    TIMEOUT_S,
    Row,
    interleaved,
    kill_group,
    started,
    workspace,
)

ROUNDS = 31
COMMAND = "echo $$ >fifo; exec sleep 1000"


def measure() -> list[Row]:
    medians = interleaved(
        {
            "supervisor": lambda: first_instruction_s([SUPERVISOR, "run", "automations.yaml"]),
            "honcho": lambda: first_instruction_s([HONCHO, "start"]),
        },
        ROUNDS,
    )
    ours, honcho = medians["supervisor"], medians["honcho"]
    return [
        Row("first service's first instruction: supervisor", ours * 1e3, "ms"),
        Row("first service's first instruction: honcho", honcho * 1e3, "ms"),
        Row("first service's first instruction: ratio", ours / honcho, "", 0.9),
    ]


def first_instruction_s(argv: Sequence[str]) -> float:
    """Seconds from the start of a program to its first service's first instruction, in an empty folder."""
    with workspace() as folder:
        (folder / "automations.yaml").write_text(
            "services:\n  web:\n    name: web\n    triggeredBy: [postEnvironmentStart]\n"
            f"    commands:\n      start: {COMMAND}\n"
        )
        (folder / "Procfile").write_text(f"web: {COMMAND}\n")
        os.mkfifo(folder / "fifo")
        # For reading and writing: so that it can be opened before there is a writer.
        fifo = os.open(folder / "fifo", os.O_RDWR | os.O_NONBLOCK)
        try:
            began = time.perf_counter()
            with started(argv, folder):
                command = _read_pid(fifo)
                took = time.perf_counter() - began
                kill_group(command)  # it has a session of its own
        finally:
            os.close(fifo)
        return took


def _read_pid(fifo: int) -> int:
    if not select.select([fifo], [], [], TIMEOUT_S)[0]:
        raise TimeoutError("the first service did not start")
    return int(os.read(fifo, 32))
