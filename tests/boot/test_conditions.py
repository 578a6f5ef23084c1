"""Troubles are told when they begin and when they are over, and shown in between."""

from supervisor.boot.conditions import BEGINNING, END, Troubles
from supervisor.config import Loaded
from supervisor.core.items.diff import Changes


class Told:
    """A report that remembers, and a clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.notices: list[str] = []

    def loaded(self, name: str, loaded: Loaded) -> None:
        pass

    def applied(self, changes: Changes) -> None:
        pass

    def notice(self, text: str) -> None:
        self.notices.append(text)


def test_a_trouble_is_told_twice_however_often_it_is_met() -> None:
    told = Told()
    troubles = Troubles(told, lambda: told.now_s)
    for why in ("", "database or disk is full", "another reason", ""):
        troubles.met("records", why)
        troubles.met("records", why)
        told.now_s += 2.5

    assert told.notices == [
        "records cannot be written (database or disk is full): "
        "they are kept in memory, commands and their logs go on",
        "records are written again, none was lost, after 5.0 s",
    ]
    assert troubles.sentences() == []


def test_present_troubles_are_shown_with_their_age() -> None:
    told = Told()
    troubles = Troubles(told, lambda: told.now_s)
    troubles.met("disk", "no space left on it")
    told.now_s += 3.0
    troubles.met("commands", "too many open files")

    assert [(trouble["what"], trouble["seconds"]) for trouble in troubles.sentences()] == [
        ("disk", 3.0),
        ("commands", 0.0),
    ]


def test_every_trouble_that_begins_can_end() -> None:
    assert BEGINNING.keys() == END.keys()
