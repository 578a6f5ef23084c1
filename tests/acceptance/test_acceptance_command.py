"""The command that runs the acceptance points works: a point of it, very small."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.acceptance import __main__ as command
from tests.acceptance.trial import PARTS, LeftOut, Outcome, Part, Trial, printed_by_tests, summary, tried
from tests.clients.set_up import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_point_is_tried_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    only = "a raw Exec whose client is killed"
    assert command.main(["--points", "3", "--only", only, "--scale", "0.02", "--seed", "7"]) == 0
    head, _, row, *more, verdict = capsys.readouterr().out.splitlines()
    assert head == "--seed 7 --scale 0.02"
    assert row.split()[:2] == ["3", "ok"]
    assert "each command's counter says 1" in " ".join([row, *more])
    assert verdict == "3: ok"


def test_each_point_has_parts_and_no_two_have_a_name() -> None:
    assert {each.point for each in PARTS} == set(command.POINTS)
    assert len({(each.point, each.what) for each in PARTS}) == len(PARTS)


def test_what_fails_and_what_cannot_be_tried_is_told() -> None:
    def fails(trial: Trial) -> str:
        raise AssertionError(f"not {trial.size(1000)}\nand more")

    def is_left_out(_: Trial) -> str:
        raise LeftOut("there is no such thing here")

    outcomes = [
        tried(Part("2", what, function), 0.5, 1, None)
        for what, function in (("one", fails), ("another", is_left_out))
    ]
    assert [(each.verdict, each.measured) for each in outcomes] == [
        ("FAILED", "not 500"),
        ("left out", "there is no such thing here"),
    ]
    assert "and more" in outcomes[0].trace
    assert command.verdicts(outcomes) == "2: FAILED"
    assert command.verdicts(outcomes[1:]) == "2: in part"
    good = Outcome(Part("10", "much", fails), 12.0, "ok", "measured " * 40)
    assert all(len(line) <= command.WIDTH for line in command.row(good).splitlines())


def test_what_tests_of_elsewhere_print_is_shown() -> None:
    out = (
        "..s [100%]\n==== PASSES ====\n____ test_x ____\n---- Captured stdout call ----\n--seed 1\n30 kills\n"
        "---- Captured stderr call ----\nnoise\n==== short test summary info ====\n"
        "SKIPPED [1] tests/x.py:3: no vim\n3 passed, 1 skipped in 2.04s\n"
    )
    assert list(printed_by_tests(out.replace("----", "-----"))) == ["30 kills", "skipped: no vim"]
    assert summary(out) == "3 passed, 1 skipped"


def test_scenarios_and_tests_that_parts_call_are_there() -> None:
    programs = "".join(path.read_text() for path in (ROOT / "tests/clients/programs").glob("*.py"))
    scenarios, files = set[str](), set[str]()
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                words = {each.value for each in node.args if isinstance(each, ast.Constant)}
                if node.func.attr in ("run", "start") and len(node.args) == 1:
                    scenarios |= {word for word in words if isinstance(word, str)}
                if node.func.attr == "tests":
                    files |= {word for word in words if isinstance(word, str) and word.startswith("tests/")}
    assert len(scenarios) > 15
    assert [name for name in scenarios if f"\ndef {name}(" not in programs] == []
    assert len(files) > 5
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_unknown_points_are_refused() -> None:
    with pytest.raises(SystemExit):
        command.words_of(["--points", "14"])
