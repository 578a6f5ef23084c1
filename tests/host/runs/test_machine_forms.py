"""No shell stays beside a command that needs none, and what a script says stays with its user."""

import os
import signal
from pathlib import Path

import anyio
import pytest

from supervisor.model.action import RunKind
from supervisor.model.exit import ExitCode, ExitSignal
from tests.host.runs.harness import Bench, bench, until
from tests.host.users.other_user import needs_root

pytestmark = pytest.mark.anyio

RUN = f"run-{os.getpid()}"
"""What is looked for in the processes of the whole machine has a name that no other test run uses."""
THIRD = 64_399
"""The id of a user that is neither ours nor that of commands."""
READ_ALL = "cat /proc/[0-9]*/cmdline 2>/dev/null; :"


def commands(it: Bench, run_id: str) -> list[list[str]]:
    """The command lines of a run's processes."""
    return [Path(f"/proc/{one.pid}/cmdline").read_text().split("\0")[:-1] for one in it.members(run_id)]


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000",
        "exec sleep 1000",
        "A=1 'sleep' 1000",
        'sleep "${UNSET:-1000}"',
        "cd / && sleep 1000",
        "sleep 1000 >/dev/null 2>&1",
    ],
)
@pytest.mark.parametrize("kind", [RunKind.START, RunKind.TASK])
async def test_no_shell_stays_beside_a_single_command(tmp_path: Path, script: str, kind: RunKind) -> None:
    async with bench(tmp_path) as it:
        it.spawn(script, RUN, kind)
        main = it.main(RUN)
        await until(lambda: commands(it, RUN) == [["sleep", "1000"]])
        assert [one.pid for one in it.members(RUN)] == [main.pid]
        assert not (it.state / "scripts").exists(), "and it takes no file"


async def test_a_crash_is_told_as_its_signal(tmp_path: Path) -> None:
    program = tmp_path / "crash"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    async with bench(tmp_path) as it:
        it.spawn(f"{program} a", "direct")
        it.spawn(f'{program} "$PATH"', "inline")
        it.spawn(f"{program} a; exit $?", "file")
        assert (await it.exited("direct")).exit == ExitSignal(signal.SIGSEGV)
        assert (await it.exited("inline")).exit == ExitSignal(signal.SIGSEGV)
        assert (await it.exited("file")).exit == ExitCode(128 + signal.SIGSEGV)


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("no-such-program a", 127, "script.sh: line 1: no-such-program: command not found\n"),
        ("\n./locked", 126, "script.sh: line 2: ./locked: Permission denied\n"),
        ("./headless a", 8, "headless\n"),
        ("./lost", 127, "script.sh: line 1: ./lost: cannot execute: required file not found\n"),
    ],
)
async def test_bash_has_the_word_where_the_kernel_executes_nothing(
    tmp_path: Path, script: str, status: int, said: str
) -> None:
    async with bench(tmp_path) as it:
        for name, text, mode in (
            ("locked", "#!/bin/sh\n", 0o644),
            ("headless", "echo headless\nexit 8\n", 0o755),
            ("lost", "#!/no/such/interpreter\n", 0o755),
        ):
            (it.workspace / name).write_text(text)
            (it.workspace / name).chmod(mode)
        it.spawn(script)
        assert (await it.exited()).exit == ExitCode(status)
        if name == "lost" and "cannot execute" not in it.log():  # older than bash 5.2
            return
        assert it.log() == said


async def test_a_program_that_appears_is_found(tmp_path: Path) -> None:
    """What was found for an earlier run counts for none that comes later."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    async with bench(tmp_path, {"PATH": f"{first}:{second}:{os.environ['PATH']}"}) as it:
        for number, folder in enumerate((second, first)):
            (folder / "tool").write_text(f"#!/bin/sh\necho {folder.name}\n")
            (folder / "tool").chmod(0o755)
            it.spawn("tool", f"run{number}")
            await it.exited(f"run{number}")
            assert it.log(f"run{number}") == f"{folder.name}\n"


@needs_root
async def test_another_user_sees_no_script_in_the_list_of_processes(tmp_path: Path) -> None:
    """But the single command that a process runs, which all processes show."""
    several = [
        "sleep 1000; echo word-of-a-list",
        "sleep 1000 & echo word-in-the-background; wait",
        "# word-of-a-comment\nif true; then sleep 1000; fi",
        "TOKEN=word-of-a-variable; export TOKEN; sleep 1000; :",
        "echo word-of-a-builtin >note && sleep 1000; :",
    ]
    simple = ["TOKEN=word-of-one-command sleep 1000", "# word-of-a-remark\nsleep 1000"]
    async with bench(tmp_path) as it:
        for number, script in enumerate([*several, *simple]):
            it.spawn(script, f"{RUN}-{number}", kind=RunKind.START)
        for number in range(len([*several, *simple])):
            await until(lambda run_id=f"{RUN}-{number}": ["sleep", "1000"] in commands(it, run_id))  # type: ignore[misc]
        seen = await anyio.run_process(
            ["/bin/sh", "-c", READ_ALL], user=THIRD, group=THIRD, extra_groups=[], cwd="/"
        )
    assert seen.stdout.count(b"sleep\x001000\x00") >= len(several) + len(simple)
    assert b"word-" not in seen.stdout
