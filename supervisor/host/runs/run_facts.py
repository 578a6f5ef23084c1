"""What shims wrote down of runs: when their processes began and how they ended.

It stands in the journal of facts (`shim/fact_journal`). A shim of an earlier version, which may still hold commands,
writes two files into the run directory instead, each of them aside and then renamed:

    runs/<run id>/
      started   JSON, once the process exists: {"pid", "start_ticks", "boot_id", "shim_pid", "cgroup", "log_inode"}
      exit      JSON, once the process has ended: {"code"} or {"signal"}, and {"wall_s"}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from supervisor.lean.frozen import dataclass
from supervisor.model.exit import Exit, ExitCode, ExitSignal
from supervisor.shim.fact_journal import FactJournal, by_run, encoded, last_facts
from supervisor.shim.protocol import FACTS_JOURNAL
from supervisor.shim.regular_file import read_regular
from supervisor.shim.stream import Message

_JOURNAL_BYTES = 64 << 20
_FILE_BYTES = 64 << 10
"""So much is read at most of a journal, and of a file: a command may have written it."""


@dataclass(frozen=True, slots=True)
class StartedFacts:
    """What the shim saw when the process began. `start_ticks` and `boot_id` tell it from a later process with its pid.

    `cgroup`: the folder of the control group that it began in; empty: it has none of its own.
    """

    pid: int
    start_ticks: int
    boot_id: str
    shim_pid: int
    cgroup: str = ""
    log_inode: int = 0
    """Of the log's file; 0: the shim was too old to write it."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of one run; None for what is not (yet). Times are on the wall clock."""

    started: StartedFacts | None = None
    began_s: float | None = None
    exit: Exit | None = None
    ended_s: float | None = None


class WrittenFacts:
    """What the journal said when this was made."""

    def __init__(self, runs: str | os.PathLike[str]) -> None:
        """`runs`: the folder of all run directories, beside which the journal is."""
        self._runs = runs
        try:
            journal = read_regular(_journal(runs), _JOURNAL_BYTES)
        except OSError:
            journal = b""  # there is none, or something else is in its place
        self._lines = by_run(journal)

    @property
    def ids(self) -> Iterable[str]:
        """The runs that the journal names."""
        return self._lines.keys()

    def of(self, run_id: str) -> RunFacts:
        """The facts of a run, from the files of an earlier version's shim where the journal has none."""
        began, end = last_facts(self._lines.get(run_id, ()))
        folder = os.path.join(self._runs, run_id)
        return RunFacts(
            *(_started(began) if began else _started_file(folder)),
            *(_ended(end) if end else _exit_file(folder)),
        )


def are_there(runs: str | os.PathLike[str]) -> bool:
    """Whether there is a journal, whatever it says."""
    return os.path.lexists(_journal(runs))


def restore(runs: str | os.PathLike[str], facts: Mapping[str, StartedFacts], wall_s: float) -> None:
    """Note again that these runs began, `{run id: facts}`, where nothing says so any more. Raises OSError."""
    names, written = ("pid", "start_ticks", "boot_id", "shim_pid", "cgroup", "log_inode"), WrittenFacts(runs)
    missing = b"".join(
        encoded(run_id, {name: getattr(each, name) for name in names} | {"wall_s": wall_s})
        for run_id, each in facts.items()
        if written.of(run_id).started is None
    )
    if missing:
        _append(runs, missing)


def forget(runs: str | os.PathLike[str], run_id: str) -> None:
    """Note that nothing which was written of a run with this id is of the one that begins now. Raises OSError."""
    _append(runs, encoded(run_id, {"forgotten": True}))


def _journal(runs: str | os.PathLike[str]) -> str:
    return os.path.join(os.path.dirname(runs), FACTS_JOURNAL)


def _append(runs: str | os.PathLike[str], fact: bytes) -> None:
    journal = FactJournal(os.path.dirname(runs))
    try:
        journal.append(fact)
    finally:
        journal.close()


def _started_file(folder: str) -> tuple[StartedFacts | None, float | None]:
    path = f"{folder}/started"
    try:
        began_s = os.stat(path, follow_symlinks=False).st_mtime
    except OSError:
        return None, None
    return _started((_read(path) or {}) | {"wall_s": began_s})


def _exit_file(folder: str) -> tuple[Exit | None, float | None]:
    # The shim may have been killed before it could rename the file. An incomplete one cannot be parsed.
    return _ended(_read(f"{folder}/exit") or _read(f"{folder}/exit.new") or {})


def _started(facts: Message) -> tuple[StartedFacts | None, float | None]:
    match facts:
        case {
            "pid": int(pid),
            "start_ticks": int(ticks),
            "boot_id": str(boot_id),
            "shim_pid": int(shim_pid),
            **more,
        }:
            inode, cgroup = more.get("log_inode"), str(more.get("cgroup", ""))
            started = StartedFacts(
                pid, ticks, boot_id, shim_pid, cgroup, inode if isinstance(inode, int) else 0
            )
            return started, _time(facts)
        case _:
            return None, _time(facts)


def _ended(facts: Message) -> tuple[Exit | None, float | None]:
    match facts:
        case {"code": int(code)}:
            return ExitCode(code), _time(facts)
        case {"signal": int(number)}:
            return ExitSignal(number), _time(facts)
        case _:
            return None, _time(facts)


def _time(facts: Message) -> float | None:
    at_s = facts.get("wall_s")
    return float(at_s) if isinstance(at_s, int | float) else None


def _read(path: str) -> Message | None:
    try:
        facts = json.loads(read_regular(path, _FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
