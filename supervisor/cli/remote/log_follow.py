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
from collections.abc import Iterable, Iterator
from typing import Protocol

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning
from supervisor.cli.remote.event_watch import ANYTHING, EventWatch
from supervisor.cli.remote.log_merge import PrintedRun
from supervisor.cli.remote.responses import ConnectionLost, Json, RequestRefused
from supervisor.cli.remote.run_choice import RunChoice, began
from supervisor.cli.terminal.log_writer import LogWriter
from supervisor.cli.terminal.tables import phase_of

UNFINISHED_S = 0.25
"""How long the beginning of a line waits for its end."""
GATHER_S = 0.02
"""How long more events are waited for after the first one."""
LISTING_SHARE = 2
"""So many times as long as the supervisor took to list runs, it is not asked again."""


class RunPrinter(Protocol):
    """Makes what prints a run that has begun."""

    def printed(self, run: Json) -> PrintedRun:
        """The run's log, on its way to the output."""


class LogFollow:
    """Prints what comes."""

    def __init__(
        self,
        client: Client,
        writer: LogWriter,
        choice: RunChoice,
        runs: RunPrinter,
        watch: EventWatch | None,
        *,
        whole_lines: bool,
    ) -> None:
        """Follow the runs that `run` is given, and with a watch those that begin later.

        Args:
            client: asked for runs and logs.
            writer: prints.
            choice: of which items; with no items named it goes on until the supervisor ends.
            runs: makes what prints a run.
            watch: tells what has changed; opened before the first runs were listed.
            whole_lines: whether the beginning of a line waits a moment for its end.
        """
        self._client = client
        self._writer = writer
        self._choice = choice
        self._runs = runs
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
            self._writer.end()
            self._writer.flush()
        except (ConnectionLost, NotRunning) as lost:
            self._drain()
            raise ConnectionLost from lost
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
        run.open(self._client, self._writer, follow=True)
        if run.by_step and run.log.run_id in self._known:  # as another execution's step
            run.log.close()
            return self._leave(run)
        self._known.add(run.log.run_id)
        run.announce(self._writer)
        self._register(run)
        self._take(run)  # what came with the answer's head

    def _take(self, run: PrintedRun) -> None:
        self._unfinished.pop(run, None)
        try:
            pieces = list(run.log.take())
        except ConnectionLost:
            self._client.resume()
            self._unregister(run)
            run.open(self._client, self._writer, follow=True)
            self._register(run)
            return self._take(run)
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
        self._leave(run)

    def _leave(self, run: PrintedRun) -> None:
        """The next run of its lane begins."""
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
        self._writer.end()
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
            watch.changed.add(ANYTHING)
        if watch.changed and not before:
            self._look_at = max(self._look_at, time.monotonic() + GATHER_S)

    def _look(self, watch: EventWatch) -> None:
        """Begin with the runs that are not known yet."""
        began_at = time.monotonic()
        changed, watch.changed = watch.changed, set()
        try:
            found = list(self._found(watch, changed))
        except ConnectionLost:
            self._client.resume()
            watch.changed.add(ANYTHING)
            return
        new = {run["id"]: run for run in found if run["id"] not in self._known and self._choice.wants(run)}
        self._known.update(new)
        self._ever = self._ever or bool(new)
        self._look_at = time.monotonic() + LISTING_SHARE * (time.monotonic() - began_at)
        for run in sorted(new.values(), key=began):
            self._add(self._runs.printed(run))

    def _found(self, watch: EventWatch, changed: set[tuple[str, str]]) -> Iterator[Json]:
        """The runs of what has changed. Those of tasks are not listed, of which there may be thousands."""
        if ANYTHING in changed:
            yield from self._client.runs()
            return
        for service_id in watch.services(changed):
            if self._choice.items is None or service_id in self._choice.items:
                yield from self._listed(service_id)
        yield from watch.runs_begun(changed)

    def _listed(self, item_id: str) -> list[Json]:
        try:
            return self._client.runs(item_id)
        except RequestRefused as refused:
            if refused.code == "not_found":  # deleted meanwhile
                return []
            raise

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
