"""One `logs` command: finds the logs that are meant, prints what they have, then what comes.

With one REF the log is printed as it is. With several, or none, lines have the names of their items, and those that are
there already come in the order of their times. What came while they were printed is merged in the same way, as long as
that takes a while; the rest comes as it is written.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client, OtherVersion
from supervisor.cli.remote.event_watch import EventWatch
from supervisor.cli.remote.log_follow import LogFollow
from supervisor.cli.remote.log_merge import PrintedRun, print_past
from supervisor.cli.remote.log_request import KINDS, LogRequest
from supervisor.cli.remote.responses import Json
from supervisor.cli.remote.run_choice import TASK, RunChoice, items_named, number_of
from supervisor.cli.remote.stamped_log import StampedLog, every_piece
from supervisor.cli.terminal.log_writer import LogWriter, ShownTimes
from supervisor.cli.terminal.tables import local_time, phase_of
from supervisor.model.errors import NotFound
from supervisor.model.timestamp import rfc3339

ROUND_S = 0.1
"""What comes while the past is printed is merged too, until that is done in less time."""
ROUNDS = 5
MOST_LISTED = 8
"""Of more items than that the runs are listed in one call."""


class LogSession:
    """Prints the logs of items by one request."""

    def __init__(self, client: Client, request: LogRequest, names: Sequence[str]) -> None:
        """`names`: references or ids; empty: all items."""
        self._client = client
        self._request = request
        self._names = names
        self._merged = len(names) != 1
        times = ShownTimes(request.utc) if request.timestamps else None
        self._writer = LogWriter(prefixed=self._merged, times=times)
        self._seen: set[tuple[str, str]] = set()
        """The item and kind of the runs that were printed."""
        stamps = {"timestamps": "true"} if self._merged or request.timestamps else {}
        self._filters = stamps | request.filters

    def print(self) -> None:
        """Print. Raises NotFound, BrokenPipeError, and ConnectionLost when a supervisor that is followed ends."""
        try:
            self._print()
        finally:
            self._writer.leave()

    def _print(self) -> None:
        if not self._names:
            return self._print_runs(RunChoice(self._request, None), ())
        items, executions = items_named(self._client, self._names)
        item_id = next(iter(items), "")
        if self._merged or self._request.picks_runs:
            return self._print_runs(RunChoice(self._request, items), executions)
        if not self._request.is_plain:
            self._client.runs(item_id)  # a supervisor that is too old says so
        if executions:
            return self._print_only(f"executions/{executions[0]['id']}")
        item = items[item_id]
        if "commands" not in item["spec"]:
            return self._print_only(references.execution_log_path(self._client, item))
        return self._print_service(RunChoice(self._request, items), item_id)

    def _print_service(self, choice: RunChoice, id_: str) -> None:
        if self._request.follow:
            try:
                return self._print_runs(choice, ())
            except OtherVersion:
                pass  # it cannot list runs, and the last one's log has always been there
        return self._print_only(f"services/{id_}")

    def _print_only(self, path: str) -> None:
        """Print one log, to the end of its run if it is followed."""
        if self._request.follow:
            self._follow([self._only(path)], (), RunChoice(self._request, ()), None)
        else:
            print_past(self._client, [self._only(path)], self._writer, followed=False)

    def _print_runs(self, choice: RunChoice, executions: Sequence[Json]) -> None:
        """Print runs, and those that begin later."""
        if not self._request.goes_on or choice.items == {}:
            return self._print_listed(choice, executions, None)
        with closing(EventWatch(self._client)) as watch:
            watch.open()  # before the list: so no run falls between the two
            return self._print_listed(choice, executions, watch)

    def _print_listed(self, choice: RunChoice, executions: Sequence[Json], watch: EventWatch | None) -> None:
        listed = [run for id_ in self._listed_by(choice) for run in self._client.runs(id_)]
        chosen = choice.past(listed)
        if self._request.previous and not chosen:
            what = "any of them" if self._merged else f'"{self._names[0]}"'
            raise NotFound(f"there is no earlier run of {what} that is kept")
        tails = self._tails(chosen)
        # Of the earlier runs of an item those are left out of which not a line is wanted.
        shown = [run for run in chosen if tails.get(run["id"]) != 0]
        runs = [self.printed(run, tails.get(run["id"], self._request.tail)) for run in shown]
        runs += map(self._execution, executions)
        if self._merged or len(runs) > 1 or not self._request.follow:
            runs = self._print_past(runs)
        if self._request.follow:
            known = [run for run in listed if choice.wants(run)]
            self._follow(runs, known, choice, watch)

    def _listed_by(self, choice: RunChoice) -> Iterable[str]:
        """The ids to list runs by; an empty one lists all."""
        return ("",) if choice.items is None or len(choice.items) > MOST_LISTED else choice.items

    def _print_past(self, runs: list[PrintedRun]) -> list[PrintedRun]:
        """Print what there is. Returns the runs that live."""
        for _ in range(ROUNDS if self._request.follow else 1):
            began_at = time.monotonic()
            print_past(self._client, runs, self._writer, followed=self._request.follow)
            runs = [run for run in runs if run.lives]
            if time.monotonic() - began_at < ROUND_S:
                break
        return runs

    def _follow(
        self, runs: Sequence[PrintedRun], known: Sequence[Json], choice: RunChoice, watch: EventWatch | None
    ) -> None:
        whole_lines = self._merged and not self._writer.redraws
        follow = LogFollow(self._client, self._writer, choice, self, watch, whole_lines=whole_lines)
        follow.run(runs, known)

    def _tails(self, chosen: Sequence[Json]) -> dict[str, int]:
        """`{run id: lines}` where the last lines of an item may lie in several runs: the newest has most of them."""
        left: dict[tuple[str, str], int] = {}
        tails: dict[str, int] = {}
        counts = Counter(map(_item, chosen))
        for run in reversed(chosen if self._request.tail else ()):
            if counts[_item(run)] > 1:
                tail = left.setdefault(_item(run), self._request.tail or 0)
                tails[run["id"]] = tail
                left[_item(run)] = max(0, tail - self._lines(run, tail))
        return tails

    def _lines(self, run: Json, tail: int) -> int:
        """How many lines there are to print, `tail` at most."""
        log = self._log(f"runs/{run['id']}", tail)
        log.open(follow=False)
        lines = 0
        for piece in every_piece(log) if tail else ():
            if piece is None:
                self._writer.wait(log)
            else:
                lines += piece[1].count(b"\n")
        log.close()
        return lines + log.in_line

    # Logs

    def printed(self, run: Json, tail: int | None = None) -> PrintedRun:
        """What prints a run; if another of its item was printed, a line says that this one began."""
        again = _item(run) in self._seen
        self._seen.add(_item(run))
        name: str = run["reference"]
        if run["kind"] in KINDS[1:]:
            name += f" {run['kind']}"
        printed = PrintedRun(
            self._log(run.get("path") or f"runs/{run['id']}", tail),
            self._writer.source(name),
            run["startedAt"] or rfc3339(time.time()),
            lives=not run["end"],
            lane=run["id"] if run["kind"] == TASK else " ".join(_item(run)),
            notice=_notice(name, run) if again else "",
        )
        printed.by_step = "path" in run
        return printed

    def _execution(self, execution: Json) -> PrintedRun:
        """What prints the merged log of an execution."""
        metadata = execution["metadata"]
        task = self._client.call("GetTask", id=metadata["taskId"])["task"]
        return PrintedRun(
            self._log(f"executions/{execution['id']}", self._request.tail),
            self._writer.source(references.name_of(task)),
            metadata["createdAt"],
            lives=f"TASK_EXECUTION_PHASE_{phase_of(execution).upper()}" in references.LIVE,
            lane=execution["id"],
        )

    def _only(self, path: str) -> PrintedRun:
        """What prints the only log, by its path."""
        return PrintedRun(
            self._log(path, self._request.tail), self._writer.source(""), "", lives=True, lane=""
        )

    def _log(self, path: str, tail: int | None) -> StampedLog:
        return StampedLog(self._client, path, {} if tail is None else {"tail": str(tail)}, self._filters)


def _item(run: Json) -> tuple[str, str]:
    """What a run is one of several of."""
    return run["itemId"], run["kind"]


def _notice(name: str, run: Json) -> str:
    number = number_of(run)
    what = f"run {number}" if number else "a new run"
    return f"{name}: {what} began at {local_time(run['startedAt'] or rfc3339(time.time()))}"
