"""Runs that an earlier supervisor started, found again after it died or was replaced.

Three sources are asked, in this order: the shim that holds the run, if it could be reached; the journal of facts
(`run_facts`); and if that has nothing of it, the processes that carry the run's marker.

| found | then |
|---|---|
| the shim holds it, or a process of this boot that the journal names, or that carries the marker | it is taken over |
| an exit in the journal, or one that the shim could not write | it has ended like that |
| that it began, and no end | it has ended, nobody knows how |
| no more than its log | nobody knows whether it began (its shim died at once): as if it had ended |
| not even that | it never began |

No process outlives the boot that it was started in, so after another one only exits are looked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from supervisor.host.proc import cgroups, process, process_signals, process_tree
from supervisor.host.proc.clock import boot_id
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.run import Asked, Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.run_facts import WrittenFacts
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.model.action import Inherited, Kill, RunKind, Terminate
from supervisor.model.exit import ExitUnknown
from supervisor.shim.protocol import RunsListed

STRAY_GRACE_S = 2.0
"""How long the runs that no record names have between SIGTERM and SIGKILL."""
_POLL_S = 0.01
_LOOKS_AFTER_S = (0.0, 0.02, 0.1)
"""How long before each look at /proc for a run."""


def without_probes(inherited: Iterable[Inherited]) -> tuple[list[Inherited], list[Inherited]]:
    """The runs that have directories, and the probes, which have none."""
    runs, probes = list[Inherited](), list[Inherited]()
    for one in inherited:
        (probes if one.spawn.kind is RunKind.READY else runs).append(one)
    return runs, probes


def found_again(
    inherited: Iterable[Inherited], folder: Path, held: RunsListed, held_by: ShimClient | None
) -> tuple[list[Run], list[Inherited]]:
    """The runs that did start, dead or alive, and those that never did. `held`: what the shim `held_by` holds."""
    boot, written = boot_id(), WrittenFacts(folder)
    began: list[Run] = []
    unknown: list[tuple[Run, Inherited]] = []
    for one in inherited:
        run = _run(one, folder)
        known = written.of(run.run_id)
        facts, run.noted_exit = known.started, known.exit
        if facts is not None and facts.boot_id == boot:
            run.cgroup, run.streams[0].inode = facts.cgroup, facts.log_inode
        if run.run_id in held.runs:
            run.main, run.shim = ProcRef(*held.runs[run.run_id]), held_by
        elif facts is not None and facts.boot_id == boot:
            run.main = ProcRef(facts.pid, facts.start_ticks)
        elif facts is None and run.run_id not in held.ended and run.noted_exit is None:
            unknown.append((run, one))
            continue
        began.append(run)
        run.is_pumped = _is_pumped(run)
    # Their supervisor died, or its disk was full, before anything could be written.
    _look_for([run for run, _ in unknown])
    never = []
    for run, one in unknown:
        if run.main or os.path.lexists(run.log):
            began.append(run)
            run.is_pumped = _is_pumped(run)
        else:
            never.append(one)
    return began, never


def _is_pumped(run: Run) -> bool:
    """Whether a run has a FIFO; somebody may have removed it, and its command writes into it all the same."""
    if any(os.path.exists(stream.fifo) for stream in run.streams):
        return True
    try:
        links = [os.readlink(f"/proc/{run.main.pid}/fd/{fd}") for fd in (1, 2)] if run.main else []
    except OSError:
        return False
    return any(f"{stream.fifo} (deleted)" in links for stream in run.streams)


def lost_with_the_machine(inherited: Iterable[Inherited], folder: Path, why: str) -> list[Run]:
    """The runs of an earlier boot, with their exits; `why`: the reason if an exit was not noted."""
    runs, written = [_run(one, folder) for one in without_probes(inherited)[0]], WrittenFacts(folder)
    for run in runs:
        run.exit = written.of(run.run_id).exit or ExitUnknown(why)
    return runs


def end_strays(run_ids: Sequence[str], folder: Path, grace_s: float = STRAY_GRACE_S) -> int:
    """End what lives of runs that no record names, and remove their directories; returns how many lived.

    Waits until they have ended: a new run may get the id of one of them, or need the port that it holds.
    """
    written = WrittenFacts(folder)
    began = {run_id: written.of(run_id).started for run_id in run_ids}
    groups = {run_id: facts.cgroup for run_id, facts in began.items() if facts and facts.cgroup}
    members = process_tree.census(dict.fromkeys(run_ids), groups) if run_ids else {}
    live = [ref for refs in members.values() for ref in refs]
    process_signals.terminate(live)
    deadline = time.monotonic() + grace_s
    while (alive := [ref for ref in live if process.alive(ref)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    while alive and time.monotonic() < deadline + grace_s:
        for group in groups.values():
            cgroups.kill(group)
        process_signals.kill(alive)
        time.sleep(_POLL_S)
        alive = [ref for refs in process_tree.census(dict.fromkeys(run_ids), groups).values() for ref in refs]
    for run_id in run_ids:
        RunDir(folder, run_id).remove()
    return sum(bool(refs) for refs in members.values())


def began_nevertheless(runs: Iterable[Run]) -> list[Run]:
    """The runs whose command began although their shim ended before it could say so. Notes their processes.

    A run that has a log and no process may have ended already: it counts as begun, so that no command runs twice.
    """
    if not (runs := list(runs)):
        return []

    unknown, written = [], WrittenFacts(runs[0].dir.runs)
    for run in runs:
        known = written.of(run.run_id)
        run.noted_exit = known.exit
        if (facts := known.started) is not None:
            run.main = ProcRef(facts.pid, facts.start_ticks)
        else:
            unknown.append(run)
    _look_for(unknown)
    return [run for run in runs if run.main or os.path.lexists(run.log)]


def look_up_exits(runs: Iterable[Run]) -> None:
    """Note what the journal says of how these runs have ended, in one look for all: their shim is gone."""
    written: WrittenFacts | None = None
    for run in runs:
        written = written or WrittenFacts(run.dir.runs)
        run.noted_exit = written.of(run.run_id).exit


def _look_for(runs: list[Run]) -> None:
    """Note the processes of runs about which nothing was written; one pass over /proc serves all.

    The shim may have died in the moment of a spawn. A process whose exec is not through shows no environment yet, so a
    run that has a log and no process is looked for again, before it counts as ended.
    """
    for pause_s in _LOOKS_AFTER_S:
        if not runs:
            return
        time.sleep(pause_s)
        members = process_tree.census({run.run_id: None for run in runs})
        for run in runs:
            run.main = eldest(members[run.run_id])
        runs = [run for run in runs if run.main is None and os.path.lexists(run.log)]


def eldest(members: Iterable[ProcRef]) -> ProcRef | None:
    """The process that the others of a run come from, as far as can be seen."""
    return min(members, key=lambda ref: ref.start_ticks, default=None)


def _run(one: Inherited, folder: Path) -> Run:
    spawn = one.spawn
    directory = RunDir(folder, spawn.run_id)
    run = Run(spawn.run_id, spawn.kind, spawn.reference, directory, directory.in_container, spawn.script)
    match one.ending:
        case Kill():
            run.asked = Asked.KILL
        case Terminate():
            run.asked = Asked.TERMINATE
        case None:
            pass
    return run
