"""A live run, as the machine knows it."""

from __future__ import annotations

import enum
import os

from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.model.action import RunKind
from supervisor.model.exit import Exit
from supervisor.model.ids import RunId


class Asked(enum.IntEnum):
    """What was asked of a run; it only grows."""

    NOTHING = 0
    TERMINATE = 1
    KILL = 2


_SHORT_LOG_BYTES = 1 << 20
"""How large the log of a stop command may be: it has little to say, and every service may have one."""


class Run:
    """Lives in the machine's table from its `Spawn` until its `Exited` is posted."""

    def __init__(
        self,
        run_id: RunId,
        kind: RunKind,
        reference: str,
        directory: RunDir,
        in_container: bool = False,
        script: str = "",
    ) -> None:
        self.run_id = run_id
        self.kind = kind
        self.reference = reference
        self.dir = directory
        self.in_container = in_container
        self.script = script
        """The text of what it runs."""
        self.main: ProcRef | None = None
        """The process that was started; None: not yet, or it had ended before it was found."""
        self.shim: ShimClient | None = None
        """The shim that starts the run and reports its exit; None: no shim does, the machine watches the process."""
        self.cgroup = ""
        """The folder of the control group that its processes are in; empty: it has none of its own."""
        self.exit: Exit | None = None
        """How the main process ended, once it did."""
        self.noted_exit: Exit | None = None
        """How it has ended, as the shim wrote it down; looked up when it is found again, or has lost its shim."""
        self.asked = Asked.NOTHING
        self.has_left = False
        """Whether all its processes have ended, after they were seen out."""
        self.log = directory.log
        """The path of the log."""
        has_outputs = kind in (RunKind.START, RunKind.TASK)
        self.output_file = directory.output(kind, reference) if has_outputs else None
        """The path of the output file; None: a run of this kind has no outputs."""
        self.is_pumped = False
        """Whether a shim pumps its output into its log; else the command writes into that itself."""
        self._fifo_fd = -1
        self.has_held_fifo = False
        """Whether we have had a read end of its FIFO since it was made."""
        self.log_size = 0
        """The log's size when its limit was last enforced."""
        self.log_inode = 0
        """Of the file that the command writes its log into; 0: not known yet."""
        self.log_lost = ""
        """Why what the command writes no longer reaches its log; empty: it does."""
        self.restored = False
        """Whether its directory was made again, with a log that says so."""
        self.output_seen = 0, 0
        """Size and modification time of the output file when it was last read."""
        self.output: dict[str, str] = {}
        """Its outputs, as last reported."""
        self.complaints: set[str] = set()
        """What was written into the log about the output file."""

    def log_limit_bytes(self, limit_bytes: int) -> int:
        """How large its log may be, where other logs may have `limit_bytes`."""
        return min(limit_bytes, _SHORT_LOG_BYTES) if self.kind is RunKind.STOP else limit_bytes

    def hold_fifo(self) -> bool:
        """Have a read end of its FIFO, so that nothing in it is lost while we live, and its command has a reader.

        Returns whether we have one.
        """
        if self._fifo_fd < 0:
            try:
                self._fifo_fd = os.open(
                    self.dir.fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
                )
            except OSError:
                return False  # we have too many descriptors; the keeper has one
        return True

    def let_fifo_go(self) -> None:
        """Close the read end."""
        if self._fifo_fd >= 0:
            os.close(self._fifo_fd)
            self._fifo_fd = -1
