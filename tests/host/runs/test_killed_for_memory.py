"""Ends for want of memory: real ones, in a control group with a limit, told from other kills."""

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.host.proc import kernel_log as kernel_log_module
from supervisor.host.proc.kernel_log import KernelLog
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.kill_cause import with_cause
from supervisor.model.action import RunKind
from supervisor.model.exit import ExitCode, ExitSignal, exit_text
from supervisor.model.fact import Started
from tests.host.runs.harness import bench

pytestmark = pytest.mark.anyio

KILLED = ExitSignal(signal.SIGKILL)
OUT_OF_MEMORY = ExitSignal(signal.SIGKILL, out_of_memory=True)
HOG = f"{sys.executable} -I -S -c 'bytearray(200 << 20)'"
MEMORY = (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))
"""Where control groups with a limit are, of version 2 and 1."""


@pytest.fixture
def little_memory() -> Iterator[str]:
    """A line that moves the shell that runs it into a control group with 40 MB."""
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY))
    except OSError:
        pytest.skip("the kernel's log cannot be read")
    group = limited()
    yield f"echo $$ >{group}/cgroup.procs\n"
    os.rmdir(group)


def limited() -> str:
    for root, limit in MEMORY:
        group = f"{root}/supervisor-test-{uuid.uuid4().hex[:8]}"
        try:
            os.mkdir(group)
        except OSError:
            continue
        if os.path.exists(f"{group}/{limit}"):
            Path(group, limit).write_text(str(40 << 20))
            return group
        os.rmdir(group)
    pytest.skip("no control group with a memory limit can be made")


async def test_a_command_that_the_kernel_killed_for_want_of_memory(
    tmp_path: Path, little_memory: str
) -> None:
    async with bench(tmp_path) as it:
        it.spawn("sleep 60", "other")
        it.spawn(f"{little_memory} exec {HOG}", kind=RunKind.START)
        end = (await it.exited()).exit
        assert end == OUT_OF_MEMORY
        assert exit_text(end) == "was killed by SIGKILL (out of memory)"
        assert [type(fact) for fact in it.of("other")] == [Started], "the others go on"


async def test_a_shell_whose_command_the_kernel_killed(tmp_path: Path, little_memory: str) -> None:
    async with bench(tmp_path) as it:
        it.spawn(f"{little_memory} echo begun; {HOG}")
        end = (await it.exited()).exit
        assert end == ExitCode(137, out_of_memory=True)
        assert exit_text(end) == "exited 137 (out of memory)"


async def test_a_shell_of_a_client_whose_command_the_kernel_killed(
    tmp_path: Path, little_memory: str
) -> None:
    """Such a shell may not say which process it was."""
    async with bench(tmp_path) as it:
        it.operation(f"{little_memory} echo begun; {HOG}; exit $?")
        assert (await it.exited()).exit == ExitCode(137, out_of_memory=True)
        it.operation(f"{little_memory} exec {HOG}", "main")
        assert (await it.exited("main")).exit == OUT_OF_MEMORY


class Victims(KernelLog):
    """A kernel's log that names these processes."""

    def __init__(self, *pids: int) -> None:
        self._pids = set(pids)

    def victims(self, since: ProcRef) -> set[int]:
        return self._pids


@pytest.mark.parametrize(
    ("said", "victims", "is_cause"),
    [
        ("begun\nKilled\n", (7,), True),
        ("Killed \n", (7,), True),
        ("Killed\nKilled\n", (7,), False),  # not what it ended with
        ("Killed\n", (), False),
        ("was Killed\n", (7,), False),
        ("sh: line 1: 7 Killed  node\n", (7,), True),
        ("sh: line 1: 8 Killed  node\nKilled\n", (7,), False),
    ],
)
def test_a_shell_that_names_no_process_is_believed_if_there_are_as_many_victims(
    tmp_path: Path, said: str, victims: tuple[int, ...], is_cause: bool
) -> None:
    (tmp_path / "stderr").write_text(said)
    end = with_cause(ExitCode(137), ProcRef(1, 0), str(tmp_path / "stderr"), Victims(*victims))
    assert end == ExitCode(137, out_of_memory=is_cause)


async def test_other_kills_are_no_want_of_memory(tmp_path: Path, little_memory: str) -> None:
    async with bench(tmp_path) as it:
        it.spawn(f"{little_memory} {HOG} || true; kill -9 $$", "main")
        it.spawn(f"{little_memory} {HOG} || true; sh -c 'kill -9 $$'; :", "child")
        it.spawn("exit 137", "exit")
        assert (await it.exited("main")).exit == KILLED
        assert (await it.exited("exit")).exit == ExitCode(137)
        assert (await it.exited("child")).exit == ExitCode(137), "not what it ended with"


async def test_what_the_log_says_of_a_pid_is_not_said_of_who_has_it_later(
    tmp_path: Path, little_memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as it:
        it.spawn(f"{little_memory} exec {HOG}")
        await it.exited()
        main = it.main()
        with closing(KernelLog()) as kernel_log:
            assert with_cause(KILLED, main, "", kernel_log) == OUT_OF_MEMORY
            later = ProcRef(main.pid, main.start_ticks + 60 * os.sysconf("SC_CLK_TCK"))
            assert with_cause(KILLED, later, "", kernel_log) == KILLED
            assert with_cause(KILLED, ProcRef(1, 0), "", kernel_log) == KILLED
            assert with_cause(ExitSignal(signal.SIGTERM), main, "", kernel_log) == ExitSignal(signal.SIGTERM)
        # In another namespace the number would be another process's.
        monkeypatch.setattr(kernel_log_module, "_FIRST_PID_NAMESPACE", 1)
        with closing(KernelLog()) as kernel_log:
            assert with_cause(KILLED, main, "", kernel_log) == KILLED


def test_a_log_that_cannot_be_read_claims_nothing(tmp_path: Path) -> None:
    with closing(KernelLog(str(tmp_path / "none"))) as kernel_log:
        assert with_cause(KILLED, ProcRef(1, 0), "", kernel_log) == KILLED
        assert with_cause(ExitCode(137), ProcRef(1, 0), str(tmp_path / "none"), kernel_log) == ExitCode(137)


@pytest.mark.parametrize(
    ("message", "pid"),
    [
        ("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task_memcg=/x,task=a,pid=71,uid=0", 71),
        ("Memory cgroup out of memory: Killed process 72 (python3) total-vm:118956kB, UID:0", 72),
        ("Out of memory: Killed process 73 (a: b) total-vm:1kB", 73),
        ("Out of memory (oom_kill_allocating_task): Killed process 74 (x) total-vm:1kB", 74),
        ("python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", None),
        ("[   1234]     0  1234     2000      100   oom-killer", None),
    ],
)
def test_victims_are_known_by_the_words_of_the_kernel(message: str, pid: int | None) -> None:
    named = kernel_log_module._VICTIM.match(f"3,417,3647196410,-;{message}\n".encode())
    assert (named and int(named[2])) == pid
