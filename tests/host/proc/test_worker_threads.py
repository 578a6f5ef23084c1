"""Worker threads: some stay, more come and go, and a shortage is reported."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from supervisor.host.proc import worker_threads
from supervisor.host.proc.worker_threads import Workers
from tests.host.runs.harness import until

PACKAGE = Path(worker_threads.__file__).parents[2]


class ScarceMachine:
    """Gives threads, or none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.short = False
        self.reasons: list[str] = []
        start = threading.Thread.start

        def maybe(thread: threading.Thread) -> None:
            if self.short:
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", maybe)
        monkeypatch.setattr(worker_threads, "RETRY_S", 0.02)

    def on_problem(self, kind: str, reason: str) -> None:
        assert kind == "threads"
        self.reasons.append(reason)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScarceMachine]:
    machine = ScarceMachine(monkeypatch)
    yield machine
    machine.short = False


pytestmark = pytest.mark.anyio


async def test_calls_get_threads_of_their_own_up_to_the_most(machine: ScarceMachine) -> None:
    with Workers(machine, fixed=1, most=3):
        gate = threading.Event()
        seen: set[int] = set()

        def wait() -> None:
            seen.add(threading.get_ident())
            gate.wait(20)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(worker_threads.run, wait)
            await until(lambda: len(seen) == 3)
            gate.set()
        assert len(seen) == 3
    assert machine.reasons == []


async def test_spare_threads_end_and_the_fixed_ones_stay(
    machine: ScarceMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_threads, "IDLE_S", 0.02)
    before = threading.active_count()
    with Workers(machine, fixed=2, most=8):
        for _ in range(2):  # and there are as many as before when they are needed again
            barrier = threading.Barrier(5)
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(worker_threads.run, barrier.wait, 20)
            await until(lambda: threading.active_count() == before + 2)
    assert threading.active_count() == before


async def test_what_is_there_does_the_work_of_a_machine_without_threads(machine: ScarceMachine) -> None:
    with Workers(machine, fixed=1, most=3):
        machine.short = True
        gate = threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker_threads.run, gate.wait, 20)
            tasks.start_soon(worker_threads.run, gate.wait, 20)
            await until(lambda: machine.reasons == ["can't start new thread"])
            gate.set()
        machine.short = False
        await until(lambda: machine.reasons[1:] == [""])


async def test_call_waits_for_the_first_thread(machine: ScarceMachine) -> None:
    machine.short = True
    with Workers(machine) as them:
        async with anyio.create_task_group() as tasks:
            done = anyio.Event()

            async def call() -> None:
                await worker_threads.run(int, abandon_on_cancel=True)
                done.set()

            tasks.start_soon(call)
            await until(lambda: them._unfinished == 1)
            machine.short = False
            with anyio.fail_after(20):
                await done.wait()
        await until(lambda: machine.reasons[-1] == "")


async def test_shortage_of_another_kind_of_thread_is_reported_until_it_is_over(
    machine: ScarceMachine,
) -> None:
    with Workers(machine):
        machine.short = True
        worker_threads.report_shortage("unable to start watchdog thread")
        await until(lambda: len(machine.reasons) >= 2)  # it is tried again, and told
        assert "" not in machine.reasons
        machine.short = False
        await until(lambda: machine.reasons[-1] == "")


async def test_error_of_a_call_is_raised_and_an_abandoned_one_goes_on_in_vain(machine: ScarceMachine) -> None:
    with Workers(machine, fixed=2):
        with pytest.raises(ValueError, match="invalid literal"):
            await worker_threads.run(int, "x")
        gate = threading.Event()
        with anyio.move_on_after(0.01):
            await worker_threads.run(gate.wait, abandon_on_cancel=True)
        gate.set()
        assert await worker_threads.run(int) == 0


async def test_cancelled_call_does_not_begin(machine: ScarceMachine) -> None:
    with Workers(machine, fixed=1, most=1) as them:
        gate, called = threading.Event(), list[int]()
        held = them.submit(gate.wait, 20)
        with anyio.move_on_after(0.01):
            await worker_threads.run(called.append, 1, abandon_on_cancel=True)
        gate.set()
        await held
        await worker_threads.run(int)
    assert called == []


OWN = {
    "host/proc/worker_threads.py": "they are these threads",
    "host/proc/event_loop.py": "passes what asyncio asks for on to them",
    "host/proc/loop_lag.py": "makes one with the loop; while there is none, its alarm watches alone",
    "boot/prestart.py": "without one the first command waits for the kernel",
    "host/state/inotify.py": "asks whether there is a thread, for the sake of its package",
    "cli/terminal/output.py": "tries again, and prints without one at the end",
    "shim/logs/log_pump.py": "a process of its own; without a thread a spawn waits, as for want of a process",
    "doctor/network/bounded_call.py": "a program of its own; it says so",
    "bundle/archive.py": "a program of its own",
    "workspace/worker.py": "a program of its own; it says so",
    "workspace/watch/shared_watch.py": "in the worker, a program of its own; it says so",
}


def test_no_other_module_starts_a_thread() -> None:
    """A machine may have no thread to give: a module asks the workers for one, or can do without."""
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(
            r"\bto_thread\.|\bThread\(|\bstart_new_thread\(|run_in_executor\(|\brun_process\(|open_process\(",
            path.read_text(),
        )
    }
    assert found <= OWN.keys()
