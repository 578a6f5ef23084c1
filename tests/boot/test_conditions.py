"""Conditions are reported when they begin and when they are over, and shown in between."""

from supervisor.boot.conditions import BEGINS, ENDS, Conditions
from supervisor.model.moment import Now
from tests.boot.notices import Notices


class Told(Notices):
    """A report that remembers, and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0

    def now(self) -> Now:
        return Now(self.now_s, 0.0)


def test_condition_is_reported_twice_however_often_the_problem_is_met() -> None:
    told = Told()
    conditions = Conditions(told, told)
    for why in ("", "database or disk is full", "another reason", ""):
        conditions.on_problem("records", why)
        conditions.on_problem("records", why)
        told.now_s += 2.5

    assert told.texts == [
        "records cannot be written (database or disk is full): "
        "they are kept in memory, commands and their logs go on",
        "records are written again, none was lost, after 5.0 s",
    ]
    assert conditions.as_json() == []


def test_present_conditions_are_shown_with_their_age() -> None:
    told = Told()
    conditions = Conditions(told, told)
    conditions.on_problem("disk", "no space left on it")
    told.now_s += 3.0
    conditions.on_problem("commands", "too many open files")

    assert [(each["what"], each["seconds"]) for each in conditions.as_json()] == [
        ("disk", 3.0),
        ("commands", 0.0),
    ]


def test_every_condition_that_begins_can_end() -> None:
    assert BEGINS.keys() == ENDS.keys()
