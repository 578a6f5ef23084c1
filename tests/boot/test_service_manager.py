"""What the service manager hears of an engine that does not do its work."""

import socket
from pathlib import Path

import anyio

from supervisor.boot.service_manager import ServiceManager, summary
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.proc import clock
from supervisor.host.proc.notify import Notifier
from supervisor.host.state.store import Store
from supervisor.hub import Hub
from supervisor.model.command import Drain
from tests.core.playbook import Playbook


async def announce(folder: Path, *, engine_turns: bool) -> bytes:
    """What the manager has heard after several times the watchdog's interval."""
    heard = b""
    store = Store(folder / "state.db")
    engine = Engine(World((), 0), store, Hub(), clock)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.setblocking(False)
        notifier = Notifier({"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "10000"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ServiceManager(notifier, engine).run)
            if engine_turns:
                tasks.start_soon(engine.run)
            with anyio.move_on_after(20 if engine_turns else 0.2):
                await anyio.wait_readable(manager)
                heard = manager.recv(1000)
            tasks.cancel_scope.cancel()
    store.close()
    return heard


def test_watchdog_is_soothed_while_the_engine_turns(tmp_path: Path) -> None:
    assert anyio.run(lambda: announce(tmp_path, engine_turns=True)) == b"WATCHDOG=1"


def test_watchdog_bites_if_only_the_event_loop_turns(tmp_path: Path) -> None:
    assert anyio.run(lambda: announce(tmp_path, engine_turns=False)) == b""


def test_the_manager_is_told_in_one_line_that_a_drain_waits_for_an_operation() -> None:
    book = Playbook()
    book.operate("call\nREADY=0")
    assert summary(book.world.records) == "1 operation runs"
    book.do(Drain(30.0))
    assert summary(book.world.records) == "stopping everything; waiting for operation callREADY=0 to end"
