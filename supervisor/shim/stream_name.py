"""What a FIFO and its log are called among the shim, the keeper and the supervisor, and where they are.

| the stream | its name | its log | its FIFO |
|---|---|---|---|
| all that a command prints | RUN ID | RUN ID/log | RUN ID/fifo |
| standard output alone | RUN ID/stdout | RUN ID/stdout | RUN ID/stdout.fifo |
| standard error alone | RUN ID/stderr | RUN ID/stderr | RUN ID/stderr.fifo |

Paths are below the folder that holds all run directories. A run has the first stream, or the other two.
"""

from __future__ import annotations

OUT, ERR = "stdout", "stderr"


def names(run_id: str) -> tuple[str, str, str]:
    """The streams that a run may have."""
    return run_id, f"{run_id}/{OUT}", f"{run_id}/{ERR}"


def run_of(name: str) -> str:
    """The id of the run that a stream is of."""
    return name.partition("/")[0]


def log_of(name: str) -> str:
    """Where the log of a stream is."""
    return name if "/" in name else f"{name}/log"


def fifo_of(name: str) -> str:
    """Where the FIFO of a stream is."""
    return f"{name}.fifo" if "/" in name else f"{name}/fifo"
