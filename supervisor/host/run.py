"""A live run, as the machine knows it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from supervisor.host.rundir import RunDir
from supervisor.host.shimlink import ShimLink
from supervisor.host.tree import ProcRef
from supervisor.model.action import RunKind
from supervisor.model.exit import Exit


class Asked(enum.IntEnum):
    """What was asked of a run; it only grows."""

    NOTHING = 0
    TERMINATE = 1
    KILL = 2


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Run:
    """Lives in the machine's table from its spawn until its `Exited` is posted."""

    run_id: str
    kind: RunKind
    reference: str
    dir: RunDir
    main: ProcRef | None
    """The process that was started; None: it was found to have ended, and which one it was is not known."""
    link: ShimLink | None = None
    """The shim that will tell how the main process ended; None: nobody will, it is watched from here."""
    in_container: bool = False
    exit: Exit | None = None
    """How the main process ended, once it did."""
    asked: Asked = Asked.NOTHING
    ending: bool = False
    """Whether a task sees it out; that task is told of changes with `wake`."""
    wake: Callable[[], None] = _nothing
    log: str = field(init=False)
    """The path of the log."""
    output_file: str | None = field(init=False)
    """The path of the output file; None: a run of this kind has no outputs."""
    log_size: int = 0
    """The log's size when its limit was last enforced."""
    output_seen: tuple[int, int] = (0, 0)
    """Size and time of change of the output file when it was last read."""
    output: dict[str, str] = field(default_factory=dict)
    """What it put out, as last told."""
    complaints: set[str] = field(default_factory=set)
    """What was said in the log about the output file."""

    def __post_init__(self) -> None:
        self.log = self.dir.log
        has_outputs = self.kind in (RunKind.START, RunKind.TASK)
        self.output_file = self.dir.output(self.kind, self.reference) if has_outputs else None
