"""One watch on a workspace for all who want to know of its changes.

Theory of operation. A thread reads events, has the tree and the repository say what they mean, and gives that to every
reader, which merges it for itself (`unsent_changes`). Readers wait in threads of their own; one that is slow holds
nobody up. The thread starts with the first reader and ends with the last one, and with it the watches.

What the thread does beside events, each when it is due:

| when | what |
|---|---|
| a file of patterns has changed | ask git which files it tracks all the same, and look at the tree by the new rules |
| one is being written | the same, after RULES_S |
| the index has changed | ask git which files it tracks, at most every KEPT_S |
| the kernel has dropped events | tell of an overflow, and look at the tree |
| `.git` has come or gone | look for the repository; again every PLACE_S while there is a `.git` that is none |
| the workspace folder is gone | look every GONE_S; tell of an overflow when it is back |
| the machine gives too few watches | tell of an overflow, end the watches, and look at all files every POLL_S |
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from supervisor.workspace.ignore_rules import Patterns
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import Cancelled, OpsError
from supervisor.workspace.watch import git_place, polled_tree
from supervisor.workspace.watch.kernel_watches import OVERFLOWED, FolderEvent, KernelWatches, TooFewWatches
from supervisor.workspace.watch.polled_tree import PolledTree
from supervisor.workspace.watch.unsent_changes import FileChange, Sent, UnsentChanges
from supervisor.workspace.watch.watched_git import WatchedGit
from supervisor.workspace.watch.watched_tree import GIT, KeptFiles, WatchedTree

RULES_S = 0.2
RULES_PAUSE_S = 1.0
"""In this time rules are applied a few times at most."""
KEPT_S = 1.0
PLACE_S = 1.0
GONE_S = 1.0
POLL_S = 5.0
GATHER_S = 0.02
"""Pause after a few events: the kernel makes one of those that repeat, of a file that is being written say."""
_MANY_BYTES = 16384
"""Of events that wait: then there is no pause, since the kernel drops what it has no room for."""


class Reader:
    """One who wants to know of changes. Its methods may be called by its own thread, `wake` by any."""

    def __init__(self, files: bool, git: bool, excluded: Patterns, lock: threading.Lock) -> None:
        """What it wants to know: of files, but those that the patterns exclude; of the git status."""
        self.files = files
        self.git = git
        self._excluded = excluded
        self._changed = threading.Condition(lock)
        self._unsent = UnsentChanges()
        self._stands = False
        self._failure: BaseException | None = None

    def await_start(self, job: Job) -> None:
        """Wait until the watch stands. Raises Cancelled."""
        with self._changed:
            self._changed.wait_for(lambda: self._stands or self._failure or job.cancelled.is_set())
            self._check(job)

    def next(self, job: Job) -> Sent:
        """What is to be sent, once there is something. Raises Cancelled."""
        with self._changed:
            while True:
                self._check(job)
                now_s = time.monotonic()
                sent = self._unsent.take(now_s)
                if sent is not None:
                    return sent
                due_s = self._unsent.due_s()
                self._changed.wait(None if due_s is None else max(0.0, due_s - now_s))

    def wake(self) -> None:
        """Have its thread see that it is cancelled."""
        with self._changed:
            self._changed.notify_all()

    # By the watch, which holds the lock.

    def start(self) -> None:
        self._stands = True
        self._changed.notify_all()

    def fail(self, failure: BaseException) -> None:
        self._failure = failure
        self._changed.notify_all()

    def note(self, changes: Iterable[FileChange], now_s: float) -> None:
        for change in changes:
            if not self._excluded.exclude(change.path, change.is_folder):
                self._unsent.note(change, now_s)
        self._changed.notify_all()

    def note_git(self, now_s: float) -> None:
        self._unsent.note_git(now_s)
        self._changed.notify_all()

    def lose(self, reason: str, now_s: float) -> None:
        self._unsent.lose(reason, now_s)
        self._changed.notify_all()

    def _check(self, job: Job) -> None:
        job.check()
        if self._failure is not None:
            raise self._failure


class SharedWatch:
    """The watch on one workspace, while it has readers."""

    def __init__(self, workspace: str) -> None:
        self._job = Job(workspace)
        """On whose behalf git is asked."""
        self._lock = threading.Lock()
        self._readers: list[Reader] = []
        self._started = False
        self._failure: BaseException | None = None
        self._polled_because = ""
        """Why there are no watches; empty: there are."""
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing = False
        self._watcher = _Watcher(self, self._job)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def open(self) -> None:
        """Begin to watch. Raises OpsError if the machine has no thread for it."""
        try:
            self._thread.start()
        except RuntimeError:
            os.close(self._wake_fd)
            why = "cannot watch the workspace: the machine has no thread left; try again later"
            raise OpsError("resource_exhausted", why) from None

    def close(self) -> None:
        """End it, and the thread."""
        self._closing = True
        self._job.cancel()
        os.eventfd_write(self._wake_fd, 1)
        self._thread.join()
        os.close(self._wake_fd)

    def join(self, files: bool, git: bool, excluded: Patterns) -> Reader:
        """One more reader."""
        reader = Reader(files, git, excluded, self._lock)
        with self._lock:
            self._readers.append(reader)
            if self._failure is not None:
                reader.fail(self._failure)
            elif self._started:
                self._start(reader)
        return reader

    def leave(self, reader: Reader) -> bool:
        """One reader less. Returns whether it was the last."""
        with self._lock:
            self._readers.remove(reader)
            return not self._readers

    # By the watcher.

    def stands(self) -> None:
        """All is watched from now on."""
        with self._lock:
            self._started = True
            for reader in self._readers:
                self._start(reader)

    def tell(self, changes: list[FileChange], git: bool = False) -> None:
        """Give changes to the readers. `git`: the git status may be another one."""
        if not changes and not git:
            return
        now_s = time.monotonic()
        with self._lock:
            for reader in self._readers:
                if reader.files and changes:
                    reader.note(changes, now_s)
                if reader.git and git:
                    reader.note_git(now_s)

    def lose(self, reason: str) -> None:
        """Changes were lost."""
        now_s = time.monotonic()
        with self._lock:
            for reader in self._readers:
                reader.lose(reason, now_s)

    def poll_because(self, reason: str) -> None:
        """There are no watches from now on."""
        now_s = time.monotonic()
        with self._lock:
            self._polled_because = reason
            for reader in self._readers if self._started else ():
                reader.lose(reason, now_s)

    def wait(self, timeout_s: float | None, fd: int | None = None) -> bool:
        """Wait until a descriptor can be read, or for a time. Returns whether the watch goes on."""
        poll = select.poll()
        for each in (self._wake_fd, fd):
            if each is not None:
                poll.register(each, select.POLLIN)
        poll.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000)
        return not self._closing

    def _start(self, reader: Reader) -> None:
        reader.start()
        if self._polled_because:
            reader.lose(self._polled_because, time.monotonic())

    def _run(self) -> None:
        try:
            self._watcher.run()
        except Cancelled:
            pass  # it is being closed
        except BaseException as error:
            with self._lock:
                self._failure = error
                for reader in self._readers:
                    reader.fail(error)
        finally:
            self._watcher.close()


class _Watcher:
    """What the thread does."""

    def __init__(self, shared: SharedWatch, job: Job) -> None:
        self._shared = shared
        self._job = job
        self._root = os.path.realpath(job.workspace.encode(errors="surrogateescape"))
        self._git = git_place.git_in(job)
        self._watches: KernelWatches | None = None
        self._due: dict[Callable[[], None], float] = {}
        """`{what is to be done: when, on the monotonic clock}`"""
        self._rules_s: deque[float] = deque(maxlen=4)
        """When the last rules were applied."""
        self._rules_changed_s = float("inf")
        """Since when, on the wall clock, there are rules that were not applied."""
        self._kept_s = float("-inf")
        """When git was asked last which files it tracks."""

    def run(self) -> None:
        try:
            self._watches = KernelWatches()
            self._tree = WatchedTree(self._root, self._watches, self._job)
            self._find_repository()
            self._look()
            self._shared.stands()
            while self._step():
                pass
        except TooFewWatches as error:
            self.close()
            self._poll(f"{error}; until then there is a look at all files every {POLL_S:g} s")

    def close(self) -> None:
        if self._watches is not None:
            self._watches.close()
            self._watches = None

    # With watches -----------------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Wait for events or for the time of something, and do what is to be done. Returns whether to go on."""
        assert self._watches is not None
        next_s = min(self._due.values(), default=None)
        timeout_s = None if next_s is None else next_s - time.monotonic()
        if not self._shared.wait(timeout_s, self._watches.fileno()):
            return False
        for event in self._watches.read():
            self._on_event(event)
        now_s = time.monotonic()
        for work in [work for work, at_s in self._due.items() if at_s <= now_s]:
            del self._due[work]
            work()
        pauses = self._watches.waiting_bytes() < _MANY_BYTES
        return not pauses or self._shared.wait(GATHER_S)

    def _on_event(self, event: FolderEvent) -> None:
        if event.mask & OVERFLOWED:
            self._shared.lose("the kernel had no room for more events (fs.inotify.max_queued_events)")
            self._look()
        elif event.watch in self._tree:
            changes = self._tree.changes(event)
            self._shared.tell(changes, git=bool(changes) and self._place is not None)
            self._after_tree_event()
        elif event.watch in self._repository:
            self._repository.note(event)
            self._after_git_event()

    def _after_tree_event(self) -> None:
        tree = self._tree
        if tree.rules_changed_s is not None:
            changed_s, tree.rules_changed_s = tree.rules_changed_s, None
            self._on_new_rules(changed_s)
        elif tree.rules_may_change:
            tree.rules_may_change = False
            self._due.setdefault(self._apply_rules, time.monotonic() + RULES_S)
        if tree.git_folder_changed:
            tree.git_folder_changed = False
            self._refind_repository()
        self._note_gone()

    def _after_git_event(self) -> None:
        repository = self._repository
        if repository.status_changed:
            repository.status_changed = False
            self._shared.tell([], git=True)
        if repository.index_changed:
            repository.index_changed = False
            self._due.setdefault(self._renew_kept, max(time.monotonic(), self._kept_s + KEPT_S))
        if repository.rules_changed_s is not None:
            changed_s, repository.rules_changed_s = repository.rules_changed_s, None
            self._on_new_rules(changed_s)
        if repository.is_gone:
            repository.is_gone = False
            self._refind_repository()

    def _look(self, new_since_s: float | None = None) -> None:
        self._tree.kept = self._kept()
        self._shared.tell(self._tree.look(new_since_s))
        self._note_gone()

    def _note_gone(self) -> None:
        if self._tree.is_gone:
            self._due.setdefault(self._find_root, time.monotonic())

    def _on_new_rules(self, changed_s: float) -> None:
        """They count at once, but not if a checkout writes many files of patterns."""
        self._rules_changed_s = min(changed_s, self._rules_changed_s)
        now_s, most = time.monotonic(), self._rules_s.maxlen
        if len(self._rules_s) == most and now_s - self._rules_s[0] < RULES_PAUSE_S:
            self._due.setdefault(self._apply_rules, self._rules_s[0] + RULES_PAUSE_S)
        else:
            self._apply_rules()

    def _apply_rules(self) -> None:
        self._due.pop(self._apply_rules, None)
        self._look(min(self._rules_changed_s, time.time()))
        self._rules_changed_s = float("inf")
        self._rules_s.append(time.monotonic())
        self._shared.tell([], git=self._place is not None)

    def _renew_kept(self) -> None:
        kept = self._kept()
        if kept != self._tree.kept:
            self._tree.kept = kept
            self._shared.tell(self._tree.look())

    def _kept(self) -> KeptFiles:
        if self._place is None:
            return KeptFiles()
        self._kept_s = time.monotonic()
        return KeptFiles.of(git_place.kept_files(self._git))

    def _find_repository(self) -> None:
        assert self._watches is not None
        self._place = git_place.located(self._git)
        self._tree.users_patterns = git_place.users_patterns(self._git)
        self._repository = WatchedGit(self._root, self._place, self._watches)
        if self._place is None and os.path.lexists(self._root + b"/" + GIT):
            self._due.setdefault(self._refind_repository, time.monotonic() + PLACE_S)

    def _refind_repository(self) -> None:
        """It has come, gone, or was replaced."""
        before = self._place
        self._repository.close()
        self._find_repository()
        if self._place != before:
            self._look()
            self._shared.tell([], git=True)

    def _find_root(self) -> None:
        """The workspace folder is gone: see whether there is one again."""
        self._tree.look()
        if self._tree.is_gone:
            self._due[self._find_root] = time.monotonic() + GONE_S
            return
        self._refind_repository()
        self._shared.lose("the workspace folder was removed, and made again")

    # Without watches --------------------------------------------------------------------------------------------------

    def _poll(self, reason: str) -> None:
        tree, place = PolledTree(self._root, self._job), git_place.located(self._git)
        tree.look(*self._rules(place))
        git_state = place and polled_tree.git_state(place)
        self._shared.poll_because(reason)
        self._shared.stands()
        while self._shared.wait(POLL_S):
            place = git_place.located(self._git)
            changes, before = tree.look(*self._rules(place)), git_state
            git_state = place and polled_tree.git_state(place)
            self._shared.tell(changes, git=place is not None and (bool(changes) or git_state != before))

    def _rules(self, place: git_place.GitPlace | None) -> tuple[KeptFiles, bytes | None]:
        kept = KeptFiles() if place is None else KeptFiles.of(git_place.kept_files(self._git))
        return kept, git_place.users_patterns(self._git)


_shared: dict[str, SharedWatch] = {}
_shared_lock = threading.Lock()


@contextmanager
def reader(workspace: str, files: bool, git: bool, excluded: Patterns) -> Iterator[Reader]:
    """A reader of the watch on a workspace, which all readers of it share."""
    with _shared_lock:
        shared = _shared.get(workspace)
        if shared is None:
            shared = SharedWatch(workspace)
            shared.open()
            _shared[workspace] = shared
        found = shared.join(files, git, excluded)
    try:
        yield found
    finally:
        with _shared_lock:
            was_last = shared.leave(found)
            if was_last:
                del _shared[workspace]
        if was_last:
            shared.close()  # waits for the thread, and who watches meanwhile does not wait for that
