"""Commands of another user: what they are, what they reach, and what they do not."""

import os
import resource
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from supervisor.host.users.account import Account
from supervisor.model.action import Kill, RunKind, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, NotStarted
from supervisor.model.ids import RunId
from supervisor.shim.protocol import UserIds
from tests.host.runs.harness import Bench, bench, until
from tests.host.users.other_user import GID, GROUP, UID, needs_root, open_folder, other

__all__ = ["open_folder"]

pytestmark = [pytest.mark.anyio, needs_root]


@asynccontextmanager
async def user_bench(folder: Path, account: Account | None = None) -> AsyncIterator[Bench]:
    async with bench(folder, account=account or other(str(folder))) as it:
        # As the state directory does it.
        for path in (it.state, it.state / "runs"):
            os.chown(path, -1, GID)
            path.chmod(0o710)
        yield it


async def test_a_command_is_the_user_for_good_and_has_nothing_of_the_supervisor(open_folder: Path) -> None:
    script = """
        awk '/^(Uid|Gid|Groups|SigBlk|SigIgn|CapPrm|CapEff)/' /proc/self/status
        ls -l /proc/self/fd | grep -c -- '->'
        readlink /proc/self/fd/0
        cut -d' ' -f6 /proc/$$/stat; echo $$; pwd; ulimit -n; umask
    """
    umask = os.umask(0)
    os.umask(umask)
    async with user_bench(open_folder) as it:
        it.spawn(script)
        await it.exited()
        said = it.log().splitlines()
        assert [line.split()[1:] for line in said[:3]] == [
            [str(UID)] * 4,
            [str(GID)] * 4,
            [str(GID), str(GROUP)],
        ]
        masks = [int(line.split()[1], 16) for line in said[3:7]]
        # The C library's posix_spawn, which the shim came from, ignores its own two signals, 32 and 33.
        assert [mask & ~(0b11 << 31) for mask in masks] == [0] * 4, "signals blocked, ignored; capabilities"
        assert said[7:9] == ["4", "/dev/null"], "stdin, stdout, stderr, and the folder that ls reads"
        assert said[9] == said[10], "a session of its own"
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert said[11:] == [str(it.workspace), str(limit), f"{umask:04o}"]


