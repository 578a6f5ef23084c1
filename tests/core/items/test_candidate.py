"""Which versions of a file count that somebody writes: a history of the file, looked at as the supervisor does."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from supervisor.core.items.candidate import Candidate, counts_at, look_at, seen

ALL = "whole"
"""What was carried out before, and is what all these histories come to."""


class At(NamedTuple):
    """From a moment on the file is like this."""

    at_s: float
    text: str
    writing: bool = False
    removes: bool = False


def counted(*history: At, blind: bool = False, hint_s: float = 0.25, first_s: float = 0.0) -> list[str]:
    """The texts that count. `blind`: nobody can tell who writes; `hint_s`: how late a change is told."""
    accepted, candidate = [ALL], None
    hints = sorted({first_s, *(change.at_s + hint_s for change in history)})
    now_s = hints[0]
    while now_s < history[-1].at_s + 60.0:
        file = next(change for change in reversed(history) if change.at_s <= now_s)
        at_s = math.inf
        if file.text == accepted[-1]:
            candidate = None
        else:
            candidate = seen(candidate, file.text, None if blind else file.writing, now_s)
            due_s = counts_at(candidate, file.removes)
            if due_s is not None and due_s <= now_s:
                accepted.append(file.text)
                candidate = None
            else:
                at_s = look_at(candidate, file.removes, now_s)
                assert at_s > now_s
        now_s = (
            min((hint for hint in hints if hint > now_s), default=math.inf)
            if at_s == math.inf
            else min([at_s, *(hint for hint in hints if hint > now_s)])
        )
    return accepted[1:]


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("hint_s", [0.0, 0.1, 0.25, 1.0])
@pytest.mark.parametrize("removes", [False, True])
def test_writer_of_one_line_every_third_of_a_second_does_no_harm(
    blind: bool, hint_s: float, removes: bool
) -> None:
    """It opens the file anew for each line, so that nobody ever sees it open."""
    lines = [At(0.0, ALL), *(At(number * 0.3, f"{number}", False, removes) for number in range(1, 40))]
    assert counted(*lines, At(12.0, ALL), blind=blind, hint_s=hint_s) == []


def test_generator_that_empties_the_file_first_and_holds_it_open_does_no_harm_however_long_it_takes() -> None:
    assert counted(At(0.0, ALL), At(1.0, "", True, True), At(40.0, ALL, True), At(41.0, ALL)) == []


@pytest.mark.parametrize(("blind", "empty_s"), [(False, 1.9), (True, 1.9)])
def test_file_that_is_empty_for_a_moment_or_away_does_no_harm(blind: bool, empty_s: float) -> None:
    history = At(0.0, ALL), At(1.0, "", False, True), At(1.0 + empty_s, ALL)
    assert counted(*history, blind=blind) == []


def test_version_counts_once_its_writer_has_closed_the_file() -> None:
    assert counted(At(0.0, ALL), At(1.0, "half", True), At(5.0, "new", True), At(6.0, "new")) == ["new"]


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("removes", [False, True])
def test_version_that_stays_counts(blind: bool, removes: bool) -> None:
    assert counted(At(0.0, ALL), At(1.0, "new", False, removes), blind=blind) == ["new"]


@pytest.mark.parametrize(
    ("writing", "removes", "at_s"),
    [(False, False, 0.5), (False, True, 2.0), (None, False, 1.0), (None, True, 2.0), (True, False, None)],
)
def test_quiet_that_is_needed(writing: bool | None, removes: bool, at_s: float | None) -> None:
    assert counts_at(seen(None, "new", writing, 0.0), removes) == at_s


def test_open_file_is_looked_at_less_often_the_longer_it_is_open() -> None:
    candidate = Candidate("new", True, quiet_since_s=100.0, began_s=0.0)
    assert [look_at(candidate, False, now_s) - now_s for now_s in (1.0, 20.0, 3600.0)] == [0.5, 2.0, 5.0]
