"""Follows logs: those of runs that live, and of each run that begins, until nothing more is to come.

One thread waits for the logs, for the events of the environment, which tell of new runs, and for the end of our own
reader. The runs of one command of a service come one after the other: the next one's output waits until the last word
of the one before is printed. Events only say where to look: the runs themselves are listed by the supervisor, and one
that is not known begins at its first byte. So no event may be missed before the first list, and none has to be read in
time.
"""

from __future__ import annotations

import math
import select
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning
from supervisor.cli.remote.live_response import LiveResponse
from supervisor.cli.remote.log_merge import PrintedRun
from supervisor.cli.remote.responses import ConnectionLost, Json, RequestRefused, event_of
from supervisor.cli.remote.run_choice import RunChoice, began
from supervisor.cli.terminal.log_writer import LogWriter
from supervisor.cli.terminal.tables import phase_of

UNFINISHED_S = 0.25
"""How long the beginning of a line waits for its end."""
GATHER_S = 0.02
"""How long more events are waited for after the first one."""
LISTING_SHARE = 5
"""So many times as long as the supervisor took to list runs, it is not asked again."""
MOST_ASKED = 8
"""Of more items than that the runs are listed in one call."""
EVERYTHING = ""
"""In the place of an item's id."""


class NewRun(Protocol):
    """Makes what prints a run that has begun."""

    def __call__(self, run: Json) -> PrintedRun:
        """The run's log, on its way to the output."""


