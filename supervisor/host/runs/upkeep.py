"""What live runs need now and then: their logs are kept within the limit, their outputs are read."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping

from supervisor.host.proc.clock import boot_id
from supervisor.host.proc.disk_room import room_of, why_full
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs import run_facts
from supervisor.host.runs.outlets import FactBuffer
from supervisor.host.runs.run import Run, RunStream
from supervisor.host.runs.run_directory import NOTED_S, RunDir
from supervisor.host.runs.run_facts import StartedFacts
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.errors import ProblemSink
from supervisor.model.fact import OutputRead
from supervisor.shim.protocol import PumpRequest
from supervisor.shim.regular_file import why_replaced

if TYPE_CHECKING:
    from supervisor.host.proc import worker_threads
    from supervisor.host.users.account import Account
else:
    worker_threads = late("supervisor.host.proc.worker_threads")

_INTERVAL_S = 1.0
_QUIET_S = 2.0
_SELDOM = 4
_MUCH_BYTES = 32 << 20
_SHOWN = 3
_REMOVED = "it was removed"
_GONE = -1
"""Stands for the inode of a log that was removed before it was seen: no file has it."""
_MAX_COMPLAINTS = 100
"""How many complaints the log of one run gets: a command may write other wrong lines all the time."""


class LookPace:
    """How often runs are looked at: each second while one writes, down to each eighth second while all are quiet.

    A look takes 5 to 18 microseconds a run, which is most of what an idle supervisor does. The free space of the disk
    is read every two seconds, so that a run that writes much after a long silence is noticed by then.
    """

    def __init__(self) -> None:
        self._quiet_looks = 0
        self._turns = 0
        self._free_bytes = 0

    @property
    def interval_s(self) -> float:
        """How long to wait before `is_due` is asked again."""
        return _QUIET_S if self._quiet_looks else _INTERVAL_S

    def begin(self) -> None:
        """A run has begun: look at it soon."""
        self._quiet_looks = 0

    def is_due(self, free_bytes: int) -> bool:
        """Whether to look at the runs now; `free_bytes`: the free space on the disk of their logs."""
        filled = self._free_bytes - free_bytes > _MUCH_BYTES
        self._free_bytes = free_bytes
        self._turns += 1
        return filled or self._turns >= min(self._quiet_looks, _SELDOM)

    def note(self, quiet: bool) -> None:
        """The runs were looked at; `quiet`: none of them had written anything."""
        self._turns = 0
        self._quiet_looks = self._quiet_looks + 1 if quiet else 0


class LogDisk:
    """Looks whether the disk of the logs is full, and notes it in those that may miss something.

    A command that writes its log itself gets ENOSPC on a full disk, and nobody can count what the log misses. The
    supervisor says since when and for how long the disk was full: in the status, and in the log once there is room for
    that line. A log that is pumped counts what it misses. A used-up quota does not show here; the store runs into it.
    """

    def __init__(self, folder: str, as_root: bool) -> None:
        """`folder`: the one that holds all runs; `as_root`: see `why_full`."""
        self._folder = folder
        self._as_root = as_root
        self._since_s = 0.0
        self._short: dict[str, RunDir] = {}
        self.full = ""
        """Why it was full at the last look; empty: it was not."""
        self.free_bytes = 0
        """How much was free at the last look."""

    def look(self, runs: Iterable[Run], now_s: float) -> None:
        """Look once. `runs`: the live ones; `now_s`: on the monotonic clock."""
        room = room_of(self._folder)
        why = why_full(room, self._as_root)
        self.free_bytes = 0 if room is None else room.f_bfree * room.f_frsize
        if why and not self.full:
            self._since_s = now_s
        if why:
            self._short.update((run.run_id, run.dir) for run in runs if not run.is_pumped)
        elif self.full:
            self._note(now_s - self._since_s)
        self.full = why

    def _note(self, lasted_s: float) -> None:
        for folder in self._short.values():
            if os.path.exists(folder.log) or os.path.exists(folder.stderr):
                folder.note(f"the disk was full for {lasted_s:.0f} s: what was printed meanwhile is lost")
        self._short.clear()


class Upkeep:
    """Looks after live runs."""

    def __init__(
        self,
        disk: LogDisk,
        limit_bytes: int,
        account: Account | None,
        facts: FactBuffer,
        problems: ProblemSink,
    ) -> None:
        """`limit_bytes`: of each log; `account`: the user that commands run as, if that is another one."""
        self.pace = LookPace()
        self._disk = disk
        self._limit_bytes = limit_bytes
        self._account = account
        self._facts = facts
        self._problems = problems
        self._lost = ""

    @property
    def is_needed(self) -> bool:
        """Whether to go on although no run lives: a problem that was reported may be over."""
        return bool(self._disk.full or self._lost)

    async def look(self, runs: Mapping[str, Run]) -> None:
        """Look at the disk and, if it is time, at each run."""
        self._disk.look(runs.values(), time.monotonic())
        self._problems.on_problem("disk", self._disk.full)
        if not self.pace.is_due(self._disk.free_bytes):
            return
        self.pace.note(await self._look_at(runs))
        self._lost = lost_logs(runs.values())
        note_again(runs.values())
        for run in runs.values():
            if run.lost_log:
                restore(run, self._account)
                self._make_log_anew(run)
        self._problems.on_problem("logs", self._lost)

    def _make_log_anew(self, run: Run) -> None:
        """Have the shim see to a log that it pumps into; with the next output it would see to it by itself."""
        if run.is_pumped and run.shim is not None:
            limit_bytes = run.log_limit_bytes(self._limit_bytes)
            for stream in run.streams:
                request = PumpRequest(
                    stream.name, stream.fifo, stream.log, limit_bytes, head_bytes=run.head_bytes
                )
                run.shim.pump(request)

    async def _look_at(self, runs: Mapping[str, Run]) -> bool:
        """Look at all runs once; returns whether none wrote anything. Two stats for one that wrote nothing."""
        quiet = True
        for run in list(runs.values()):
            for stream in run.streams:
                if _log_size(run, stream) != stream.size:
                    quiet = False
                    await trim(run, stream, run.log_limit_bytes(self._limit_bytes))
            if run.output_file is not None and run.run_id in runs:
                seen = _look(run.output_file)
                if seen != run.output_seen:
                    quiet = False
                    run.output_seen = seen
                    await self._report_output(run)
        return quiet

    async def _report_output(self, run: Run) -> None:
        # In a thread: a command may write so much that reading takes a while, and may do so all the time.
        values = await worker_threads.run(output, run, False)
        if values != run.output:
            run.output = values
            self._facts.post(OutputRead(run.run_id, values))


def lost_logs(runs: Iterable[Run]) -> str:
    """The live runs whose logs miss what is written, as a part of a sentence; empty: none."""
    lost = [f"{run.reference} ({log.log}: {log.lost})" for run in runs if (log := run.lost_log)]
    more = [f"{len(lost) - _SHOWN} more"] if len(lost) > _SHOWN else []
    return ", ".join(lost[:_SHOWN] + more)


def restore(run: Run, account: Account | None) -> None:
    """Make a run's directory again if it was removed, and its log, which says so; without effect where that fails.

    So the next supervisor finds what is known of the run, and the shim can write how it ended. `account`: the user that
    commands run as, if that is another one.
    """
    log = run.lost_log
    if run.restored or log is None or log.lost != _REMOVED or run.main is None:
        return
    log.inode = log.inode or _GONE
    try:
        run.dir.restore(_facts(run, run.main), account, run.output_file)
    except OSError:
        return  # tried again at the next look
    if run.is_pumped:
        return  # its log is made anew, and says so
    run.dir.note(
        "the log was removed while the command ran: what it prints is lost until it is started again"
    )
    run.restored = True


def note_again(runs: Iterable[Run]) -> None:
    """Note the facts of live runs again if somebody has removed the journal; without effect where that fails.

    The shim would do it with its next fact, and may be killed before.
    """
    live = [(run, run.main) for run in runs if run.main is not None]
    if not live or run_facts.are_there(live[0][0].dir.runs):
        return
    facts: dict[str, StartedFacts] = {run.run_id: _facts(run, main) for run, main in live}
    try:
        run_facts.restore(live[0][0].dir.runs, facts, time.time())
    except OSError:
        pass  # tried again at the next look


def _facts(run: Run, main: ProcRef) -> StartedFacts:
    shim_pid = run.shim.shim_pid if run.shim else 0
    return StartedFacts(main.pid, main.start_ticks, boot_id(), shim_pid, run.cgroup, run.streams[0].inode)


def over_limit(run: Run, limit_bytes: int) -> list[RunStream]:
    """The files of a run that have grown, and past their limit, since `trim` was last called."""
    return [] if run.is_pumped else [one for one in run.streams if _has_grown(run, one, limit_bytes)]


async def trim(run: Run, stream: RunStream, limit_bytes: int) -> None:
    """Keep a run's log within its limit, if no pump does.

    Called once after its end too, for what was written since the last look.
    """
    if not run.is_pumped and _has_grown(run, stream, limit_bytes):
        # In a thread: the kernel takes 150 ms to give back a gigabyte of blocks.
        await worker_threads.run(_enforce, stream.log, limit_bytes, stream.inode, run.head_bytes)
    stream.size = _log_size(run, stream)


def _has_grown(run: Run, stream: RunStream, limit_bytes: int) -> bool:
    size = _log_size(run, stream)
    return size != stream.size and size > limit_bytes


def output(run: Run, final: bool) -> dict[str, str]:
    """The run's outputs as they are now. Notes each complaint about them in the log, once."""
    from supervisor.host.runs.outputs import read_output

    if run.output_file is None:
        return {}
    values, complaints = read_output(run.output_file, final)
    notes = []
    for complaint in complaints:
        if complaint not in run.complaints and len(run.complaints) < _MAX_COMPLAINTS:
            run.complaints.add(complaint)
            last = len(run.complaints) == _MAX_COMPLAINTS
            notes.append("no more complaints about ignored output lines follow" if last else complaint)
    for text in notes[:-1]:
        run.dir.note(text)
    if notes:  # once the run is over, all of them are in the log; the event loop waits for that once
        run.dir.note(notes[-1], NOTED_S if final else 0.0)
    return values


def _enforce(path: str, limit_bytes: int, inode: int, head_bytes: int) -> None:
    from supervisor.host.runs.log_file import enforce_limit

    try:
        enforce_limit(path, limit_bytes, inode, head_bytes)
    except OSError:
        pass  # tried again when the log has grown


def _log_size(run: Run, stream: RunStream) -> int:
    """The size of a run's log; 0 if something else stands in its place by now, which `RunStream.lost` then says.

    The pump makes a log anew that it writes into, so its inode may change.
    """
    try:
        status = os.lstat(stream.log)
    except OSError as error:
        if run.main is not None:
            stream.lost = _REMOVED if isinstance(error, FileNotFoundError) else error.strerror or "unreadable"
        return 0
    why = why_replaced(status)
    if not why and not run.is_pumped and stream.inode not in (0, status.st_ino):
        why = stream.lost or "another file was put in its place"
    if not why:
        stream.inode = status.st_ino
    stream.lost = why
    return 0 if why else status.st_size


def _look(path: str) -> tuple[int, int]:
    """Size and modification time of a file; zeros if there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else (0, 0)
