"""The shim: what it holds when the supervisor goes, and what holds when it goes itself."""

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.host.proc import cgroups, inheritance, process, process_signals, process_tree
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.spawn import shim_client
from supervisor.host.runs.spawn.shim_client import ShimClient, ShimLost
from supervisor.model.action import Kill, RunKind, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.fact import Exited, Started
from supervisor.model.ids import RunId
from supervisor.shim.protocol import CommandExited, ExitStatus, ShimTrouble, SpawnFailed, SpawnRequest
from tests.host.runs.harness import Bench, bench, inherited, leave, until
from tests.small_disk import small_disk

pytestmark = pytest.mark.anyio


def shim_of(it: Bench) -> ProcRef:
    assert it.shim.pid is not None
    ref = _ref(it.shim.pid)
    assert process.alive(ref)
    return ref


def _ref(pid: int) -> ProcRef:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ProcRef(pid, int(fields[19]))


async def reaped(ref: ProcRef) -> None:
    """Wait until a shim, which is our child, has ended."""

    def done() -> bool:
        try:
            return os.waitpid(ref.pid, os.WNOHANG)[0] == ref.pid
        except ChildProcessError:
            return True  # its client reaped it

    await until(done)


async def test_shim_that_ends_leaves_no_fifo(tmp_path: Path) -> None:
    """The next one would take it over, and note that output may be missing."""
    for number in range(10):
        (folder := tmp_path / str(number)).mkdir()
        it = Bench(folder)
        it.spawn("until [ -e go ]; do sleep 0.01; done; echo said")
        it.main()
        shim = shim_of(it)
        await leave(it)
        (it.workspace / "go").touch()
        await reaped(shim)
        assert "fifo" not in [entry.name for entry in os.scandir(it.folder().path)]


async def test_the_shim_ends_when_nobody_needs_it(tmp_path: Path) -> None:
    it = Bench(tmp_path)
    shim = shim_of(it)
    assert it.machine.close() == 0
    assert not process.alive(shim)
    assert not (it.state / "shim.sock").exists()


async def test_a_later_shim_and_its_commands_have_the_limits_that_the_supervisor_was_started_with(
    tmp_path: Path,
) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, before[1]))
    try:
        async with bench(tmp_path) as it:
            it.spawn(":", "first")
            assert inheritance.raise_descriptors(600) == 600
            os.kill(shim_of(it).pid, signal.SIGKILL)
            it.spawn("ulimit -n; exit 3")
            assert (await it.exited()).exit == ExitCode(3)
            assert it.log() == "500\n"
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 600
        inheritance.give_back()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500
    finally:
        inheritance.give_back()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_no_signal_but_kill_ends_the_shim(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(":", "first")
        await it.exited("first")
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE):
            os.kill(shim_of(it).pid, number)
        it.spawn("exit 3")
        assert (await it.exited()).exit == ExitCode(3)


async def test_a_supervisor_that_dies_leaves_the_shim_to_note_exits(tmp_path: Path) -> None:
    it = Bench(tmp_path)
    shim = shim_of(it)
    it.spawn("until [ -e go ]; do sleep 0.01; done; exit 9")
    await leave(it)
    assert process.alive(shim)
    (it.workspace / "go").touch()
    await until(lambda: it.folder().facts().exit is not None)
    assert it.folder().facts().exit == ExitCode(9)
    await reaped(shim)
    assert not (it.state / "shim.sock").exists()


async def test_the_next_supervisor_goes_on_with_what_lives(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    shim = shim_of(first)
    first.spawn("until [ -e go ]; do sleep 0.01; done; exit 9", "task")
    first.spawn("trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done", "service", RunKind.START)
    first.spawn("exit 7", "ended")
    pids = [first.main(name).pid for name in ("task", "service")]
    await first.words(1, "service")
    await leave(first)
    await until(lambda: first.folder("ended").facts().exit is not None)

    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("task"), inherited("service", RunKind.START), inherited("ended")])
        assert [(await it.fact(Started, name)).pid for name in ("task", "service")] == pids
        assert (await it.exited("ended")).exit == ExitCode(7)
        it.spawn("exit 6", "new")
        assert (await it.exited("new")).exit == ExitCode(6)
        facts = it.folder("new").facts().started
        assert facts is not None
        assert facts.shim_pid == shim.pid, "the shim that is there serves on"
        (it.workspace / "go").touch()
        assert (await it.exited("task")).exit == ExitCode(9)
        it.machine.perform(Terminate(RunId("service")))
        assert (await it.exited("service")).exit == ExitCode(8)
    await reaped(shim)