class EventWatch:
    """The items in which something has changed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._response: LiveResponse | None = None
        self._received = b""
        self.changed: set[tuple[str, str]] = set()
        """`(type, id)` of resources; EVERYTHING: anything may have changed."""

    def open(self) -> None:
        """Watch from now on."""
        self._response = self._client.open_events()
        self._received = b""

    def fileno(self) -> int:
        """For poll()."""
        assert self._response is not None
        return self._response.fileno()

    def take(self) -> None:
        """Read what has arrived. Raises ConnectionLost."""
        assert self._response is not None
        *lines, self._received = (self._received + self._response.read()).split(b"\n")
        if self._response.ended:
            raise ConnectionLost
        for line in filter(None, lines):
            event = event_of(line)
            kind = event.get("resourceType", "").removeprefix("RESOURCE_TYPE_")
            self.changed.add((kind, event.get("resourceId", "")))

    def close(self) -> None:
        """Watch no more."""
        if self._response is not None:
            self._response.close()


class LogFollow:
    """Prints what comes."""

    def __init__(
        self,
        client: Client,
        writer: LogWriter,
        choice: RunChoice,
        new_run: NewRun,
        watch: EventWatch | None,
        *,
        whole_lines: bool,
    ) -> None:
        """Follow the runs that `run` is given, and with a watch those that begin later.

        Args:
            client: asked for runs and logs.
            writer: prints.
            choice: of which items; with no items named it goes on until the supervisor ends.
            new_run: makes what prints a run.
            watch: tells what has changed; opened before the first runs were listed.
            whole_lines: whether the beginning of a line waits a moment for its end.
        """
        self._client = client
        self._writer = writer
        self._choice = choice
        self._new_run = new_run
        self._watch = watch
        self._whole_lines = whole_lines
        self._known: set[str] = set()
        """The ids of the runs that need no look any more."""
        self._lanes: dict[str, deque[PrintedRun]] = {}
        """Of each lane the run that is printed, and those that wait for its end."""
        self._by_fd: dict[int, PrintedRun] = {}
        self._unfinished: dict[PrintedRun, float] = {}
        """When the beginning of a line is printed although its end has not come."""
        self._look_at = 0.0
        self._ever = False
        """Whether there was any run."""
        self._poll = select.poll()

    def run(self, live: Iterable[PrintedRun], known: Iterable[Json]) -> None:
        """Print until nothing more is to come. `known`: the runs that are listed, printed or not.

        Raises ConnectionLost when the supervisor ends, BrokenPipeError when our reader has gone.
        """
        self._known.update(run["id"] for run in known)
        self._ever = bool(self._known)
        self._writer.watch_reader(self._poll)
        try:
            if self._watch is not None:
                self._poll.register(self._watch, select.POLLIN)
            for run in live:
                self._add(run)
            self._writer.flush()
            while self._by_fd or not self._is_over():
                self._round()
        except ConnectionLost:
            self._drain()
            raise
        finally:
            for run in self._by_fd.values():
                run.log.close()

    def _round(self) -> None:
        """Wait for something, and print it."""
        ready = self._poll.poll(self._timeout_ms())
        self._writer.check(ready)
        for fd, _ in ready:
            if (run := self._by_fd.get(fd)) is not None:
                self._take(run)
            elif self._watch is not None and fd == self._watch.fileno():
                self._take_events(self._watch)
        now = time.monotonic()
        for run in [run for run, due in self._unfinished.items() if due <= now]:
            self._print_unfinished(run)
        if self._watch is not None and self._watch.changed and self._look_at <= now:
            self._look(self._watch)
        self._writer.flush()

    def _timeout_ms(self) -> float | None:
        due = min(self._unfinished.values(), default=math.inf)
        if self._watch is not None and self._watch.changed:
            due = min(due, self._look_at)
        return None if due == math.inf else max(0.0, (due - time.monotonic()) * 1000)

    # Logs

    def _add(self, run: PrintedRun) -> None:
        lane = self._lanes.setdefault(run.lane, deque())
        lane.append(run)
        if len(lane) == 1:
            self._begin(run)

    def _begin(self, run: PrintedRun) -> None:
        run.begin(self._client, self._writer, follow=True)
        self._register(run)
        self._take(run)  # what came with the answer's head

    def _take(self, run: PrintedRun) -> None:
        self._unfinished.pop(run, None)
        try:
            pieces = list(run.log.take())
        except ConnectionLost:
            self._client.resume()
            self._unregister(run)
            return self._begin(run)
        for piece in pieces:
            self._writer.write(run.source, *piece)
        if run.log.ended:
            self._end(run)
        elif not self._whole_lines:
            self._print_unfinished(run)
        elif run.log.in_line:
            self._unfinished[run] = time.monotonic() + UNFINISHED_S

    def _print_unfinished(self, run: PrintedRun) -> None:
        self._unfinished.pop(run, None)
        for piece in run.log.unfinished():
            self._writer.write(run.source, *piece)

    def _end(self, run: PrintedRun) -> None:
        self._unregister(run)
        run.log.close()
        run.end(self._writer)
        lane = self._lanes[run.lane]
        lane.popleft()
        if lane:
            self._begin(lane[0])
        else:
            del self._lanes[run.lane]

    def _register(self, run: PrintedRun) -> None:
        if not run.log.ended:
            self._by_fd[run.log.fileno()] = run
            self._poll.register(run.log, select.POLLIN)

    def _unregister(self, run: PrintedRun) -> None:
        for fd in [fd for fd, each in self._by_fd.items() if each is run]:
            del self._by_fd[fd]
            self._poll.unregister(fd)

    def _drain(self) -> None:
        """The supervisor has ended: print what it has sent before."""
        for run in self._by_fd.values():
            try:
                while not run.log.ended and (pieces := list(run.log.take())):
                    for piece in pieces:
                        self._writer.write(run.source, *piece)
            except ConnectionLost:
                pass
            run.end(self._writer)
        self._writer.flush()

    # New runs

    def _take_events(self, watch: EventWatch) -> None:
        before = bool(watch.changed)
        try:
            watch.take()
        except ConnectionLost:
            self._poll.unregister(watch)
            watch.close()
            self._client.resume()
            watch.open()
            self._poll.register(watch, select.POLLIN)
            watch.changed.add((EVERYTHING, EVERYTHING))
        if watch.changed and not before:
            self._look_at = max(self._look_at, time.monotonic() + GATHER_S)

    def _look(self, watch: EventWatch) -> None:
        """Begin with the runs that are not known yet."""
        began_at = time.monotonic()
        changed, watch.changed = watch.changed, set()
        try:
            found = [run for item in self._items(changed) for run in self._listed(item)]
        except ConnectionLost:
            self._client.resume()
            watch.changed.add((EVERYTHING, EVERYTHING))
            return
        new = {run["id"]: run for run in found if run["id"] not in self._known and self._choice.wants(run)}
        self._known.update(new)
        self._ever = self._ever or bool(new)
        self._look_at = time.monotonic() + LISTING_SHARE * (time.monotonic() - began_at)
        for run in sorted(new.values(), key=began):
            self._add(self._new_run(run))

    def _listed(self, item_id: str) -> list[Json]:
        try:
            return self._client.runs(item_id)
        except RequestRefused as refused:
            if refused.code == "not_found":  # deleted meanwhile
                return []
            raise

    def _items(self, changed: set[tuple[str, str]]) -> set[str]:
        """The services and tasks in whose runs something has changed; EVERYTHING: look at all."""
        items: set[str] = set()
        for kind, id_ in changed:
            if kind == EVERYTHING:
                return {EVERYTHING}
            if kind == "SERVICE":
                items.add(id_)
            elif kind == "TASK_EXECUTION":
                items.update(self._tasks_begun(id_))
        wanted = items if self._choice.items is None else items & set(self._choice.items)
        return wanted if len(wanted) <= MOST_ASKED else {EVERYTHING}

    def _tasks_begun(self, execution_id: str) -> Iterable[str]:
        """The tasks that run, or ran, as steps of an execution."""
        execution = references.execution(self._client, execution_id)
        if execution is None:
            return ()
        phases = {step["id"]: phase_of({"status": step}) for step in execution["status"].get("steps", [])}
        steps = [step for group in execution["spec"].get("plan", []) for step in group["steps"]]
        return {
            step["task"]["id"]
            for step in steps
            if "task" in step and phases.get(step["id"], "pending") != "pending"
        }

    # The end

    def _is_over(self) -> bool:
        """Whether nothing more is to come: with named items, once all are at rest."""
        if self._watch is None:
            return True
        if self._choice.items is None or self._watch.changed or not self._ever:
            return False
        try:
            return all(map(self._is_at_rest, self._choice.items))
        except (ConnectionLost, NotRunning):
            try:
                self._client.resume()
            except ConnectionLost:
                return True
            return False

    def _is_at_rest(self, item_id: str) -> bool:
        try:
            service: Json = self._client.call("GetService", id=item_id)["service"]
        except RequestRefused as refused:
            if refused.code != "not_found":
                raise
            # A task, or deleted.
            executions = references.executions(self._client, {"id": item_id}, references.LIVE)
            return not executions
        spec, status = service["spec"], service["status"]
        wanted = spec.get("desiredPhase") == "SERVICE_PHASE_RUNNING"
        if wanted and spec.get("session") != status.get("session"):
            return False
        return phase_of(service) in ("stopped", "failed", "deleted")
