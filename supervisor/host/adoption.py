"""Runs that an earlier supervisor started, found again after it died or was replaced.

What is asked, in this order: the shim that holds the run, if it could be met again; the facts in the run directory; and
if nothing was written there, the processes that carry the run's marker.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from supervisor.host import tree
from supervisor.host.clock import boot_id
from supervisor.host.run import Run
from supervisor.host.rundir import RunDir
from supervisor.host.shimlink import Listing, ShimLink
from supervisor.host.tree import ProcRef
from supervisor.model.action import RunKind


def found_again(
    runs: Iterable[tuple[str, RunKind, str]], folder: Path, held: Listing, held_by: ShimLink | None
) -> tuple[list[Run], list[Run]]:
    """The runs that did start, dead or alive, and those that never did. `runs` is `(run id, kind, reference)`."""
    boot = boot_id()
    began, unknown = [], []
    for run_id, kind, reference in runs:
        directory = RunDir(folder, run_id)
        run = Run(run_id, kind, reference, directory, directory.in_container)
        facts = directory.started()
        if run_id in held.runs:
            run.main, run.link = ProcRef(*held.runs[run_id]), held_by
        elif facts is not None and facts.boot_id == boot:
            run.main = ProcRef(facts.pid, facts.start_ticks)
        elif facts is None and directory.exit() is None:
            unknown.append(run)
            continue
        began.append(run)
    # The one before died, or its disk was full, before anything could be written.
    _look_for(unknown)
    return began + [run for run in unknown if run.main], [run for run in unknown if not run.main]


def began_nevertheless(runs: Iterable[Run]) -> list[Run]:
    """The runs whose command began although its shim ended before it could say so; their processes are noted."""
    unknown = []
    for run in (runs := list(runs)):
        if (facts := run.dir.started()) is not None:
            run.main = ProcRef(facts.pid, facts.start_ticks)
        else:
            unknown.append(run)
    _look_for(unknown)
    return [run for run in runs if run.main]


def _look_for(runs: list[Run]) -> None:
    """Note the processes of runs about which nothing was written; one pass over /proc serves all."""
    if runs:
        members = tree.census({run.run_id: None for run in runs})
        for run in runs:
            run.main = eldest(members[run.run_id])


def eldest(members: Iterable[ProcRef]) -> ProcRef | None:
    """The process of a run that the others come from, as far as can be told."""
    return min(members, key=lambda ref: ref.start_ticks, default=None)
