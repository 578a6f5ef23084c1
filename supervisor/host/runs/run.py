"""A live run, as the machine knows it."""

from __future__ import annotations

import enum
import os
from pathlib import Path

from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.lean.frozen import replace
from supervisor.model.action import RunKind
from supervisor.model.exit import Exit
from supervisor.model.ids import RunId
from supervisor.shim.protocol import Pumping
from supervisor.shim.stream_name import names


class Asked(enum.IntEnum):
    """What was asked of a run; it only grows."""

    NOTHING = 0
    TERMINATE = 1
    KILL = 2


_SHORT_LOG_BYTES = 1 << 20
"""How large the log of a stop command may be: it has little to say, and every service may have one."""
OUTPUT_BYTES = 64 << 20
"""How many of the first bytes of each stream of an operation are kept, and how many of the last ones."""
_OUTPUT_DRAIN_S = 0.2
"""How long the end of an operation waits at most for what its shell has left to print."""


class RunStream:
    """A file that a run's output goes into."""

    __slots__ = ("_fifo_fd", "fifo", "inode", "log", "lost", "name", "size")

    def __init__(self, runs: Path, name: str) -> None:
        """`runs`: the folder that holds all run directories; `name`: see `stream_name`."""
        directory = RunDir(runs, name)
        self.name = name
        self.log = directory.log
        self.fifo = directory.fifo
        self._fifo_fd = -1
        self.size = 0
        """The file's size when its limit was last enforced."""
        self.inode = 0
        """Of the file that the command's output goes into; 0: not known yet."""
        self.lost = ""
        """Why what the command writes no longer reaches the file; empty: it does."""

    def hold_fifo(self) -> bool:
        """Have a read end of the FIFO, so that nothing in it is lost while we live, and its command has a reader.

        Returns whether we have one.
        """
        if self._fifo_fd < 0:
            try:
                self._fifo_fd = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                return False  # we have too many descriptors; the keeper has one
        return True

    def let_fifo_go(self) -> None:
        """Close the read end."""
        if self._fifo_fd >= 0:
            os.close(self._fifo_fd)
            self._fifo_fd = -1


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
        self.is_operation = kind is RunKind.OPERATION
        streams = names(run_id)[1:] if self.is_operation else (run_id,)
        self.streams = tuple(RunStream(directory.runs, name) for name in streams)
        """The log alone; of an operation standard output and standard error."""
        self.written: tuple[int, ...] = ()
        """Where an operation's streams ended when its shell's end was reported; empty: not known."""
        self.lost: tuple[int, ...] = ()
        """How many bytes each of them lacked then, of which it does not speak; empty: none, as far as is known."""
        self.ended_unasked = False
        """Whether an operation's shell had ended by itself when something was asked of it."""
        has_outputs = kind in (RunKind.START, RunKind.TASK)
        self.output_file = directory.output(kind, reference) if has_outputs else None
        """The path of the output file; None: a run of this kind has no outputs."""
        self.is_pumped = False
        """Whether a shim pumps its output into its log; else the command writes into that itself."""
        self.has_held_fifo = False
        """Whether we have had a read end of each of its FIFOs since they were made."""
        self.restored = False
        """Whether its directory was made again, with a log that says so."""
        self.output_seen = 0, 0
        """Size and modification time of the output file when it was last read."""
        self.output: dict[str, str] = {}
        """Its outputs, as last reported."""
        self.complaints: set[str] = set()
        """What was written into the log about the output file."""

    @property
    def log(self) -> str:
        """The path of the log, or of an operation's standard output: from it one sees that the run has begun."""
        return self.streams[0].log

    @property
    def lost_log(self) -> RunStream | None:
        """The first of its files that what the command writes no longer reaches; None: there is none."""
        return next((stream for stream in self.streams if stream.lost), None)

    def pumping(self, others: Pumping) -> Pumping:
        """How its output is pumped, where that of others is pumped like this."""
        if not self.is_operation:
            return replace(others, limit_bytes=self.log_limit_bytes(others.limit_bytes))
        quiet_s, drain_s = min(others.quiet_s, _OUTPUT_DRAIN_S), min(others.drain_s, _OUTPUT_DRAIN_S)
        return Pumping(OUTPUT_BYTES, quiet_s, drain_s, self.head_bytes)

    def log_limit_bytes(self, limit_bytes: int) -> int:
        """How large its log may be, where other logs may have `limit_bytes`; of an operation, without the head."""
        if self.is_operation:
            return OUTPUT_BYTES
        return min(limit_bytes, _SHORT_LOG_BYTES) if self.kind is RunKind.STOP else limit_bytes

    @property
    def head_bytes(self) -> int:
        """How many of the first bytes of its files are kept in addition."""
        return OUTPUT_BYTES if self.is_operation else 0

    def hold_fifo(self) -> bool:
        """Have a read end of each of its FIFOs; returns whether we have them."""
        return all([stream.hold_fifo() for stream in self.streams])

    def let_fifo_go(self) -> None:
        """Close the read ends."""
        for stream in self.streams:
            stream.let_fifo_go()
