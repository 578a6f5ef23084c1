"""The processes of a run, found in /proc.

Every command is started as the leader of a session. A process belongs to its run if

- it is in that session, or
- it carries the run's marker in its environment: it made a session of its own (daemons do), or
- its parent belongs to the run: programs that show a title overwrite their environment, or
- it is in the run's control group, where there is one (`cgroups`).

A process that left the session, wiped its environment and lost its parent is a child of the shim (a subreaper): it
belongs to some run of the supervisor, but nothing says to which. The sweep at the end finds it.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType

from supervisor.host.proc import cgroups
from supervisor.host.proc.process import RUN_MARKER, RUNS_MARKER, ProcRef, ProcStat, stat_of, variable_of

_LISTINGS = 20
"""The most passes over /proc, for a machine where processes come and go all the time."""

Members = dict[str, list[ProcRef]]
NO_GROUPS: Mapping[str, str] = MappingProxyType({})


def census(
    runs: Mapping[str, ProcRef | None],
    groups: Mapping[str, str] = NO_GROUPS,
    others: Iterable[ProcRef] = (),
) -> Members:
    """The live processes of each run, in one pass.

    `runs` is `{run id: its main process, if known}`, `groups` `{run id: the folder of its control group}`, `others` the
    main processes of other runs: what is in their sessions is theirs, and its environment need not be read, which
    takes ten times as long as all else about a process. Raises OSError.
    """
    sessions = {main.pid: run_id for run_id, main in runs.items() if main is not None}
    # No process is older than its run. So most environments need not be read.
    since = min((main.start_ticks if main else 0 for main in runs.values()), default=0)
    table = _processes(since)
    for main in filter(None, runs.values()):
        leader = table.get(main.pid)
        if leader and leader.ref != main:
            del sessions[main.pid]  # the run's session is empty, and its number is in use again
    foreign = {main.pid for main in others if main.pid not in table or table[main.pid].ref == main}
    owner: dict[int, str] = {}
    for run_id, group in groups.items():
        owner.update(dict.fromkeys(_grouped(table, group), run_id))
    for pid, process in table.items():
        if pid in owner or process.session in foreign:
            continue
        found = sessions.get(process.session) or variable_of(process, RUN_MARKER)
        if found is not None and found in runs:
            owner[pid] = found
    return _gathered(table, owner, runs)


def strays(
    runs_folder: str, groups: Iterable[str] = (), shims: Sequence[int] = (), spared: Container[int] = ()
) -> list[ProcRef]:
    """All live processes of all runs, past runs too, of the supervisor whose run directories are in `runs_folder`.

    `groups`: the control groups of its runs. `shims`: the pids of its shims, which adopt orphans: a process below a
    shim belongs to some run, even if it left its group and removed its marker, unless it is one of the `spared`. Raises
    OSError.
    """
    table = _processes(0)
    owner = {
        pid: runs_folder for pid, process in table.items() if variable_of(process, RUNS_MARKER) == runs_folder
    }
    for group in groups:
        owner.update(dict.fromkeys(_grouped(table, group), runs_folder))
    owner |= {
        pid: runs_folder for pid, process in table.items() if process.parent in shims and pid not in spared
    }
    return _gathered(table, owner, (runs_folder,))[runs_folder]


def of_session(session: int) -> list[ProcRef]:
    """The live processes of a session. Its leader must not have been reaped, or its number may be another's by now.

    Raises OSError.
    """
    return [process.ref for process in _processes(0).values() if process.session == session and process.alive]


def _processes(since_ticks: int) -> dict[int, ProcStat]:
    """The processes that started at `since_ticks` or later.

    /proc is listed until a pass finds nothing new: a process that forks and exits while we read shows in its child.
    """
    table: dict[int, ProcStat] = {}
    listed = {os.getpid()}  # we may belong to another supervisor's run, never to our own
    for _ in range(_LISTINGS):
        new = set(map(int, filter(str.isdigit, os.listdir("/proc")))) - listed
        if not new:
            break
        listed |= new
        for pid in new:
            process = stat_of(pid)
            if process is not None and process.ref.start_ticks >= since_ticks:
                table[pid] = process
    return table


def _grouped(table: dict[int, ProcStat], group: str) -> Iterable[int]:
    """The processes of a control group. Adds those to the table that started after it was made."""
    for pid in cgroups.processes(group):
        process = table.get(pid) or stat_of(pid)
        if process is not None and pid != os.getpid():
            table[pid] = process
            yield pid


def _gathered(table: Mapping[int, ProcStat], owner: dict[int, str], runs: Iterable[str]) -> Members:
    """Assign children to the runs of their parents, and list the live ones."""
    members: Members = {run_id: [] for run_id in runs}
    for pid, process in table.items():
        line, ancestor = [], pid
        while ancestor in table and ancestor not in owner and ancestor not in line:
            line.append(ancestor)
            ancestor = table[ancestor].parent
        if ancestor in owner:
            owner.update(dict.fromkeys(line, owner[ancestor]))
            if process.alive:
                members[owner[pid]].append(process.ref)
    return members
