"""What cannot start says why; what can gets a clean start."""

import os
import resource
from pathlib import Path

import pytest

from supervisor.host.runs.run import Run
from supervisor.host.runs.spawn import command_line
from supervisor.model.action import RunKind, Spawn
from supervisor.model.exit import ExitCode, NotStarted
from supervisor.model.fact import Exited, Started
from supervisor.model.ids import RunId, item_id
from supervisor.model.spec import EnvVar, SecretRef
from tests.host.runs.harness import bench, until

pytestmark = pytest.mark.anyio


async def why(folder: Path, env: dict[str, str], kind: RunKind = RunKind.TASK) -> str:
    async with bench(folder, env) as it:
        it.spawn(":", kind=kind)
        end = (await it.exited()).exit
        assert [type(fact) for fact in it.facts] == [Exited], "and nothing else"
        assert isinstance(end, NotStarted)
        return end.why


async def test_no_shell(tmp_path: Path) -> None:
    assert await why(tmp_path, {"PATH": "/nowhere"}) == (
        'cannot run bash or sh: not found on PATH "/nowhere"'
    )


async def test_a_shell_that_is_no_program(tmp_path: Path) -> None:
    shell = tmp_path / "bash"
    shell.write_text("#!/no/such/interpreter\n")
    shell.chmod(0o755)
    assert await why(tmp_path, {"PATH": str(tmp_path)}) == f"cannot run {shell}: no such file or directory"


async def test_an_environment_too_large(tmp_path: Path) -> None:
    said = await why(tmp_path, {"PATH": os.environ["PATH"], "BIG": "x" * 200_000})
    assert said.endswith(": argument list too long")


async def test_no_workspace(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.workspace.rmdir()
        it.spawn(":")
        assert (await it.exited()).exit == NotStarted(
            f"cannot enter the workspace {it.workspace}: no such file or directory"
        )


async def test_a_run_id_is_used_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("echo one")
        await it.exited()
        it.facts.clear()
        it.spawn("echo two")
        assert (await it.exited()).exit == NotStarted(
            f"cannot write the run directory {it.folder().path}: file exists"
        )
        assert it.log() == "one\n"


async def test_an_environment_that_cannot_be_composed(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        env = (EnvVar("TOKEN", SecretRef("x")),)
        it.machine.perform(Spawn(RunId("run"), RunKind.TASK, item_id("id of run"), "run", ":", None, env))
        end = (await it.exited()).exit
        assert isinstance(end, NotStarted)
        assert end.why.startswith('cannot set the variable "TOKEN": there is no secret "x"')


def test_bash_is_preferred_to_sh_wherever_it_is(tmp_path: Path) -> None:
    for folder, name in (("a", "sh"), ("b", "bash")):
        program = tmp_path / folder / name
        program.parent.mkdir()
        program.touch(0o755)
    a, b = tmp_path / "a", tmp_path / "b"
    assert command_line.program(("bash", "sh"), f"{a}:{b}") == f"{b}/bash"
    assert command_line.program(("bash", "sh"), f"relative::{a}") == f"{a}/sh"


async def test_a_command_has_nothing_of_the_supervisor(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    script = """
        ls -l /proc/self/fd | grep -c -- '->'
        readlink /proc/self/fd/0
        awk '/SigBlk|SigIgn/ {print $2}' /proc/self/status
        cut -d' ' -f6 /proc/$$/stat; echo $$; pwd; ulimit -n
    """
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    async with bench(tmp_path) as it:
        os.close(inherited)
        it.spawn(script, kind=RunKind.START)
        await it.exited()
        said = it.log().split()
        assert said[:2] == ["4", "/dev/null"], "stdin, stdout, stderr, and the folder that ls reads"
        # The C library's posix_spawn ignores its own two signals, 32 and 33.
        assert [int(mask, 16) & ~(0b11 << 31) for mask in said[2:4]] == [0, 0]
        assert said[4] == said[5], "a session of its own"
        assert said[6:] == [str(it.workspace), str(limit)]


async def test_text_that_is_not_utf8_reaches_the_command(tmp_path: Path) -> None:
    value = os.fsdecode(b"caf\xe9")
    async with bench(tmp_path, {"PATH": os.environ["PATH"], "NAME": value}) as it:
        it.spawn(f'[ "$NAME" = "{value}" ]; printf %s "$NAME"')
        assert (await it.exited()).exit == ExitCode(0)
        assert os.fsencode(it.log()) == b"caf\xe9"


async def test_many_short_runs(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("echo", "first")
        await it.exited("first")
        assert it.shim.pid
        folders = ["/proc/self/fd", f"/proc/{it.shim.pid}/fd"]
        before = [len(os.listdir(folder)) for folder in folders]
        for number in range(200):
            it.spawn(f"echo {number}; exit {number % 7}", str(number))
        for number in range(200):
            assert (await it.exited(str(number))).exit == ExitCode(number % 7)
            assert it.log(str(number)) == f"{number}\n"
            assert len(it.of(str(number))) == 2
        # The last FIFO is closed a moment after its run is over; that of the first was perhaps still open.
        await until(
            lambda: all(len(os.listdir(folder)) <= most for folder, most in zip(folders, before, strict=True))
        )


async def test_a_fifo_that_could_not_be_opened_is_not_taken_for_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor has too many descriptors: the log must say so if all others who hold the FIFO are killed."""
    monkeypatch.setattr(Run, "hold_fifo", lambda _: False)
    async with bench(tmp_path) as it:
        it.spawn("exec sleep 60")
        (run,) = it.machine._runs.values()
        assert run.is_pumped
        assert not run.has_held_fifo
        await it.fact(Started)
