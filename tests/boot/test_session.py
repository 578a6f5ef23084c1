"""What one supervisor notes of the beginning for the next, whenever that comes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.boot.session import Beginning
from supervisor.host.state.store import Store
from supervisor.model.spec import Trigger

MACHINE, ENVIRONMENT = Trigger.POST_MACHINE_START, Trigger.POST_ENVIRONMENT_START


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "db")
    yield opened
    opened.close()


def begun(store: Store, boot: str = "one") -> Beginning:
    beginning = Beginning(store, boot)
    beginning.note()
    return beginning


def test_first_beginning_resumes_nothing(store: Store) -> None:
    beginning = begun(store)
    assert not beginning.resumes
    assert not beginning.restarted
    assert not beginning.fired(MACHINE)


def test_supervisor_that_was_cut_off_is_resumed_with_what_it_had_fired(store: Store) -> None:
    first = begun(store)
    first.note_fired(MACHINE)
    second = begun(store)
    assert second.resumes
    assert (second.fired(MACHINE), second.fired(ENVIRONMENT)) == (True, False)
    assert second.firing(ENVIRONMENT) == first.firing(ENVIRONMENT), "the one that was cut off in it goes on"


def test_beginning_that_was_not_noted_begins_again(store: Store) -> None:
    begun(store).note_end()
    Beginning(store, "two")
    assert not Beginning(store, "one").resumes
    assert Beginning(store, "two").restarted, "killed before it had told the records"


@pytest.mark.parametrize("end", [Beginning.note_end, Beginning.note_drain])
def test_end_clean_or_cut_short_is_followed_by_a_new_beginning(store: Store, end) -> None:  # type: ignore[no-untyped-def]
    first = begun(store)
    first.note_fired(MACHINE)
    end(first)
    second = begun(store)
    assert (second.resumes, second.restarted, second.fired(MACHINE)) == (False, False, False)
    assert second.firing(MACHINE) != first.firing(MACHINE)


def test_restart_of_the_machine_is_noted_once(store: Store) -> None:
    begun(store, "one")
    assert begun(store, "two").restarted
    third = begun(store, "two")
    assert (third.resumes, third.restarted) == (True, False)
