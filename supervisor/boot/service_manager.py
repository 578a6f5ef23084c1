"""What the service manager (systemd) hears of a supervisor, by sd_notify(3).

| when | message |
|---|---|
| the triggers have fired and the API answers | READY=1, STATUS= |
| what runs and is waited for has changed, at most once a second | STATUS= |
| half of the watchdog's time has passed and the engine has turned since | WATCHDOG=1 |
| the automations file is read again, and was | RELOADING=1 with the time, READY=1 |
| an upgrade packs | RELOADING=1 with the time; READY=1 by the new program |
| everything is being stopped | STOPPING=1, STATUS= |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.engine import Engine
from supervisor.host.proc.notify import Notifier, monotonic_usec
from supervisor.hub import ChangeEvent
from supervisor.lean.late import anyio
from supervisor.lean.typing import assert_never
from supervisor.model.phase import ServicePhase

STATUS_INTERVAL_S = 1.0
MOST_NAMES = 3
"""A status names so many of what is waited for; of the rest it says the number."""


class ServiceManager:
    """The service manager that started this process, if one did and asked to be notified."""

    def __init__(self, notifier: Notifier, engine: Engine) -> None:
        """`run` is the task that watches; the other methods are called when their moment comes."""
        self._notifier = notifier
        self._engine = engine
        self._ready = self._leaving = False
        self._shown = ""

    def ready(self) -> None:
        """The API answers."""
        self._ready = True
        self._send_status("READY=1")

    def stopping(self) -> None:
        """Everything is being stopped, or left to the next supervisor."""
        self._leaving = True
        self._send_status("STOPPING=1")

    def upgrading(self) -> None:
        """Another program takes our place in this process, and will be ready once it serves."""
        self._leaving = True
        self._notifier.tell("RELOADING=1", monotonic_usec())

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """While the automations file is read again."""
        if self._ready and not self._leaving:
            self._notifier.tell("RELOADING=1", monotonic_usec())
        try:
            yield
        finally:
            if self._ready and not self._leaving:
                self._send_status("READY=1")

    async def run(self) -> None:
        """Report changes of the status, and that the engine turns, until cancelled."""
        if not self._notifier:
            return

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_changes)
            if (watchdog_s := self._notifier.watchdog_s) is not None:
                tasks.start_soon(self._feed_watchdog, watchdog_s / 2)

    async def _follow_changes(self) -> None:
        changed = ChangeEvent()
        subscription = self._engine.hub.subscribe(changed, limit=1)
        try:
            while True:
                await changed.wait()
                subscription.take()
                self._send_status()
                await anyio.sleep(STATUS_INTERVAL_S)
        finally:
            self._engine.hub.unsubscribe(subscription)

    async def _feed_watchdog(self, interval_s: float) -> None:
        """The event loop may turn while the engine does not: then nothing is sent, and the manager acts."""
        while True:
            await self._engine.turned()
            self._notifier.tell("WATCHDOG=1")
            await anyio.sleep(interval_s)

    def _send_status(self, *before: str) -> None:
        """The last message may have been lost, if the manager did not read: so READY is repeated with a new status."""
        if not self._notifier:
            return
        status = summary(self._engine.world.records)
        state = ("READY=1",) if self._ready and not self._leaving else ()
        if before or status != self._shown:
            self._shown = status if self._notifier.tell(*(before or state), f"STATUS={status}") else ""


def summary(records: Records) -> str:
    """One line that says what a supervisor does and waits for, for a log or `systemctl status`.

    For example `1 service and 2 tasks run; waiting for service web to be ready`.
    """
    running = queries.services_by_phase(records)[ServicePhase.RUNNING]
    live, operations = len(records.live), len(records.live_operations)
    counts = _count(running, "service"), _count(live, "task"), _count(operations, "operation")
    parts = [text for text in counts if text]
    state = "stopping everything" if records.draining else " and ".join(parts) or "nothing"
    verb = "" if records.draining else " runs" if running + live + operations <= 1 else " run"
    failed = (f"service {service.item.reference}" for service in queries.failed_services(records))
    waits = _waiting_for(records)
    return "; ".join([state + verb, *_named("waiting for", waits), *_named("failed:", failed)])


def _waiting_for(records: Records) -> Iterator[str]:
    if queries.file_is_awaited(records):
        yield "a valid version of the automations file"
    for wait in queries.waits(records):
        match wait:
            case queries.ServiceWait(service, until):
                starts = service.phase is ServicePhase.STARTING
                why = f" ({service.reason})" if service.reason and starts else ""
                yield f"service {service.item.reference} {until}{why}"
            case queries.ExecutionWait(execution):
                yield f"task {execution.reference} to end"
            case queries.OperationWait(operation):
                yield f"operation {operation.name} to end"
            case _:
                assert_never(wait)


def _named(verb: str, names: Iterable[str]) -> list[str]:
    """Nothing, if there are no names."""
    known = list(names)
    more = [f"{len(known) - MOST_NAMES} more"] if len(known) > MOST_NAMES else []
    return [f"{verb} {', '.join(known[:MOST_NAMES] + more)}"] if known else []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""
