"""The numbers of /metrics, in Prometheus's text form.

What exists is looked at when somebody asks: services, subscribers, disk. Events are counted as they happen, from the
hub's changes, each in a microsecond or so. Counters begin at zero with the process, as Prometheus expects.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from supervisor.api.http.exposition import Counter, Family, Histogram, gauge, labelled, of_process, written
from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.host.proc import worker_threads
from supervisor.host.runs.run_directory import RunDir
from supervisor.hub import Change, ChangeEvent, Hub
from supervisor.model.exit import SUCCESS, ExitUnknown, NotStarted
from supervisor.model.operation_record import EndReason, Operation, OperationEnded
from supervisor.model.phase import EXECUTION_ENDED, ExecutionPhase, ServicePhase
from supervisor.model.record import Execution, Service

_DURATIONS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_LAGS_S = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_OPERATIONS_OVER = ("succeeded", "failed", "limit", "cancelled", "drained", "unknown", "not_started")
_OVER = ("succeeded", "failed", "stopped")


class SignalCounts(Protocol):
    """Counts activity signals."""

    def signals(self) -> tuple[int, int]:
        """How many got through to the management plane, and how many did not."""


class TerminalList(Protocol):
    """Knows the open terminals."""

    async def seen(self) -> Sequence[object]:
        """All of them, as far as that is known at once."""


class Metrics:
    """The supervisor's numbers. Used on the event loop alone."""

    def __init__(
        self,
        records: Records,
        hub: Hub,
        runs: Path,
        activity: SignalCounts,
        terminals: TerminalList,
    ) -> None:
        """Begin at zero; `run` counts.

        Args:
            records: what exists.
            hub: tells what happens.
            runs: the folder of run directories, for the size of the logs in them.
            activity: counts the signals to the management plane.
            terminals: knows the open ones.
        """
        self._records = records
        self._hub = hub
        self._runs = runs
        self._activity = activity
        self._terminals = terminals
        self._executions = Counter(
            "supervisor_executions_total",
            "Task executions that have ended.",
            "outcome",
            dict.fromkeys(_OVER, 0),  # a series that is absent until it happens cannot be alerted on
        )
        self._durations = Histogram(
            "supervisor_execution_duration_seconds",
            "From the start of a task execution to its end.",
            _DURATIONS_S,
            "outcome",
        )
        self._operations = Counter(
            "supervisor_operations_total",
            "Operations (commands that clients have run) that are over; those never started, too.",
            "outcome",
            dict.fromkeys(_OPERATIONS_OVER, 0),
        )
        self._operation_durations = Histogram(
            "supervisor_operation_duration_seconds",
            "From the acceptance of an operation to its end.",
            _DURATIONS_S,
        )
        self._probes = Counter(
            "supervisor_probe_failures_total", "Readiness probes that found no ready service."
        )
        self.lag = Histogram(
            "supervisor_event_loop_lag_seconds",
            "How much later than asked for the event loop wakes a sleeper.",
            _LAGS_S,
        )
        """Observes how late the event loop comes."""

    async def run(self) -> None:
        """Count until cancelled."""
        changed = ChangeEvent()
        subscription = self._hub.subscribe(changed)
        try:
            while True:
                await changed.wait()
                for change in subscription.take():
                    if isinstance(change, Change):
                        self._count(change)
        finally:
            self._hub.unsubscribe(subscription)

    async def text(self) -> bytes:
        """All numbers as they are now."""
        # Thousands of run directories: not on the loop.
        log_bytes = await worker_threads.run(kept_log_bytes, self._runs)
        return written(self._families(log_bytes, len(await self._terminals.seen())))

    def _families(self, log_bytes: int, terminals: int) -> Iterator[Family]:
        services = queries.services_by_phase(self._records)
        live = queries.executions_by_phase(self._records)
        yield labelled("supervisor_services", "Services by phase.", "gauge", "phase", {
            phase.value: services[phase] for phase in ServicePhase if phase is not ServicePhase.DELETED
        })  # fmt: skip
        yield labelled("supervisor_executions_live", "Task executions that are not over.", "gauge", "phase", {
            phase.value: live[phase] for phase in ExecutionPhase if phase not in EXECUTION_ENDED
        })  # fmt: skip
        yield gauge("supervisor_terminals", "Terminals that are open.", terminals)
        yield gauge(
            "supervisor_operations_live",
            "Operations (commands that clients have run) that are not over.",
            len(self._records.live_operations),
        )
        yield gauge(
            "supervisor_operation_results",
            "Operations that are over and whose results are kept.",
            len(self._records.results),
        )
        yield gauge(
            "supervisor_operation_result_bytes",
            "How much output of operations is kept at most.",
            self._records.results_bytes,
        )
        yield gauge(
            "supervisor_subscribers", "Readers of changes: watchers and followers.", self._hub.readers
        )
        signals = dict(zip(("sent", "failed"), self._activity.signals(), strict=True))
        text = "Activity signals to the management plane."
        yield labelled("supervisor_heartbeats_total", text, "counter", "outcome", signals)
        yield gauge("supervisor_log_bytes", "What the logs of all kept runs take on disk.", log_bytes)
        yield from of_process()
        counted = self._executions, self._durations, self._operations, self._operation_durations
        for each in (*counted, self._probes, self.lag):
            yield each.family()

    def _count(self, change: Change) -> None:
        before, after = change.before, change.after
        if isinstance(after, Execution):
            was_over = isinstance(before, Execution) and before.phase in EXECUTION_ENDED
            if after.phase in EXECUTION_ENDED and not was_over:
                self._ended(after)
        elif isinstance(after, Operation) and isinstance(after.state, OperationEnded):
            self._operations.add(_outcome(after.state))
            self._operation_durations.observe(max(0.0, after.state.ended_s - after.created_s))
        elif isinstance(before, Service) and isinstance(after, Service):
            self._probes.add(number=_failed_probes(before, after))

    def _ended(self, execution: Execution) -> None:
        outcome = execution.phase.value
        self._executions.add(outcome)
        if execution.started_s is not None and execution.ended_s is not None:
            self._durations.observe(execution.ended_s - execution.started_s, outcome)


def _outcome(ended: OperationEnded) -> str:
    match ended:
        case OperationEnded(why=EndReason.LIMIT):
            return "limit"
        case OperationEnded(why=EndReason.CANCEL):
            return "cancelled"
        case OperationEnded(exit=NotStarted()):
            return "not_started"
        case OperationEnded(why=EndReason.DRAIN):
            return "drained"
        case OperationEnded(exit=ExitUnknown()):
            return "unknown"
        case _:
            return "succeeded" if ended.exit == SUCCESS else "failed"


def kept_log_bytes(runs: Path) -> int:
    """What the logs in all run directories take on disk. Heads that were dropped take nothing."""
    total = 0
    try:
        with os.scandir(runs) as entries:
            for entry in entries:
                try:
                    total += os.lstat(RunDir(runs, entry.name).log).st_blocks * 512
                except OSError:
                    continue  # removed meanwhile, or not begun
    except FileNotFoundError:
        pass  # nothing has run yet
    return total


def _failed_probes(before: Service, after: Service) -> int:
    """How many probes have failed between two versions of a record."""
    if after.probed is None:
        return 0
    known = before.probed.failed if before.probed and before.probed.id == after.probed.id else 0
    return after.probed.failed - known
