"""What commands write: logs and outputs."""

import os
import shutil
import time
from pathlib import Path

import pytest

from supervisor.host.runs import upkeep
from supervisor.host.runs.log_file import tail
from supervisor.model.action import Discard, Kill, Note, RunKind
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.model.fact import OutputRead, Started
from supervisor.model.ids import RunId
from tests.host.runs.harness import bench, until

pytestmark = pytest.mark.anyio

MEGABYTE = 1 << 20


async def test_much_output_is_kept_whole_and_costs_the_supervisor_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, log_limit_bytes=200 * MEGABYTE) as it:
        before = time.process_time()
        it.spawn("head -c 100M /dev/zero; echo end")
        await it.exited()
        assert time.process_time() - before < 0.1
        assert os.stat(it.folder().log).st_size == 100 * MEGABYTE + 4


async def test_a_log_is_kept_within_its_limit(tmp_path: Path) -> None:
    async with bench(tmp_path, log_limit_bytes=4 * MEGABYTE) as it:
        it.spawn("head -c 20M /dev/zero; echo said; until [ -e go ]; do sleep 0.01; done")
        await it.fact(Started)
        # Its blocks alone would not do: the filesystem allocates some of them later.
        await until(lambda: size(it.folder().log) >= 20 * MEGABYTE and kept(it.folder().log) <= 4 * MEGABYTE)
        await until(lambda: size(it.folder().log) == 20 * MEGABYTE + 5)  # offsets stay true
        (it.workspace / "go").touch()
        assert (await it.exited()).exit == ExitCode(0)


def size(path: str) -> int:
    return os.stat(path).st_size if os.path.exists(path) else 0


def kept(path: str) -> int:
    return os.stat(path).st_blocks * 512 if os.path.exists(path) else 0


