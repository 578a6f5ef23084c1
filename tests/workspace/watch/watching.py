"""Somebody who watches a workspace, in a thread as the worker has it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from platform_wire import environmentopts_pb2 as pb
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import Cancelled
from supervisor.workspace.watch.watch_job import watch

DEADLINE_S = 20.0
FILES, GIT = pb.WATCH_EVENT_TYPE_FILE_CHANGE, pb.WATCH_EVENT_TYPE_GIT_STATUS
_SIGNS = {
    pb.FILE_CHANGE_TYPE_CREATED: "+",
    pb.FILE_CHANGE_TYPE_UPDATED: "*",
    pb.FILE_CHANGE_TYPE_DELETED: "-",
}


class Watching:
    """A stream of changes that is read, unless `pause` is set."""

    def __init__(
        self, workspace: Path, types: Sequence[pb.WatchEventType] = (), excluded: Sequence[str] = ()
    ) -> None:
        self.job = Job(str(workspace))
        self.came: list[tuple[float, pb.WatchResponse]] = []
        """What came, and when on the monotonic clock."""
        self.failure: BaseException | None = None
        self.reads = threading.Event()
        self.reads.set()
        self._workspace = workspace
        self._began = threading.Event()
        self._news = threading.Condition()
        self._request = pb.WatchRequest(event_types=types, file_exclude_patterns=excluded)
        self._thread = threading.Thread(target=self._run)
        self._marks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._began.wait(DEADLINE_S), self.failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.job.cancel()
        self.reads.set()
        begun_s = time.monotonic()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        assert time.monotonic() - begun_s < 5, "it should end within a second"
        if error is None:
            assert isinstance(self.failure, Cancelled), self.failure

    def _run(self) -> None:
        messages = watch(self._request, self.job)
        try:
            for message in messages:
                if message is None:
                    self._began.set()
                    continue
                with self._news:
                    self.came.append((time.monotonic(), message))
                    self._news.notify_all()
                self.reads.wait()
        except BaseException as error:
            self.failure = error
            with self._news:
                self._news.notify_all()
        finally:
            messages.close()  # type: ignore[attr-defined]  # it is a generator

    @property
    def events(self) -> list[str]:
        """File events as `+path`, `*path`, `-path`, folders with a slash at the end, in their order."""
        return [
            f"{_SIGNS[event.type]}{event.path}{'/' * event.is_directory}"
            for _, message in self.came
            for event in message.file_changes.events
            if not event.path.startswith("mark-")
        ]

    @property
    def git_changes(self) -> int:
        return sum(message.HasField("git_status_changed") for _, message in self.came)

    @property
    def overflows(self) -> list[str]:
        return [message.overflow.reason for _, message in self.came if message.HasField("overflow")]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until what came makes something true."""
        with self._news:
            assert self._news.wait_for(lambda: condition() or self.failure, DEADLINE_S), (
                f"{what}: {self.came}"
            )
        if self.failure:
            raise self.failure

    def all(self, *, anew: bool = True) -> list[str]:
        """All file events of what was done until now. `anew`: forget them then."""
        while True:
            self._marks += 1
            name, lost = f"mark-{self._marks}-{id(self)}", len(self.overflows)
            (self._workspace / name).touch()
            self.until(
                partial(lambda name, lost: self._has(name) or len(self.overflows) > lost, name, lost),
                f"the event of {name}, which comes after all others",
            )
            os.unlink(self._workspace / name)
            if self._has(name):
                break
        found = self.events
        if anew:
            self.came.clear()
        return found

    def _has(self, path: str) -> bool:
        return any(event.path == path for _, message in self.came for event in message.file_changes.events)


def git(folder: Path, *words: str) -> None:
    """git, as somebody uses it who has a name."""
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
