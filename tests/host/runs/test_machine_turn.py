"""Before there is an event loop: the machine takes turns, and nothing runs beside it."""

import os
import select
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.model.action import RunKind
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.model.fact import Exited, MainExited, Started
from tests.host.runs.harness import DEADLINE_S, Bench, until
from tests.shim.test_shim import shim_of


@pytest.fixture
def it(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def turn(it: Bench, facts: int) -> None:
    """Have the machine take turns until it has reported so many facts."""
    poll, give_up_at = select.poll(), time.monotonic() + DEADLINE_S
    poll.register(it.shim, select.POLLIN)
    while len(it.facts) < facts:
        assert time.monotonic() < give_up_at, "it was not told in time"
        poll.poll(100)
        it.machine.turn()


def go_on(it: Bench, until: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run the loop until something has come true, and see that nothing lives then."""

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.machine.run)
            await until()
            tasks.cancel_scope.cancel()

    anyio.run(run)
    assert it.machine.close() == 0


def test_a_task_ends_and_what_follows_is_started(it: Bench) -> None:
    it.spawn("echo one; exit 3", "first")
    turn(it, 2)
    assert [type(fact) for fact in it.facts] == [Started, Exited]
    it.spawn("exit 4", "second")
    turn(it, 4)
    assert [fact.exit for fact in it.facts if isinstance(fact, Exited)] == [ExitCode(3), ExitCode(4)]
    assert it.log("first") == "one\n"
    assert it.machine.close() == 0


def test_a_turn_waits_for_nothing(it: Bench) -> None:
    it.spawn("exec sleep 60")
    turn(it, 1)
    it.machine.turn()
    assert [type(fact) for fact in it.facts] == [Started]
    os.kill(it.main().pid, signal.SIGKILL)
    go_on(it, it.exited)
    assert [fact.exit for fact in it.facts if isinstance(fact, Exited)] == [ExitSignal(signal.SIGKILL)]


def test_what_needs_a_loop_waits_for_it(it: Bench) -> None:
    """A service that leaves a process behind is seen out by a task of the loop."""
    it.spawn("sleep 60 & echo $!; exit 3", kind=RunKind.START)
    poll = select.poll()
    poll.register(it.shim, select.POLLIN)
    turn(it, 1)
    while it.machine._runs["run"].exit is None:
        poll.poll(100)
        it.machine.turn()
    assert [type(fact) for fact in it.facts] == [Started]

    async def seen_out() -> None:
        assert (await it.main_exited()).exit == ExitCode(3)
        os.kill(int(it.log()), signal.SIGKILL)
        assert (await it.exited()).exit == ExitCode(3)

    go_on(it, seen_out)
    assert [type(fact) for fact in it.facts] == [Started, MainExited, Exited]


def test_a_lost_shim_waits_for_the_loop(it: Bench) -> None:
    it.spawn("exec sleep 60", kind=RunKind.START)
    turn(it, 1)
    main = it.main()
    os.kill(shim_of(it).pid, signal.SIGKILL)
    it.machine.turn()
    it.machine.turn()
    os.kill(main.pid, signal.SIGKILL)

    go_on(it, it.exited)
    assert isinstance(it.facts[-1], Exited)


def test_trouble_of_the_shim_is_logged_once_there_is_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state/shim.sock").mkdir(parents=True)
    it = Bench(tmp_path)
    it.spawn("exit 3")  # answered after the request to listen there
    turn(it, 2)
    assert caplog.messages == []

    async def told() -> None:
        await until(lambda: bool(caplog.messages))

    go_on(it, told)
    assert caplog.messages == [
        "the process that holds commands had trouble: IsADirectoryError(21, 'Is a directory')"
    ]
