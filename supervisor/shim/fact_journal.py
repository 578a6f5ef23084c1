"""The journal of facts: when the commands of all runs began and how they ended, in one file of the state directory.

A fact is a JSON object on a line of its own, appended by one write(2); no fact is ever changed:

| fact | members beside `run` |
|---|---|
| the process exists | pid, start_ticks, boot_id, shim_pid, cgroup, log_inode, wall_s |
| it has ended | pid, code or signal, wall_s |
| what was noted of a run with this id before is not this run's | forgotten |

A fact begins with a line break as well, so one that was cut off (by a full disk, or with the machine) is a line that no
reader takes, and takes nothing of the next one. Without the first fact the run was wanted, but the supervisor or the
shim died before it began. With that and no second one it lives, or it ended while no shim was there to see it.

Several shims may append, and one rewrites the journal when it has grown: beside its place, then renamed, with what is
known of runs that still have a directory. An append holds a shared lock on the file and makes sure that it is still
the one in the journal's place; a rewrite holds an exclusive one. Neither waits: what cannot be written now is tried
again. If somebody has removed the journal, the next fact makes a new one, and brings along those of the live runs.
Nothing is synced to the disk: facts survive the end of any process, not that of the machine.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable

from supervisor.shim.protocol import FACTS_JOURNAL, CommandStarted, ExitStatus, encode_status
from supervisor.shim.regular_file import atomic_write, open_regular
from supervisor.shim.stream import Message

MAX_BYTES = 256 << 10
"""How large it may be before it is rewritten; more if the runs that are kept need more. A run has 300 bytes."""
_PREFIX = b'{"run":"'
_ATTEMPTS = 5
"""How often a journal that is replaced all the time is opened anew."""


class FactJournal:
    """Appends to the journal of a state directory."""

    def __init__(self, state: str, max_bytes: int = MAX_BYTES) -> None:
        """Nothing is opened before the first fact."""
        self._path = os.path.join(state, FACTS_JOURNAL)
        self._runs = os.path.join(state, "runs")
        self._max_bytes = max_bytes
        self._limit_bytes = max_bytes
        self._fd = -1

    def append(self, facts: bytes, others: Iterable[bytes] = ()) -> None:
        """Append facts, as a whole or not at all to a reader. Raises OSError.

        `others`: what is to be in the journal as well. Looked for only if it is not the one that was last written into.
        """
        is_another = self._open_and_lock()
        try:
            data = facts
            if is_another and (missing := b"".join(self._missing(others))):
                data = missing + facts
                # Of runs without a directory: the next rewrite will drop them, and they be brought along again.
                self._limit_bytes = max(self._limit_bytes, self._max_bytes + 2 * len(missing))
            if os.write(self._fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.close()
            raise
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the journal, which releases its lock; the next fact opens it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open_and_lock(self) -> bool:
        """Have the file that is in the journal's place now; returns whether it was another before. Raises OSError."""
        is_another = False
        for _ in range(_ATTEMPTS):
            if self._fd < 0:
                self._fd = open_regular(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
                is_another = True
            try:
                is_large = os.fstat(self._fd).st_size >= self._limit_bytes
                is_rewritten = is_large and self._is_locked(fcntl.LOCK_EX) and self._rewrite()
                if not is_rewritten and self._is_locked(fcntl.LOCK_SH):
                    return is_another
            except BaseException:
                self.close()
                raise
            self.close()  # another one is in its place, or none
        raise BlockingIOError(errno.EAGAIN, "the journal is replaced all the time", self._path)

    def _is_locked(self, how: int) -> bool:
        """Take a lock on the open file; False: it is no longer the journal. Raises OSError if another shim holds it."""
        try:
            fcntl.flock(self._fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if how == fcntl.LOCK_SH:
                raise
            return False  # others are writing: it grows a little more
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self._path, follow_symlinks=False))
        except FileNotFoundError:
            return False

    def _missing(self, facts: Iterable[bytes]) -> Iterable[bytes]:
        """Those of the facts that the journal does not have."""
        written = set(os.pread(self._fd, os.fstat(self._fd).st_size, 0).split(b"\n"))
        return (fact for fact in facts if fact.strip() not in written)

    def _rewrite(self) -> bool:
        """Put what is still of use in the journal's place; False: that failed, and it grows a little more."""
        size = os.fstat(self._fd).st_size
        try:
            kept = b"".join(_kept(os.pread(self._fd, size, 0), set(os.listdir(self._runs))))
            atomic_write(self._path, kept)
        except OSError:  # a full disk, or there is no folder of runs at the moment
            self._limit_bytes = size + self._max_bytes
            return False
        self._limit_bytes = max(self._max_bytes, 2 * len(kept))
        return True


