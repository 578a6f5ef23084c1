"""What the exit of a command means: plain functions."""

import json
from pathlib import Path

import pytest

from supervisor.host.runs import adoption, exits
from supervisor.host.runs.run import Asked, Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.model.action import RunKind
from supervisor.model.exit import SUCCESS, Exit, ExitCode, ExitSignal
from supervisor.model.ids import RunId
from supervisor.shim.protocol import ExitStatus, RunsListed

NOTHING_HELD = RunsListed({}, {}, 3)


def run(folder: Path, kind: RunKind = RunKind.TASK, asked: Asked = Asked.NOTHING) -> Run:
    found = Run(RunId("r"), kind, "r", RunDir(folder, RunId("r")))
    found.asked = asked
    return found


def test_an_exit_is_a_code_or_a_signal() -> None:
    assert exits.exit_of(ExitStatus(3)) == ExitCode(3)
    assert exits.exit_of(ExitStatus(15, by_signal=True)) == ExitSignal(15)


def test_an_exit_is_known_from_the_facts_then_from_the_shim(tmp_path: Path) -> None:
    it = run(tmp_path)
    held = RunsListed({}, {"r": ExitStatus(4)}, 3)
    assert exits.noted_exit(it, NOTHING_HELD) is None
    assert exits.noted_exit(it, held) == ExitCode(4)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "exit").write_text(json.dumps({"code": 3, "wall_s": 1.0}))
    adoption.look_up_exits([it])
    assert exits.noted_exit(it, held) == ExitCode(3)


@pytest.mark.parametrize(
    ("end", "asked", "unexplained"),
    [
        (ExitSignal(9), Asked.NOTHING, True),
        (ExitSignal(9), Asked.TERMINATE, True),
        (ExitSignal(9), Asked.KILL, False),
        (ExitCode(137), Asked.NOTHING, True),
        (ExitSignal(15), Asked.NOTHING, False),
        (SUCCESS, Asked.NOTHING, False),
    ],
)
def test_a_kill_that_was_not_asked_for_is_unexplained(
    tmp_path: Path, end: Exit, asked: Asked, unexplained: bool
) -> None:
    assert exits.is_unexplained(run(tmp_path, asked=asked), end) is unexplained


@pytest.mark.parametrize("kind", list(RunKind))
@pytest.mark.parametrize("asked", list(Asked))
def test_what_is_meant_to_end_is_over_with_its_main_process_unless_it_is_asked_to_end(
    tmp_path: Path, kind: RunKind, asked: Asked
) -> None:
    over = kind not in (RunKind.START, RunKind.READY) and asked is Asked.NOTHING
    assert exits.is_over(run(tmp_path, kind, asked)) is over


def test_the_last_lines_are_shown_of_what_failed_and_of_a_service(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "log").write_text("one\ntwo\n")
    task, service = run(tmp_path), run(tmp_path, RunKind.START)
    task.exit = service.exit = SUCCESS
    assert exits.last_lines(task) == ""
    assert exits.last_lines(service) == "one\ntwo\n"
    task.exit = ExitCode(1)
    assert exits.last_lines(task) == "one\ntwo\n"
