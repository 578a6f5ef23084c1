"""Which activity a signal names, and what a source may be called."""

from __future__ import annotations

import pytest

from supervisor.activity.sighting import Sighting, Signal, SourceKind, checked_source, signal_of
from supervisor.model.errors import InvalidActivity

EDITOR = Sighting(SourceKind.REPORTED, "VS Code", "", 10.0, 50.0)
SSH = Sighting(SourceKind.SSH, "SSH", "", 20.0, 60.0)
BUILD = Sighting(SourceKind.EXECUTION, "Automations", "", 5.0, 60.0)


def test_nothing_seen_is_nothing_to_tell() -> None:
    assert signal_of([]) is None


def test_what_was_seen_last_names_the_signal() -> None:
    assert signal_of([EDITOR, BUILD]) == Signal("Automations", 60.0)


def test_of_what_is_seen_at_the_same_moment_a_person_names_it() -> None:
    assert signal_of([BUILD, SSH, EDITOR]) == Signal("SSH", 60.0)
    just_now = Sighting(SourceKind.REPORTED, "JetBrains", "", 60.0, 60.0)
    assert signal_of([BUILD, SSH, just_now]) == Signal("JetBrains", 60.0)


def test_of_one_kind_the_longer_names_it() -> None:
    pids = [
        Sighting(SourceKind.KEEP_ALIVE, name, "", since, 60.0) for name, since in (("two", 2.0), ("one", 1.0))
    ]
    assert signal_of(pids) == Signal("one", 60.0)


@pytest.mark.parametrize("source", ["abc", "x" * 80, "Überprüfung läuft 🙂", "VS Code"])
def test_source_of_3_to_80_characters_is_taken_as_it_is(source: str) -> None:
    assert checked_source(source) == source


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "ab",
            'cannot name activity "ab": a source has 3 to 80 characters, and this one has 2; choose another name',
        ),
        ("x" * 81, "and this one has 81; choose another name"),
        ("", "this one has 0"),
        ("one\nline", "cannot name activity 'one\\nline': it holds characters that cannot be printed"),
    ],
)
def test_source_that_no_signal_can_carry_is_refused_with_a_sentence(source: str, why: str) -> None:
    with pytest.raises(InvalidActivity) as refused:
        checked_source(source)
    assert why in str(refused.value)