async def test_a_command_reaches_its_script_its_log_and_its_output(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.spawn(
            'cat "$0"; echo aside >>/dev/stderr; echo KEY=value >>"$GITPOD_OUTPUT"; exit 3',
            "run",
            RunKind.START,
        )
        end = await it.exited()
        assert end.exit == ExitCode(3)
        assert end.output == {"KEY": "value"}
        assert it.log().endswith("exit 3aside\n")


async def test_a_command_changes_no_fact_of_a_run(open_folder: Path) -> None:
    script = """
        set +e
        folder=$(dirname "$GITPOD_OUTPUT")
        until [ -e "$folder/../../run-facts" ]; do sleep 0.01; done
        echo '{"code": 0}' >"$folder/exit"
        echo '{}' >>"$folder/../../run-facts"
        rm -f "$0" "$GITPOD_OUTPUT"
        ls "$(dirname "$0")"; cat "$(dirname "$0")/key"; touch "$(dirname "$0")/mine"
        ln -sf /etc/shadow "$GITPOD_OUTPUT"
        mv "$folder" "$folder.old"
        echo : >>"$0"
        touch "$folder/../mine" "$folder/../../mine"
        cat "$folder/../../run-facts"; ls "$folder" "$folder/.." "$folder/../.."
        exit 5
    """
    async with user_bench(open_folder) as it:
        it.spawn(script)
        assert (await it.exited()).exit == ExitCode(5)
        await until(lambda: it.folder().facts().exit is not None)
        assert it.folder().facts().exit == ExitCode(5)
        facts = it.folder().facts().started
        assert facts is not None
        assert facts.pid == it.main().pid
        assert it.log().count("ermission denied") == 16
        await until(lambda: not os.path.exists(it.folder().fifo))
        assert sorted(os.listdir(it.folder().path)) == [
            "gitpod-task-run.output",
            "log",
        ]
        [written] = (it.state / "scripts").glob("*.sh")
        assert written.read_text() == script
        output = os.lstat(f"{it.folder().path}/gitpod-task-run.output")
        assert (stat.S_IMODE(output.st_mode), output.st_uid, output.st_size) == (0o600, UID, 0)


async def test_whole_trees_of_the_user_are_ended(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.spawn("trap '' TERM; (setsid sleep 60 &) ; sleep 60 & echo ready; while :; do sleep 0.01; done")
        await it.words(1)
        await until(lambda: len(it.members()) >= 3)
        it.machine.perform(Terminate(RunId("run")))
        it.machine.perform(Kill(RunId("run")))
        assert (await it.exited()).exit == ExitSignal(9)
        assert it.members() == []


async def test_a_workspace_that_the_user_cannot_enter(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.workspace.chmod(0o700)
        it.spawn(":")
        assert (await it.exited()).exit == NotStarted(
            f"cannot enter the workspace {it.workspace}: permission denied"
        )


async def test_a_shell_that_the_user_cannot_run(open_folder: Path) -> None:
    shell = open_folder / "bash"
    shell.write_text("#!/bin/sh\n")
    shell.chmod(0o700)
    async with user_bench(open_folder) as it:
        it.env["PATH"] = str(open_folder)
        it.spawn(":")
        assert (await it.exited()).exit == NotStarted(f"cannot run {shell}: permission denied")


async def test_a_user_that_the_kernel_refuses(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.machine._starter._preparation.user = UserIds(2**32 - 1, GID, (GID,))
        it.spawn(":")
        assert (await it.exited()).exit == NotStarted(
            "cannot become the user that commands run as: operation not permitted"
        )
        it.machine._starter._preparation.user = UserIds(UID, GID, (GID,))
        it.spawn("exit 3", "next")
        assert (await it.exited("next")).exit == ExitCode(3)


async def test_many_runs_leave_no_descriptor_behind(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.spawn(":", "first")
        await it.exited("first")
        shim = f"/proc/{it.shim.pid}/fd"
        before = len(os.listdir(shim))
        for number in range(20):
            it.spawn(f"exit {number}", str(number))
        for number in range(20):
            assert (await it.exited(str(number))).exit == ExitCode(number)
        it.workspace.chmod(0o700)
        it.spawn(":", "last")
        await it.exited("last")
        # It tells of an exit first, and then writes the file.
        await until(lambda: len(os.listdir(shim)) <= before)


async def test_a_command_waits_while_its_user_has_too_many_processes(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.spawn("echo up; exec sleep 1000", "first")
        await it.words(1, "first")
        pid = it.shim.pid
        assert pid is not None
        # As it is inherited by what is started from now on; the first one is over it already.
        limit = resource.prlimit(pid, resource.RLIMIT_NPROC)[1]
        resource.prlimit(pid, resource.RLIMIT_NPROC, (0, limit))
        it.spawn("echo done", "second")
        await until(lambda: bool(it.problems))
        [(what, why)] = it.problems
        assert (what, "resource temporarily unavailable" in why) == ("commands", True)

        it.machine.perform(Kill(RunId("first")))
        assert (await it.exited("second")).exit == ExitCode(0)
        assert it.problems[1:] == [("commands", "")]


async def test_nobody_who_shares_the_users_first_group_can_read_what_a_run_has(open_folder: Path) -> None:
    before = os.umask(0)
    try:
        async with user_bench(open_folder) as it:
            it.spawn("until [ -e go ]; do sleep 0.01; done", "run", RunKind.START)
            await until(lambda: it.folder().facts().started is not None)
            modes = {
                entry.name: (entry.stat().st_uid, oct(stat.S_IMODE(entry.stat().st_mode)))
                for entry in os.scandir(it.folder().path)
            }
            (it.workspace / "go").touch()
            await it.exited()
    finally:
        os.umask(before)
    assert modes == {
        "log": (0, "0o600"),
        "fifo": (UID, "0o600"),
        "gitpod-service-start-run.output": (UID, "0o600"),
    }
    assert stat.S_IMODE(os.lstat(it.state / "run-facts").st_mode) == 0o600