class FactWriter:
    """Writes the facts of one shim's runs, and tries again what could not be written: the disk may be full."""

    def __init__(self) -> None:
        self._boot_id = _boot_id()
        self._journal: FactJournal | None = None
        self._live: dict[str, bytes] = {}
        """`{run id: the fact that it began}` of the runs whose end was not noted yet."""
        self._unwritten: list[tuple[str, bytes]] = []
        """`[(run id, fact)]`"""
        self.ended: dict[str, ExitStatus] = {}
        """The exit statuses that are not in the journal: `{run id: status}`."""

    @property
    def is_behind(self) -> bool:
        """Whether a fact still has to be written."""
        return bool(self._unwritten)

    def note_start(self, folder: str, started: CommandStarted) -> None:
        """Write that the run whose directory is `folder` has begun."""
        facts: Message = {
            "pid": started.pid,
            "start_ticks": started.start_ticks,
            "cgroup": started.cgroup,
            "log_inode": started.log_inode,
            "boot_id": self._boot_id,
            "shim_pid": os.getpid(),
            "wall_s": time.time(),
        }
        fact = encoded(started.run_id, facts)
        self._note(folder, started.run_id, fact)
        self._live[started.run_id] = fact

    def note_exit(self, run_id: str, folder: str, pid: int, status: ExitStatus) -> None:
        """Write that the run whose directory is `folder` has ended; `pid`: of its process."""
        self._live.pop(run_id, None)
        self.ended[run_id] = status
        self._note(
            folder, run_id, encoded(run_id, {"pid": pid, **encode_status(status), "wall_s": time.time()})
        )

    def retry(self) -> None:
        """Write what could not be written before."""
        if self._journal is None or not self._unwritten:
            return
        try:
            self._journal.append(b"".join(fact for _, fact in self._unwritten), self._live.values())
        except OSError:
            return
        for run_id, _ in self._unwritten:
            self.ended.pop(run_id, None)
        self._unwritten.clear()

    def _note(self, folder: str, run_id: str, fact: bytes) -> None:
        if self._journal is None:
            self._journal = FactJournal(os.path.dirname(os.path.dirname(folder)))
        self._unwritten.append((run_id, fact))
        self.retry()


def encoded(run_id: str, facts: Message) -> bytes:
    """A fact as it is appended."""
    return b"\n%b\n" % json.dumps({"run": run_id, **facts}, separators=(",", ":")).encode("ascii")


def by_run(data: bytes) -> dict[str, list[bytes]]:
    """The lines of each run, in the order written: `{run id: lines}`. A damaged line may be among them."""
    runs: dict[str, list[bytes]] = {}
    for line in data.split(b"\n"):
        if line.startswith(_PREFIX):
            name = line[len(_PREFIX) : line.find(b'"', len(_PREFIX))]
            if b"\\" in name:
                continue  # no run has such an id
            runs.setdefault(name.decode("ascii", "replace"), []).append(line)
    return runs


def last_facts(lines: Iterable[bytes]) -> tuple[Message | None, Message | None]:
    """How a run began and how it ended, as its lines say; None: they do not."""
    began: Message | None = None
    end: Message | None = None
    for facts in filter(None, map(_decoded, lines)):
        pid = facts.get("pid")
        if "forgotten" in facts:
            began = end = None
        elif "start_ticks" in facts:
            if began is None or (pid, facts["start_ticks"]) != (began["pid"], began["start_ticks"]):
                end = None  # a run of an earlier time, whose id is used again
            began = facts if "pid" in facts else began
        elif ("code" in facts or "signal" in facts) and (began is None or pid == began["pid"]):
            end = facts
    return began, end


def _decoded(line: bytes) -> Message | None:
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _kept(data: bytes, present: set[str]) -> Iterable[bytes]:
    """The last facts of the runs `present`."""
    for run_id, lines in by_run(data).items():
        if run_id in present:
            for facts in filter(None, last_facts(lines)):
                yield encoded(run_id, facts)


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8", errors="replace") as file:
        return file.readline().strip()
