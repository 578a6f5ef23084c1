"""Commands of clients that run as another user: where they may be, and who reads what they printed."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from supervisor.model.exit import ExitCode, NotStarted
from tests.host.runs.harness import until
from tests.host.runs.test_machine_user import user_bench
from tests.host.users.other_user import GID, GROUP, UID, needs_root, open_folder

__all__ = ["open_folder"]

pytestmark = [pytest.mark.anyio, needs_root]


def reads(path: str, uid: int, gid: int = GID) -> bytes:
    """What a user reads at a path; nothing, if the kernel refuses that."""
    words = ["cat", path]
    return subprocess.run(
        words, user=uid, group=gid, extra_groups=[], capture_output=True, check=False
    ).stdout


async def test_its_streams_are_opened_anew_by_the_user_and_cannot_be_changed(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.operation(
            "id -u; echo 1 >/dev/stdout; echo 2 >>/dev/stderr; d=../state/runs/$SUPERVISOR_RUN_ID;"
            " true >$d/stdout; rm -f $d/stdout; chmod 777 $d/stderr; ls $d; touch $d/mine"
        )
        await it.exited()
        out, err = it.output()
        assert out.decode().split() == [str(UID), "1"]
        assert err.startswith(b"2\n")
        assert err.count(b"ermission denied") == 4
        assert err.count(b"not permitted") == 1


async def test_the_user_reads_its_result_and_nobody_else_does(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.operation("echo secret; echo word >&2")
        await it.exited()
        folder = it.folder()
        await until(lambda: it.output() == (b"secret\n", b"word\n"))
        assert (reads(folder.stdout, UID), reads(folder.stderr, UID)) == (b"secret\n", b"word\n")
        assert reads(folder.stdout, UID + 1) == b"", "one who has the user's group alone"
        assert reads(folder.stdout, UID + 1, GROUP) == b""


async def test_a_folder_that_the_user_may_not_enter_is_told_from_one_that_is_missing(
    open_folder: Path,
) -> None:
    async with user_bench(open_folder) as it:
        (it.workspace / "closed").mkdir(mode=0o700)
        for folder, number in (("closed", errno.EACCES), ("closed/in", errno.EACCES), ("none", errno.ENOENT)):
            it.operation("echo ran", folder.replace("/", "."), folder)
            end = (await it.exited(folder.replace("/", "."))).exit
            assert isinstance(end, NotStarted)
            assert end.errno == number
        it.operation("pwd", "open", "/")
        assert (await it.exited("open")).exit == ExitCode(0)
        assert it.output("open")[0] == b"/\n"


async def test_a_long_command_can_be_read_by_the_user_alone(open_folder: Path) -> None:
    async with user_bench(open_folder) as it:
        it.operation(f": '{'x' * 140_000}'; stat -c '%u %a' \"$0\"; ls \"${{0%/*}}\"")
        assert (await it.exited()).exit != ExitCode(0)
        out, err = it.output()
        assert out.decode().split() == [str(UID), "400"]
        assert b"ermission denied" in err
        [script] = (it.state / "scripts").glob("*.sh")
        assert reads(os.fspath(script), UID + 1) == b""
