"""A live run, as the machine knows it."""

from __future__ import annotations

import enum
from collections.abc import Callable

from supervisor.host.proc.process_tree import ProcRef
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.shim_client import ShimLink
from supervisor.model.action import RunKind
from supervisor.model.exit import Exit


class Asked(enum.IntEnum):
    """What was asked of a run; it only grows."""

    NOTHING = 0
    TERMINATE = 1
    KILL = 2


def _nothing() -> None:
    return None


class Run:
    """Lives in the machine's table from its spawn until its `Exited` is posted."""

    def __init__(
        self,
        run_id: str,
        kind: RunKind,
        reference: str,
        directory: RunDir,
        in_container: bool = False,
    ) -> None:
        self.run_id = run_id
        self.kind = kind
        self.reference = reference
        self.dir = directory
        self.in_container = in_container
        self.main: ProcRef | None = None
        """The process that was started; None: not yet, or it was found to have ended and is not known."""
        self.link: ShimLink | None = None
        """The shim that starts it and will tell how it ended; None: nobody will, it is watched from here."""
        self.cgroup = ""
        """The folder of the control group that its processes are in; empty: it has none of its own."""
        self.exit: Exit | None = None
        """How the main process ended, once it did."""
        self.asked = Asked.NOTHING
        self.ending = False
        """Whether a task sees it out; that task is told of changes with `wake`."""
        self.wake: Callable[[], None] = _nothing
        self.log = directory.log
        """The path of the log."""
        has_outputs = kind in (RunKind.START, RunKind.TASK)
        self.output_file = directory.output(kind, reference) if has_outputs else None
        """The path of the output file; None: a run of this kind has no outputs."""
        self.log_size = 0
        """The log's size when its limit was last enforced."""
        self.log_inode = 0
        """Of the file that the command writes its log into; 0: not known yet."""
        self.log_lost = ""
        """Why what the command writes does not come to its log any more; empty: it does."""
        self.restored = False
        """Whether its directory was made again, and a log in which that is said."""
        self.output_seen = 0, 0
        """Size and time of change of the output file when it was last read."""
        self.output: dict[str, str] = {}
        """What it put out, as last told."""
        self.complaints: set[str] = set()
        """What was said in the log about the output file."""
