"""Commands of clients: `sh -c`, two streams, over when the shell has ended."""

import errno
import hashlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from supervisor.host.runs import operation_output
from supervisor.host.runs import run as run_module
from supervisor.model.action import Discard, Kill, Note, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, NotStarted
from supervisor.model.fact import Exited, MainExited, OutputRead, Started
from supervisor.model.ids import RunId
from tests.host.runs.harness import bench, disk_bytes_of, until

pytestmark = pytest.mark.anyio

MEGABYTE = 1 << 20
RUN = RunId("run")


async def test_the_two_streams_are_kept_apart_byte_by_byte(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation(r"printf 'a\0b\377'; printf 'no newline' >&2; exit 3")
        end = await it.exited()

        assert (end.exit, end.tail, end.output, end.unasked) == (ExitCode(3), "", None, False)
        assert it.output() == (b"a\0b\xff", b"no newline")
        assert end.written == (4, 10)
        assert not [fact for fact in it.facts if isinstance(fact, MainExited | OutputRead)]
        await until(lambda: sorted(os.listdir(it.folder().path)) == ["stderr", "stdout"])


async def test_it_is_run_by_sh_as_sh_with_nothing_to_read(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation('echo "$0 $#"; read x; echo "$? $x"; readlink /proc/$$/fd/0; nonsense-program')
        assert (await it.exited()).exit == ExitCode(127)
        out, err = it.output()
        assert out == b"sh 0\n1 \n/dev/null\n"
        assert err.startswith(b"sh: ")


@pytest.mark.parametrize("code", [0, 1, 126, 127, 128, 254, 255])
async def test_exit_codes_are_told(tmp_path: Path, code: int) -> None:
    async with bench(tmp_path) as it:
        it.operation(f"exit {code}")
        assert (await it.exited()).exit == ExitCode(code)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_signals_are_told(tmp_path: Path, number: int) -> None:
    async with bench(tmp_path) as it:
        it.operation(f"kill -{int(number)} $$; sleep 60")
        assert (await it.exited()).exit == ExitSignal(number)


@pytest.mark.parametrize("command", ["-x", "+x", "--"])
async def test_a_command_that_begins_like_an_option_is_a_command(tmp_path: Path, command: str) -> None:
    async with bench(tmp_path) as it:
        it.operation(command)
        assert (await it.exited()).exit == ExitCode(127)
        assert b"not found" in it.output()[1]


@pytest.mark.parametrize("longer_by", [0, 1, 70_000])
async def test_a_command_may_be_longer_than_an_argument(tmp_path: Path, longer_by: int) -> None:
    async with bench(tmp_path) as it:
        begin, end = "printf %s '", "' | wc -c; exit 5"
        text = "x" * (131071 - len(begin) - len(end) + longer_by)
        it.operation(f"{begin}{text}{end}")
        assert (await it.exited()).exit == ExitCode(5)
        assert int(it.output()[0]) == len(text)


async def test_it_gets_the_variables_of_a_task_but_for_the_output_file(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("env >all", "task")
        await it.exited("task")
        it.operation("env")
        await it.exited()
        task = dict(line.split("=", 1) for line in (it.workspace / "all").read_text().splitlines())
        operation = dict(line.split("=", 1) for line in it.output()[0].decode().splitlines())
        shells = {"_", "SHLVL", "SUPERVISOR_RUN_ID"}
        assert "GITPOD_OUTPUT" in task
        assert {name: value for name, value in operation.items() if name not in shells} == {
            name: value for name, value in task.items() if name not in {*shells, "GITPOD_OUTPUT"}
        }


@pytest.mark.parametrize(
    ("folder", "where"),
    [("", ""), ("sub", "sub"), ("sub/", "sub"), ("sub/..", ""), ("link", "link"), ("{}/sub", "sub")],
)
async def test_it_runs_in_its_working_directory(tmp_path: Path, folder: str, where: str) -> None:
    async with bench(tmp_path) as it:
        (it.workspace / "sub").mkdir()
        (it.workspace / "link").symlink_to("sub")
        it.operation('pwd; echo "$PWD"; pwd -P', folder=folder.format(it.workspace))
        assert (await it.exited()).exit == ExitCode(0)
        here = it.workspace / where
        expected = [str(here), str(here), str(here.resolve())]
        assert it.output()[0].decode().splitlines() == expected


@pytest.mark.parametrize(
    ("folder", "number"),
    [
        ("missing", errno.ENOENT),
        ("file", errno.ENOTDIR),
        ("loop", errno.ELOOP),
        ("x" * 300, errno.ENAMETOOLONG),
    ],
)
async def test_it_does_not_start_without_its_working_directory(
    tmp_path: Path, folder: str, number: int
) -> None:
    async with bench(tmp_path) as it:
        (it.workspace / "file").touch()
        (it.workspace / "loop").symlink_to("loop")
        it.operation("echo ran", folder=folder)
        end = (await it.exited()).exit
        assert isinstance(end, NotStarted)
        assert end.errno == number
        assert end.why.startswith(f"cannot enter the working directory {it.workspace}/{folder}: ")
        assert os.listdir(it.folder().path) == []


async def test_it_does_not_start_without_a_shell(tmp_path: Path) -> None:
    async with bench(tmp_path, {"PATH": str(tmp_path)}) as it:
        it.operation("true")
        end = (await it.exited()).exit
        assert end == NotStarted(f'cannot run sh: not found on PATH "{tmp_path}"')


async def test_what_its_shell_leaves_behind_lives_on_and_writes_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation("(until [ -e go ]; do sleep 0.01; done; echo late; echo late >&2; sleep 60) & echo now")
        began = time.monotonic()
        end = await it.exited()
        assert (end.exit, end.written) == (ExitCode(0), (4, 0))
        assert time.monotonic() - began < 5
        (it.workspace / "go").touch()
        await until(lambda: it.output() == (b"now\nlate\n", b"late\n"))
        assert it.members() != []
        with operation_output.opened(it.folder(), end.written) as (out, err):
            assert (b"".join(out.chunks()), b"".join(err.chunks())) == (b"now\n", b"")


async def test_what_it_leaves_behind_is_not_reached_when_it_is_told_to_end(tmp_path: Path) -> None:
    """Its end is reported 0.2 s after its shell has ended, since somebody may still print."""
    async with bench(tmp_path) as it:
        it.operation("(trap 'touch told' TERM; touch up; while :; do sleep 0.01; done) & echo now")
        started = await it.fact(Started)
        await until((it.workspace / "up").exists)
        await until(lambda: not os.path.exists(f"/proc/{started.pid}"))
        in_time = not [fact for fact in it.facts if isinstance(fact, Exited)]
        it.machine.perform(Terminate(RUN))
        it.machine.perform(Kill(RUN))
        end = await it.exited()
        assert (end.exit, end.unasked) == (ExitCode(0), in_time)
        assert it.members() != []
        assert not (it.workspace / "told").exists()


@pytest.mark.slow
async def test_a_tree_that_ignores_sigterm_and_left_its_session_is_ended(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation(
            "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo child; while :; do sleep 0.05; done' & "
            "echo shell; while :; do sleep 0.05; done"
        )
        await until(lambda: len(it.output()[0].split()) == 2)
        it.machine.perform(Terminate(RUN))
        await until(lambda: len(it.members()) >= 2)
        it.machine.perform(Kill(RUN))
        end = await it.exited()
        assert end.exit == ExitSignal(signal.SIGKILL)
        assert it.members() == []
        assert end.written == tuple(map(len, it.output()))


async def test_all_that_its_tree_prints_while_it_is_ended_belongs_to_its_result(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation(
            "sh -c 'trap \"sleep 0.3; echo last; exit\" TERM; echo up; while :; do sleep 0.01; done' & "
            "trap 'exit 7' TERM; while :; do sleep 0.01; done"
        )
        await until(lambda: it.output()[0] == b"up\n")
        it.machine.perform(Terminate(RUN))
        end = await it.exited()
        assert (end.exit, it.output()[0]) == (ExitCode(7), b"up\nlast\n")
        assert end.written == tuple(map(len, it.output()))
        assert it.members() == []


async def test_a_note_is_the_last_line_of_standard_error(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation("echo out; echo err >&2")
        end = await it.exited()
        it.machine.perform(Note(RUN, "it was cancelled"))
        await until(lambda: it.output() == (b"out\n", b"err\nsupervisor: it was cancelled\n"))
        assert end.written == (4, 4)
        assert "log" not in os.listdir(it.folder().path)


async def test_streams_that_are_opened_anew_truncate_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation("echo 1; echo 2 >/dev/stdout; echo 3 >/dev/stderr; echo 4 | tee /dev/stderr; echo 5")
        await it.exited()
        assert it.output() == (b"1\n2\n4\n5\n", b"3\n4\n")


async def test_first_and_last_bytes_of_each_stream_are_kept_and_the_rest_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "OUTPUT_BYTES", MEGABYTE)
    numbers = b"".join(b"%09d\n" % number for number in range(1, 1_000_001))
    async with bench(tmp_path) as it:
        it.operation(
            "seq -f %09.0f 1000000; seq -f %09.0f 1000000 >&2; (sleep 0.1; echo more) & echo end >&2"
        )
        end = await it.exited()
        assert end.written[0] in (len(numbers), len(numbers) + 5)
        assert end.written[1] == len(numbers) + 4
        for most_bytes in (4 * MEGABYTE, 3 * MEGABYTE):
            with operation_output.opened(it.folder(), end.written, most_bytes, MEGABYTE) as (out, err):
                shown = most_bytes // 2
                assert (err.missing_bytes, err.shown_bytes) == (len(numbers) + 4 - shown, shown)
                assert err.head() == numbers[: shown // 2]
                assert err.tail() == (numbers + b"end\n")[-shown // 2 :]
                assert b"".join(out.chunks()) == out.head() + out.tail()
        # Some blocks are allocated later, and a hole is made when it is worth it.
        assert disk_bytes_of(it.folder()) <= 4 * MEGABYTE + MEGABYTE // 2


@pytest.mark.slow
async def test_a_hundred_megabytes_on_both_streams_arrive_as_they_were_written(tmp_path: Path) -> None:
    script = """
import os, random
for fd in (1, 2):
    data = random.Random(fd).randbytes(1 << 20)
    with open(fd, "wb") as file:
        for _ in range(100):
            file.write(data)
"""
    async with bench(tmp_path, log_limit_bytes=MEGABYTE) as it:
        (it.workspace / "print.py").write_text(script)
        it.operation("python3 -I -S print.py")
        before = time.process_time()
        end = await it.exited()
        assert (end.exit, end.written) == (ExitCode(0), (100 * MEGABYTE, 100 * MEGABYTE))
        assert time.process_time() - before < 0.2
        with operation_output.opened(it.folder(), end.written, 200 * MEGABYTE) as streams:
            for number, stream in enumerate(streams, 1):
                assert stream.missing_bytes == 0
                digest = hashlib.sha256()
                for chunk in stream.chunks():
                    digest.update(chunk)
                data = random.Random(number).randbytes(1 << 20)
                assert digest.digest() == hashlib.sha256(data * 100).digest()


async def test_discarded_operations_leave_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.operation("echo 1; echo 2 >&2")
        await it.exited()
        it.machine.perform(Discard((RUN,)))
        await until(lambda: not os.listdir(it.state / "runs"))


async def test_without_fifos_both_streams_are_written_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "OUTPUT_BYTES", MEGABYTE)
    async with bench(tmp_path, log_pipes=False) as it:
        it.operation("head -c 10M /dev/zero | tr '\\0' x; echo err >&2; exit 4")
        end = await it.exited()
        assert (end.exit, end.written) == (ExitCode(4), (10 * MEGABYTE, 4))
        await until(lambda: os.stat(it.folder().stdout).st_blocks * 512 <= 2 * MEGABYTE + MEGABYTE // 4)
        with operation_output.opened(it.folder(), end.written, kept_bytes=MEGABYTE) as (out, err):
            assert out.head() == out.tail() == b"x" * MEGABYTE
            assert (out.missing_bytes, err.head()) == (8 * MEGABYTE, b"err\n")
