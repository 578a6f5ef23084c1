"""How commands end, and how that is told."""

import signal
from pathlib import Path

import pytest

from supervisor.model.action import RunKind
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.model.fact import Started
from tests.host.runs.harness import bench

pytestmark = pytest.mark.anyio

FATAL = sorted(
    signal.valid_signals()
    - {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}  # ignored by default
    - {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}  # stop by default
)


async def test_a_command_starts_and_ends(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("echo hello; echo world >&2")
        end = await it.exited()
        assert end.exit == ExitCode(0)
        assert end.tail == ""
        assert [type(fact) for fact in it.facts] == [Started, type(end)]
        assert it.log() == "hello\nworld\n"


async def test_every_exit_code_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for code in range(256):
            it.spawn(f"exit {code}", str(code))
        assert [(await it.exited(str(code))).exit for code in range(256)] == list(map(ExitCode, range(256)))


async def test_every_signal_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for number in FATAL:
            # Bash ignores SIGQUIT; dash ignores nothing.
            it.spawn(f"ulimit -c 0; exec sh -c 'kill -{int(number)} $$; sleep 60'", str(int(number)))
        for number in FATAL:
            assert (await it.exited(str(int(number)))).exit == ExitSignal(number)


async def test_exit_143_is_not_sigterm(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("trap 'exit 143' TERM; kill $$; sleep 60", "trapped")
        it.spawn("kill $$; sleep 60", "killed")
        assert (await it.exited("trapped")).exit == ExitCode(143)
        assert (await it.exited("killed")).exit == ExitSignal(signal.SIGTERM)


async def test_a_failure_comes_with_its_last_lines(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("seq 100; exit 3")
        assert (await it.exited()).tail.split() == [str(number) for number in range(81, 101)]


async def test_a_task_ends_at_its_first_failing_command_and_a_service_does_not(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("false; echo on", "task", RunKind.TASK)
        it.spawn("false; echo on", "service", RunKind.START)
        assert (await it.exited("task")).exit == ExitCode(1)
        assert (await it.exited("service")).exit == ExitCode(0)
        assert (it.log("task"), it.log("service")) == ("", "on\n")