async def test_a_line_without_end(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("yes é | tr -d '\\n' | head -c 1000001; exit 1")
        end = await it.exited()
        assert end.exit == ExitCode(1)
        assert 4000 < len(end.tail.encode()) < 4100
        assert set(end.tail) <= {"é", "\N{REPLACEMENT CHARACTER}"}


async def test_a_command_that_closes_its_output_lives_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("exec >&- 2>&- <&-; until [ -e go ]; do sleep 0.01; done; exit 2")
        (it.workspace / "go").touch()
        end = await it.exited()
        assert (end.exit, end.tail) == (ExitCode(2), "")


async def test_a_held_log_does_not_delay_the_exit(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("sleep 60 & exit 1")
        assert (await it.exited()).exit == ExitCode(1)


async def test_a_tail_is_cut_to_its_size(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("for i in 1 2 3; do head -c 2000 /dev/zero | tr '\\0' $i; echo; done; exit 1")
        end = await it.exited()
        assert len(end.tail.encode()) <= 4096
        assert end.tail.endswith("3" * 2000 + "\n")


async def test_outputs_are_told_while_a_service_runs_and_at_its_end(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(
            'echo PORT=1 >>"$GITPOD_OUTPUT"; until [ -e go ]; do sleep 0.01; done; echo PORT=2 >>"$GITPOD_OUTPUT"',
            kind=RunKind.START,
        )
        assert (await it.fact(OutputRead)).output == {"PORT": "1"}
        (it.workspace / "go").touch()
        assert (await it.exited()).output == {"PORT": "2"}


async def test_only_starts_and_tasks_have_outputs(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for kind in RunKind:
            it.spawn('echo K=V >>"$GITPOD_OUTPUT"', kind.value, kind)
        outputs = {kind: (await it.exited(kind.value)).output for kind in RunKind}
        assert outputs == {
            RunKind.START: {"K": "V"},
            RunKind.TASK: {"K": "V"},
            RunKind.READY: None,  # nobody reads what it writes
            RunKind.STOP: None,
            RunKind.OPERATION: None,
        }


async def test_what_is_wrong_with_an_output_is_said_once_in_the_log(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(
            'echo wrong >>"$GITPOD_OUTPUT"; echo K=V >>"$GITPOD_OUTPUT"; until [ -e go ]; do sleep 0.01; done'
        )
        assert (await it.fact(OutputRead)).output == {"K": "V"}
        (it.workspace / "go").touch()
        assert (await it.exited()).output == {"K": "V"}
        (said,) = it.log().splitlines()
        assert said.startswith("supervisor: output line 1 is ignored")


async def test_discarded_runs_leave_nothing_on_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn('mkdir -p "${GITPOD_OUTPUT%/*}/own/folder"', "one")
        it.spawn("echo two", "two")
        for name in ("one", "two"):
            await it.exited(name)
        it.machine.perform(Discard((RunId("one"), RunId("two"), RunId("never was"))))
        await until(lambda: not os.listdir(it.state / "runs"))


async def test_a_killed_flood_ends(tmp_path: Path) -> None:
    async with bench(tmp_path, log_limit_bytes=MEGABYTE) as it:
        it.spawn("trap '' TERM; while :; do echo flood; done")
        await it.words(1000)
        it.machine.perform(Kill(RunId("run")))
        end = await it.exited()
        assert end.exit == ExitSignal(9)
        assert end.tail.count("flood") == 20


async def test_a_log_of_a_stop_command_has_a_small_limit(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(f"head -c {8 * MEGABYTE} /dev/zero; until [ -e go ]; do sleep 0.01; done", kind=RunKind.STOP)
        await until(
            lambda: os.path.exists(it.folder().log) and os.stat(it.folder().log).st_size >= 8 * MEGABYTE
        )
        await until(lambda: os.stat(it.folder().log).st_blocks * 512 <= MEGABYTE + 64 * 1024)
        it.machine.perform(Kill(RunId("run")))
        await it.exited()


async def test_a_log_is_within_its_limit_also_when_the_run_was_over_before_anybody_looked(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, log_limit_bytes=4 * MEGABYTE) as it:
        it.spawn(f"head -c {40 * MEGABYTE} /dev/zero")
        await it.exited()
        await until(lambda: os.stat(it.folder().log).st_blocks * 512 <= 5 * MEGABYTE)
        assert os.stat(it.folder().log).st_size == 40 * MEGABYTE


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        ("mkfifo log", "a FIFO, a socket or a device"),
        ("ln -s /etc/passwd log", "a symbolic link"),
        ("mkdir log", "a folder"),
        ("touch other; ln other log", ""),
    ],
)
async def test_what_a_command_puts_in_the_place_of_its_log_holds_nobody_up(
    tmp_path: Path, plant: str, what: str
) -> None:
    script = f"""
        cd "${{GITPOD_OUTPUT%/*}}"; rm log; {plant}; echo wrong >>"$GITPOD_OUTPUT"
        until [ -e go ]; do sleep 0.01; done; echo lost; exit 3
    """
    async with bench(tmp_path, log_limit_bytes=1, log_pipes=False) as it:
        it.spawn(script)
        await until(lambda: bool(it.problems))
        assert it.problems[0][0] == "logs"
        assert (what or "another file was put in its place") in it.problems[0][1]
        (Path(it.folder().path) / "go").touch()
        end = await it.exited()
        assert end.exit == ExitCode(3)
        if what:
            assert end.tail == f"supervisor: the log cannot be read: it is {what}"
        await until(lambda: it.problems[1:] == [("logs", "")])
        assert it.folder().facts().started is not None


@pytest.mark.parametrize("plant", ["true", "mkfifo log", "ln -s /etc/passwd log", "mkdir log"])
async def test_a_pumped_log_of_a_quiet_command_is_made_anew_whatever_is_in_its_place(
    tmp_path: Path, plant: str
) -> None:
    began = time.time()
    async with bench(tmp_path) as it:
        it.spawn(
            "echo before; until [ -e go ]; do sleep 0.01; done; "
            f'cd "${{GITPOD_OUTPUT%/*}}"; rm log; {plant}; exec sleep 60',
            kind=RunKind.START,
        )
        await until(
            lambda: "before" in said(it.folder().log)
        )  # with that the pump would see to the log by itself
        (it.workspace / "go").touch()
        await until(lambda: "the log is a new one" in said(it.folder().log))
        await until(
            lambda: (
                [kind for kind, why in it.problems if not why] == [kind for kind, why in it.problems if why]
            )
        )
        it.machine.perform(Note(RunId("run"), "after"))
        await until(lambda: "supervisor: after\n" in said(it.folder().log))
    assert os.stat("/etc/passwd").st_mtime < began, "a link is not followed"


async def test_what_is_printed_right_after_a_log_was_replaced_is_in_the_new_one(tmp_path: Path) -> None:
    script = """
        until [ -e go ]; do echo before; sleep 0.01; done
        cd "${GITPOD_OUTPUT%/*}"; rm log; touch other; ln other log; echo after
        sleep 2; echo later
    """
    async with bench(tmp_path) as it:
        it.spawn(script)
        await it.words(1)
        (it.workspace / "go").touch()
        await it.exited()
        last = it.log().replace("\0", "").splitlines()[-3:]
        assert (last[0], last[2]) == ("after", "later")
        assert "another file was put in its place" in last[1]


def said(path: str) -> str:
    """The end of a log; empty while something else stands in its place."""
    try:
        return tail(path, 5, 500)
    except OSError:
        return ""


@pytest.mark.parametrize("name", ["started", "exit", "exit.new"])
async def test_what_a_command_writes_beside_the_facts_is_none(tmp_path: Path, name: str) -> None:
    async with bench(tmp_path) as it:
        it.spawn(f'cd "${{GITPOD_OUTPUT%/*}}"; echo \'{{"code": 4}}\' >{name}; mkfifo x; mv x {name}; exit 3')
        assert (await it.exited()).exit == ExitCode(3)
        await until(lambda: it.folder().facts().exit == ExitCode(3))


@pytest.mark.parametrize("plant", ["mkfifo run-facts", "mkdir run-facts", "ln -s /etc/passwd run-facts"])
async def test_what_a_command_puts_in_the_place_of_the_facts_holds_nobody_up(
    tmp_path: Path, plant: str
) -> None:
    began = time.time()
    async with bench(tmp_path) as it:
        it.spawn(f"cd ../state; until [ -s run-facts ]; do :; done; rm -f run-facts; {plant}; exit 3")
        assert (await it.exited()).exit == ExitCode(3)
        assert it.folder().facts().exit is None
        it.spawn("exit 4", "next")
        assert (await it.exited("next")).exit == ExitCode(4)
        assert os.stat("/etc/passwd").st_mtime < began
        os.rename(it.state / "run-facts", it.state / "planted")
        await until(lambda: it.folder().facts().exit == ExitCode(3))
        assert it.folder("next").facts().exit == ExitCode(4)


async def test_facts_that_somebody_removed_are_written_again_while_their_runs_live(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("exec sleep 60", "quiet", RunKind.START)
        main = it.main("quiet")
        for _ in range(2):
            os.unlink(it.state / "run-facts")
            it.spawn("exit 3", "next")  # the shim's next fact brings them along
            await it.exited("next")
            await until(lambda: it.folder("next").facts().exit == ExitCode(3))
            facts = it.folder("quiet").facts().started
            assert facts is not None
            assert (facts.pid, facts.start_ticks) == (main.pid, main.start_ticks)
            it.machine.perform(Discard((RunId("next"),)))
            await until(lambda: os.listdir(it.state / "runs") == ["quiet"])
        os.unlink(it.state / "run-facts")
        await until(lambda: it.folder("quiet").facts().started is not None)  # upkeep writes them
        assert it.folder("quiet").facts().exit is None


async def test_a_link_in_the_place_of_a_run_directory_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    async with bench(tmp_path) as it:
        it.spawn(f'run=${{GITPOD_OUTPUT%/*}}; rm -r "$run"; ln -s {tmp_path}/precious "$run"')
        await it.exited()
        it.machine.perform(Discard((RunId("run"),)))
        await until(lambda: not os.listdir(it.state / "runs"))
    assert (tmp_path / "precious/file").exists()


def text(path: str) -> str:
    return Path(path).read_text() if os.path.exists(path) else ""


async def test_lines_of_the_supervisors_own_are_added_to_a_log(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("echo said; until [ -e go ]; do sleep 0.01; done")
        await it.fact(Started)
        await until(lambda: text(it.folder().log) == "said\n")
        it.machine.perform(Note(RunId("run"), "one\ntwo"))
        await until(lambda: text(it.folder().log) == "said\nsupervisor: one\nsupervisor: two\n")
        (it.workspace / "go").touch()
        await it.exited()


async def test_a_note_does_not_get_into_a_log_that_is_pumped_and_whose_fifo_is_gone(tmp_path: Path) -> None:
    """The pump would overwrite it."""
    async with bench(tmp_path) as it:
        it.spawn("echo said; until [ -e go ]; do sleep 0.01; done; echo done")
        await it.words(1)
        os.unlink(it.folder().fifo)
        assert not it.folder().note("lost")
        (it.workspace / "go").touch()
        await it.exited()
        assert it.log() == "said\ndone\n"
        await until(lambda: it.folder().note("kept"))
        assert it.log() == "said\ndone\nsupervisor: kept\n"


async def test_start_that_exits_0_has_last_words_too(tmp_path: Path) -> None:
    """It may not have been ready, and a task may wait for that."""
    async with bench(tmp_path) as it:
        it.spawn("echo nothing to serve", kind=RunKind.START)
        end = await it.exited()
        assert (end.exit, end.tail) == (ExitCode(0), "nothing to serve\n")


async def test_a_run_directory_that_is_removed_is_made_again_and_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(
            'rm -r "${GITPOD_OUTPUT%/*}"; until [ -e go ]; do sleep 0.01; done; exit 3', kind=RunKind.START
        )
        await until(lambda: "the log is a new one: it was removed" in tail(it.folder().log, 1, 200))
        facts = it.folder().facts().started
        assert facts is not None
        assert facts.pid == it.main().pid
        (it.workspace / "go").touch()
        assert (await it.exited()).exit == ExitCode(3)
        await until(lambda: it.folder().facts().exit == ExitCode(3))


async def test_a_removed_log_that_the_command_writes_itself_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path, log_pipes=False) as it:
        it.spawn("touch up; until [ -e go ]; do sleep 0.01; done; exit 3", kind=RunKind.START)
        await until((it.workspace / "up").exists)  # the shell has its script, which is removed now
        shutil.rmtree(it.folder().path)
        await until(lambda: "the log was removed while the command ran" in tail(it.folder().log, 1, 200))
        (it.workspace / "go").touch()
        assert (await it.exited()).exit == ExitCode(3)


async def test_a_removed_log_that_no_shim_told_of_stays_lost(tmp_path: Path) -> None:
    """Of an older shim, or where the directory was gone when the supervisor took the run over."""
    async with bench(tmp_path, log_pipes=False) as it:
        it.spawn("touch up; until [ -e go ]; do sleep 0.01; done", kind=RunKind.START)
        await it.fact(Started)
        await until((it.workspace / "up").exists)  # the shell has its script, which is removed now
        (run,) = it.machine._runs.values()
        shutil.rmtree(it.folder().path)
        run.streams[0].inode = 0
        await until(lambda: "the log was removed while the command ran" in tail(it.folder().log, 1, 200))
        upkeep._log_size(run, run.streams[0])
        assert upkeep.lost_logs([run]) != ""
        (it.workspace / "go").touch()
        await it.exited()


def inodes(folder: Path) -> dict[str, int]:
    """`{path: inode}` of what is in the state directory, but for its sockets."""
    paths = (path for path in folder.rglob("*") if not path.is_socket())
    return {str(path.relative_to(folder)): path.lstat().st_ino for path in paths}


async def test_a_second_run_of_a_text_makes_its_folder_its_log_and_its_fifo_and_no_more(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as it:
        script = "echo said; until [ -e go ]; do sleep 0.01; done\nexit 3"
        it.spawn(script, "first")
        (it.workspace / "go").touch()
        await it.exited("first")
        await until(lambda: not os.path.exists(it.folder("first").fifo))
        (it.workspace / "go").unlink()
        before = inodes(it.state)

        it.spawn(script, "second")
        await it.words(1, "second")
        during = inodes(it.state)
        (it.workspace / "go").touch()
        await it.exited("second")
        await until(lambda: it.folder("second").facts().exit == ExitCode(3))
        await until(lambda: not os.path.exists(it.folder("second").fifo))
        after = inodes(it.state)
    assert during.keys() - before.keys() == {"runs/second", "runs/second/log", "runs/second/fifo"}
    assert after.keys() - before.keys() == {"runs/second", "runs/second/log"}
    assert {path: inode for path, inode in after.items() if path in before} == before
