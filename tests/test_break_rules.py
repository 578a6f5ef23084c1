"""The rules that `break_rules.py` breaks are where it looks for them; that the tests notice takes it an hour to see."""

from pathlib import Path

import pytest

from tests.break_rules import RULES

CORE = Path(__file__).resolve().parents[1] / "supervisor" / "core"


@pytest.mark.parametrize(("rule", "module", "old", "new"), RULES, ids=[rule for rule, *_ in RULES])
def test_rule_stands_where_it_would_be_broken(rule: str, module: str, old: str, new: str) -> None:
    assert old in (CORE / f"{module}.py").read_text(), (
        f"{rule}: say in tests/break_rules.py where it stands now"
    )
    assert old != new
