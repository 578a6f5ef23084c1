"""What the service manager is told of a supervisor's life, by sd_notify(3).

| when | it is told |
|---|---|
| the triggers have fired and the API answers | READY=1, STATUS= |
| what runs and is waited for has changed, at most once a second | STATUS= |
| half of the watchdog's time has passed and the engine has come round since | WATCHDOG=1 |
| the automations file is read again, and was | RELOADING=1 with the time, READY=1 |
| another program takes our place | RELOADING=1 with the time; READY=1 by that one |
| everything is being stopped | STOPPING=1, STATUS= |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from supervisor.engine import Engine
from supervisor.host.proc.notify import Notifier, monotonic_usec

STATUS_INTERVAL_S = 1.0


class Announcer:
    """Tells what happens to whoever asked to be told."""

    def __init__(self, notifier: Notifier, engine: Engine) -> None:
        """`ready` says when; `run` is the edge."""
        self._notifier = notifier
        self._engine = engine
        self._ready = self._stopping = False
        self._told = ""

    def ready(self) -> None:
        """The API answers. Tells so."""
        self._ready = True
        self._tell_status("READY=1")

    def stopping(self) -> None:
        """Everything is being stopped, or left to the next supervisor."""
        self._stopping = True
        self._tell_status("STOPPING=1")

    def making_room(self) -> None:
        """Another program takes our place in this process, and will be ready once it serves."""
        self._stopping = True
        self._notifier.tell("RELOADING=1", monotonic_usec())

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """While the automations file is read again."""
        if self._ready and not self._stopping:
            self._notifier.tell("RELOADING=1", monotonic_usec())
        try:
            yield
        finally:
            if self._ready and not self._stopping:
                self._tell_status("READY=1")

    async def run(self) -> None:
        """Tell what changes, and that the engine turns, until cancelled."""
        if not self._notifier:
            return
        import anyio

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_changes)
            if (watchdog_s := self._notifier.watchdog_s) is not None:
                tasks.start_soon(self._soothe_watchdog, watchdog_s / 2)

    async def _tell_changes(self) -> None:
        import anyio

        changed = anyio.Event()
        subscription = self._engine.hub.subscribe(lambda: changed.set(), limit=1)
        try:
            while True:
                await changed.wait()
                changed = anyio.Event()
                subscription.take()
                self._tell_status()
                await anyio.sleep(STATUS_INTERVAL_S)
        finally:
            self._engine.hub.unsubscribe(subscription)

    async def _soothe_watchdog(self, interval_s: float) -> None:
        """The event loop may turn while the engine does not; then nothing is said, and the manager acts."""
        import anyio

        while True:
            await self._engine.comes_round()
            self._notifier.tell("WATCHDOG=1")
            await anyio.sleep(interval_s)

    def _tell_status(self, *before: str) -> None:
        """What came before may have been lost, if the manager did not read: so it is told again with a new status."""
        if not self._notifier:
            return
        from supervisor.boot.status_line import summary

        status = summary(self._engine.world.records)
        state = ("READY=1",) if self._ready and not self._stopping else ()
        if before or status != self._told:
            self._told = status if self._notifier.tell(*(before or state), f"STATUS={status}") else ""