async def test_the_end_of_a_run_that_nobody_knew_is_not_that_of_the_next_with_its_id(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.spawn("exec sleep 60", kind=RunKind.START)
    assert first.main().pid
    await leave(first)

    async with bench(tmp_path) as it:
        assert it.machine.clear(()) == 1
        it.spawn("exit 3")
        assert (await it.exited()).exit == ExitCode(3)


async def test_adoption_where_the_shim_is_gone_too(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    shim = shim_of(first)
    first.spawn("exec sleep 60", "live", RunKind.START)
    first.spawn("exec sleep 60", "dies", RunKind.START)
    first.spawn("exec sleep 60", "unnoted", RunKind.START)
    first.spawn("exit 7", "ended")
    await until(lambda: first.folder("ended").facts().exit is not None)
    dies, main = first.main("dies"), first.main("unnoted")
    os.kill(shim.pid, signal.SIGKILL)
    await reaped(shim)
    await leave(first)
    process_signals.kill([dies])
    journal = first.state / "run-facts"
    journal.write_bytes(
        b"".join(line for line in journal.read_bytes().splitlines(True) if b"unnoted" not in line)
    )

    async with bench(tmp_path) as it:
        names = ("live", "dies", "unnoted", "ended")
        it.machine.adopt([inherited(name, RunKind.START) for name in names])
        assert (await it.exited("dies")).exit == ExitUnknown()
        assert (await it.exited("ended")).exit == ExitCode(7)
        assert (await it.fact(Started, "unnoted")).pid == main.pid
        for name in ("live", "unnoted"):
            it.machine.perform(Kill(RunId(name)))
            assert (await it.exited(name)).exit == ExitUnknown()


async def test_runs_of_an_earlier_boot_are_over(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("exec sleep 60", "live")
        folder = it.folder("old")
        folder.create()
        (it.state / "runs" / "old" / "started").write_text(
            json.dumps(
                {
                    "pid": it.main("live").pid,
                    "start_ticks": it.main("live").start_ticks,
                    "boot_id": "another",
                    "shim_pid": 1,
                }
            )
        )
        it.machine.adopt([inherited("old")])
        assert [type(fact) for fact in it.of("old")] == [Exited]
        assert (await it.exited("old")).exit == ExitUnknown()


async def test_a_lost_shim_leaves_its_runs_alive_and_new_ones_get_another(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("exec sleep 60", "old", RunKind.START)
        old = it.main("old")
        os.kill(shim_of(it).pid, signal.SIGKILL)
        it.spawn("exit 3", "new")
        assert (await it.exited("new")).exit == ExitCode(3)
        assert process.alive(old)
        process_signals.kill([old])
        assert (await it.exited("old")).exit == ExitUnknown()


async def test_shims_that_cannot_run_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path) as it:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        os.kill(shim_of(it).pid, signal.SIGKILL)
        it.spawn(":", "one")
        assert (await it.exited("one")).exit == NotStarted("the process that holds commands has ended")
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        it.spawn(":", "two")
        assert (await it.exited("two")).exit == NotStarted(
            "cannot start the process that holds commands: no such file or directory"
        )
        monkeypatch.undo()
        it.spawn(":", "three")
        assert (await it.exited("three")).exit == ExitCode(0)


async def test_a_shim_killed_again_and_again_costs_statuses_and_no_run(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for number in range(10):
            client = it.machine._shims._current
            assert client is not None
            it.spawn("exec sleep 60", str(number), RunKind.START)
            assert it.machine._shims._current is not None
            pid = it.machine._shims._current.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        for number in range(10):
            it.machine.perform(Kill(RunId(str(number))))
        for number in range(10):
            end = (await it.exited(str(number))).exit
            assert end in (ExitUnknown(), ExitSignal(signal.SIGKILL))
            assert len(it.of(str(number))) == 2


async def test_what_a_shim_had_not_begun_when_it_died_begins_once_under_another(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        os.kill(shim_of(it).pid, signal.SIGSTOP)
        for number in range(5):
            it.spawn(f"echo {number} >>begun; exit {number}", str(number))
        it.machine.perform(Kill(RunId("unknown")))
        os.kill(shim_of(it).pid, signal.SIGKILL)
        for number in range(5):
            assert (await it.exited(str(number))).exit == ExitCode(number)
            assert [type(fact) for fact in it.of(str(number))] == [Started, Exited]
        assert sorted((it.workspace / "begun").read_text().split()) == list("01234")


async def test_what_is_asked_of_a_run_before_it_began_is_done_when_it_has(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        os.kill(shim_of(it).pid, signal.SIGSTOP)
        it.spawn("exec sleep 60", "told", RunKind.START)
        it.machine.perform(Terminate(RunId("told")))
        it.spawn("trap '' TERM; while :; do sleep 0.01; done", "killed")
        it.machine.perform(Terminate(RunId("killed")))
        it.machine.perform(Kill(RunId("killed")))
        os.kill(shim_of(it).pid, signal.SIGCONT)
        assert (await it.exited("told")).exit == ExitSignal(signal.SIGTERM)
        assert (await it.exited("killed")).exit == ExitSignal(signal.SIGKILL)


async def test_more_requests_than_a_socket_holds_are_all_done(tmp_path: Path) -> None:
    async with bench(tmp_path, {"PATH": os.environ["PATH"], "MUCH": "x" * 100_000}) as it:
        for number in range(50):
            it.spawn(f"exit {number}", str(number))
        for number in range(50):
            assert (await it.exited(str(number))).exit == ExitCode(number)


class Ticks:
    """How long the event loop was busy with one thing at most."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def run(self) -> None:
        while True:
            before = time.monotonic()
            await anyio.sleep(0.01)
            self.worst_s = max(self.worst_s, time.monotonic() - before)


async def test_a_shim_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    async with bench(tmp_path, {"PATH": os.environ["PATH"], "MUCH": "x" * 100_000}) as it:
        shim, ticks = shim_of(it), Ticks()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ticks.run)
            os.kill(shim.pid, signal.SIGSTOP)
            for number in range(20):
                it.spawn(f"exit {number}", str(number))
            await until(lambda: ticks.worst_s > 0)
            timer = threading.Timer(1.0, os.kill, (shim.pid, signal.SIGCONT))
            timer.start()
            for number in range(20):
                assert (await it.exited(str(number))).exit == ExitCode(number)
            tasks.cancel_scope.cancel()
        timer.join()
    assert ticks.worst_s < 0.5


async def test_a_shim_that_is_let_go_and_does_not_answer_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Bench(tmp_path)
    first.spawn("exec sleep 60", "old", RunKind.START)
    assert first.main("old").pid
    await leave(first)

    start = ShimClient.start

    def stopped() -> ShimClient:
        client = start()
        assert client.pid is not None
        os.kill(client.pid, signal.SIGSTOP)  # the one that nobody needs, since there is one already
        return client

    monkeypatch.setattr(ShimClient, "start", stopped)
    monkeypatch.setattr(shim_client, "ANSWER_S", 1.0)
    ticks = Ticks()
    async with bench(tmp_path) as it, anyio.create_task_group() as tasks:
        tasks.start_soon(ticks.run)
        it.machine.adopt([inherited("old", RunKind.START)])
        await until(lambda: len(it.machine._shims.clients()) == 1)
        os.kill(shim_of(it).pid, signal.SIGCONT)
        it.machine.perform(Kill(RunId("old")))
        await it.exited("old")
        tasks.cancel_scope.cancel()
    assert ticks.worst_s < 0.5


async def test_a_search_for_what_a_lost_shim_began_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    census, ticks = process_tree.census, Ticks()

    def slow(*arguments: Any) -> Any:
        time.sleep(1.0)  # as on a machine with many thousand processes
        return census(*arguments)

    monkeypatch.setattr(process_tree, "census", slow)
    async with bench(tmp_path) as it, anyio.create_task_group() as tasks:
        tasks.start_soon(ticks.run)
        os.kill(shim_of(it).pid, signal.SIGSTOP)
        it.spawn("exit 3")
        os.kill(shim_of(it).pid, signal.SIGKILL)
        assert (await it.exited()).exit == ExitCode(3)
        tasks.cancel_scope.cancel()
    assert ticks.worst_s < 0.5


async def test_a_shim_that_does_not_answer_is_replaced_and_does_nothing_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as it:
        it.spawn("exec sleep 60", "old", RunKind.START)
        await it.fact(Started, "old")
        monkeypatch.setattr(shim_client, "ANSWER_S", 0.4)
        monkeypatch.setattr(shim_client, "LATE_S", 0.3)
        shim = shim_of(it)
        os.kill(shim.pid, signal.SIGSTOP)
        it.spawn("echo late > late", "late")
        end = (await it.exited("late")).exit
        assert isinstance(end, NotStarted)
        assert "does not answer" in end.why
        monkeypatch.setattr(shim_client, "ANSWER_S", 10.0)
        it.spawn("exit 3", "new")
        assert (await it.exited("new")).exit == ExitCode(3)
        os.kill(shim.pid, signal.SIGCONT)
        it.machine.perform(Kill(RunId("old")))
        assert (await it.exited("old")).exit == ExitSignal(signal.SIGKILL), "it is still heard"
        await reaped(shim)
        assert not (it.workspace / "late").exists()


async def test_a_shim_stays_ready_for_its_first_command_and_rests_after_it(tmp_path: Path) -> None:
    own = cgroups.own_folder()
    if own is None or not cgroups.is_ours(own):
        pytest.skip("there is no tree of control groups that is ours")
    client = ShimClient.start()
    try:
        client.join(own)
        before = _switches(client.shim_pid)
        await until(lambda: _switches(client.shim_pid) > before + 2)
        log, folder = str(tmp_path / "log"), str(tmp_path)
        client.spawn(SpawnRequest("run", ("/bin/true",), {}, "/", log, folder, before=time.monotonic() + 60))
        await until(lambda: any(isinstance(event, CommandExited) for event in client.receive()))
        assert await _rests(client)
    finally:
        client.close()


async def test_a_shim_that_cannot_go_into_a_group_rests_at_once(tmp_path: Path) -> None:
    client = ShimClient.start()
    try:
        client.join(str(tmp_path / "missing"))
        assert client.runs().runs == {}
        before = _switches(client.shim_pid)
        await anyio.sleep(0.1)
        assert _switches(client.shim_pid) - before <= 2
    finally:
        client.close()


def _switches(pid: int) -> int:
    """How often a process has waited so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


async def _rests(client: ShimClient) -> bool:
    """Whether a shim comes to do nothing for a while that is long to it."""
    for _ in range(20):
        before = _switches(client.shim_pid)
        await anyio.sleep(0.1)
        if _switches(client.shim_pid) == before:
            return True
    return False


async def test_bad_requests_are_answered_and_do_no_harm(tmp_path: Path) -> None:
    client = ShimClient.start()
    try:
        for request in (
            {},
            {"ask": "dance"},
            {"ask": "spawn"},
            {"ask": "spawn", "run_id": "x", "dir": 3, "cwd": "/"},
        ):
            client._stream.send(request)
        client._stream.send({"ask": "listen", "path": "/no/such/folder/socket"})
        assert client.runs().runs == {}
        events = client.receive()
        assert [type(event) for event in events] == [
            ShimTrouble,
            ShimTrouble,
            ShimTrouble,
            SpawnFailed,
            ShimTrouble,
        ]
    finally:
        client.close()


async def test_a_client_of_nobody(tmp_path: Path) -> None:
    assert ShimClient.reconnect(tmp_path / "missing.sock") is None
    client = ShimClient.start()
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    with pytest.raises(ShimLost):
        client.runs()
    assert client.lost
    assert client.close() == 0


async def test_a_path_longer_than_a_socket_address(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    client = ShimClient.start()
    client.listen(folder / "shim.sock")
    assert client.runs().runs == {}
    assert (folder / "shim.sock").stat().st_mode & 0o777 == 0o600
    other = ShimClient.reconnect(folder / "shim.sock")
    assert other is not None
    assert other.runs().runs == {}
    other.close()
    client.close()


@pytest.fixture
def full_soon(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 64 kB."""
    with small_disk(tmp_path / "small", "64k"):
        yield tmp_path / "small"


async def test_a_full_disk_costs_files_and_not_the_shim(full_soon: Path) -> None:
    async with bench(full_soon) as it:
        it.spawn("until [ -e go ]; do sleep 0.01; done; exit 5", "before")
        (it.workspace / "go").touch()
        fill(full_soon / "filler")
        assert (await it.exited("before")).exit == ExitCode(5), "told although it could not be written"
        it.spawn("true; true", "during")
        end = (await it.exited("during")).exit
        assert isinstance(end, NotStarted)
        assert end.why.endswith(": no space left on device")
        assert it.shim.runs().ended in ({}, {"before": ExitStatus(5)})
        (full_soon / "filler").unlink()
        await until(lambda: it.folder("before").facts().exit == ExitCode(5))
        assert it.shim.runs().ended == {}
        it.spawn("exit 4", "after")
        assert (await it.exited("after")).exit == ExitCode(4)


def fill(path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass


@pytest.mark.slow
async def test_when_a_command_began_is_told_as_the_kernel_has_it(tmp_path: Path) -> None:
    """Of two hundred starts some come while a tick of the kernel's clock ends."""
    async with bench(tmp_path) as it:
        for number in range(200):
            it.spawn("exec sleep 60", f"run{number}")
            await it.fact(Started, f"run{number}")
            main = it.machine._runs[f"run{number}"].main
            assert main is not None
            assert main == _ref(main.pid)
            it.machine.perform(Kill(RunId(f"run{number}")))
            await it.exited(f"run{number}")
