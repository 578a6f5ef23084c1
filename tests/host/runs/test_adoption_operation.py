"""Commands of clients whose supervisor, shim, or both were killed: each ran once, and no byte is lost."""

import os
import signal
from pathlib import Path

import pytest

from supervisor.host.runs import operation_output, orphaned_fifos
from supervisor.host.runs import run as run_module
from supervisor.model.action import Inherited, Kill, RunKind, Spawn, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, ExitUnknown
from supervisor.model.fact import Started
from supervisor.model.ids import OperationId, RunId
from tests.host.runs import harness
from tests.host.runs.harness import Bench, bench, disk_bytes_of, leave, reaped, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_shim_left")]

GO = "until [ -e go ]; do sleep 0.01; done"
MANY = "seq 200000; seq 200000 >&2"
NUMBERS = b"".join(b"%d\n" % number for number in range(1, 200_001))
MORE = "seq -f %09.0f 1000000"
TEN = b"".join(b"%09d\n" % number for number in range(1, 1_000_001))
MEGABYTE = 1 << 20


def inherited(command: str = "exit 3", *, told: harness.Told = None) -> Inherited:
    """As the records have it."""
    spawn = Spawn(RunId("run"), RunKind.OPERATION, OperationId("id of run"), "run", command, None, ())
    return Inherited(spawn, told is None, None if told is None else told(RunId("run")))


def left(it: Bench, out: bytes, err: bytes) -> None:
    """What a shim has made and written."""
    Path(it.folder().stdout).write_bytes(out)
    Path(it.folder().stderr).write_bytes(err)


async def killed_with_its_shim(it: Bench) -> None:
    assert it.shim.pid is not None
    os.kill(it.shim.pid, signal.SIGKILL)
    await until(lambda: reaped(it.shim.pid))
    await leave(it)


async def test_it_goes_on_and_its_end_is_learned_by_the_next_supervisor(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.operation(f"echo once >>ran; {GO}; {MANY}; exit 7")
    pid = first.main().pid
    await leave(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited()])
        assert (await it.fact(Started)).pid == pid
        (it.workspace / "go").touch()
        end = await it.exited()
        assert (end.exit, end.written) == (ExitCode(7), (len(NUMBERS), len(NUMBERS)))
        assert it.output() == (NUMBERS, NUMBERS)
        assert (it.workspace / "ran").read_text() == "once\n"


async def test_what_has_ended_while_no_supervisor_was_there_is_told(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.operation(f"echo once >>ran; {MANY}; exit 7")
    await leave(first)
    await until(lambda: first.folder().facts().exit is not None)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited()])
        end = await it.exited()
        assert (end.exit, end.written) == (ExitCode(7), (len(NUMBERS), len(NUMBERS)))
        assert it.output() == (NUMBERS, NUMBERS)
        assert (it.workspace / "ran").read_text() == "once\n"


async def test_what_never_began_is_started_by_the_next_supervisor(tmp_path: Path) -> None:
    await leave(Bench(tmp_path))
    async with bench(tmp_path) as it:
        it.folder().create()
        it.machine.adopt([inherited("echo once >>ran; exit 4")])
        assert (await it.exited()).exit == ExitCode(4)
        assert (it.workspace / "ran").read_text() == "once\n"


async def test_what_only_has_a_file_may_have_run_and_is_not_started_again(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.folder().create()
    left(first, b"", b"")
    await killed_with_its_shim(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("touch again")])
        assert (await it.exited()).exit == ExitUnknown()
        assert not (it.workspace / "again").exists()


async def test_a_shim_that_is_killed_costs_the_exit_code_and_no_byte(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation(f"touch up; {GO}; {MANY}; exit 7")
        await until((it.workspace / "up").exists)
        it.main()
        assert it.shim.pid is not None
        os.kill(it.shim.pid, signal.SIGKILL)
        (it.workspace / "go").touch()
        end = await it.exited()
        assert (end.exit, end.written) == (ExitUnknown(), (len(NUMBERS), len(NUMBERS)))
        assert it.output() == (NUMBERS, NUMBERS)


async def test_supervisor_and_shim_that_are_killed_cost_no_byte(tmp_path: Path) -> None:
    """The keeper holds both FIFOs, with what is in them."""
    first = Bench(tmp_path)
    first.operation(f"echo up; echo up >&2; {GO}; {MANY}; exit 7")
    first.main()
    await until(lambda: first.output() == (b"up\n", b"up\n") and first.machine._shims.keeper() != 0)
    await killed_with_its_shim(first)
    (first.workspace / "go").touch()  # it fills its FIFO, and waits
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited()])
        end = await it.exited()
        expected = b"up\n" + NUMBERS
        assert (end.exit, end.written) == (ExitUnknown(), (len(expected), len(expected)))
        assert it.output() == (expected, expected)


@pytest.mark.parametrize("told", [Terminate, Kill])
async def test_what_was_told_to_end_is_ended_by_the_next_supervisor(
    tmp_path: Path, told: type[Terminate] | type[Kill]
) -> None:
    first = Bench(tmp_path)
    first.operation("setsid sh -c 'echo up; exec sleep 60' & sleep 60")
    first.main()
    await until(lambda: first.output()[0] == b"up\n")
    await leave(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited(told=told)])
        number = signal.SIGTERM if told is Terminate else signal.SIGKILL
        assert (await it.exited()).exit == ExitSignal(number)
        assert it.members() == []


async def test_after_another_boot_its_files_are_there_and_its_exit_is_not_known(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.folder().create()
        left(it, b"out", b"error")
        it.machine.lose([inherited()], "was lost with the machine")
        end = await it.exited()
        assert (end.exit, end.written) == (ExitUnknown("was lost with the machine"), (3, 5))


async def test_what_its_shell_left_behind_writes_on_under_another_shim(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation(f"({GO}; echo late; echo late >&2; sleep 60) & echo now")
        end = await it.exited()
        assert end.written == (4, 0)
        assert it.shim.pid is not None
        os.kill(it.shim.pid, signal.SIGKILL)
        (it.workspace / "go").touch()
        await until(lambda: it.output() == (b"now\nlate\n", b"late\n"))


async def test_a_result_that_no_shim_has_reported_stays_whatever_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (run_module, orphaned_fifos):
        monkeypatch.setattr(module, "OUTPUT_BYTES", MEGABYTE)
    async with bench(tmp_path) as it:
        it.operation(f"touch up; {GO}; ({GO.replace('go', 'more')}; {MORE}; {MORE}; sleep 60) & {MORE}")
        await until((it.workspace / "up").exists)
        it.main()
        assert it.shim.pid is not None
        os.kill(it.shim.pid, signal.SIGKILL)
        (it.workspace / "go").touch()
        end = await it.exited()
        assert end.written == (len(TEN), 0)
        # The present shim has what it was asked for before it answers.
        await it.machine._ender.orphaned_fifos.flush("run")
        (it.workspace / "more").touch()
        await until(lambda: os.stat(it.folder().stdout).st_size == 3 * len(TEN))
        with operation_output.opened(it.folder(), end.written, kept_bytes=MEGABYTE) as (out, _):
            assert (out.head(), out.tail()) == (TEN[:MEGABYTE], TEN[-MEGABYTE:])
        assert disk_bytes_of(it.folder()) < 4 * MEGABYTE
