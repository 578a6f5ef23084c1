"""What one supervisor notes of the session for the next one, whenever that comes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.boot.session import EnvironmentSession
from supervisor.host.state.store import Store
from supervisor.model.spec import Trigger

MACHINE, ENVIRONMENT = Trigger.POST_MACHINE_START, Trigger.POST_ENVIRONMENT_START


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "db")
    yield opened
    opened.close()


def begun(store: Store, boot: str = "one") -> EnvironmentSession:
    session = EnvironmentSession(store, boot)
    session.begin()
    return session


def test_first_session_continues_nothing(store: Store) -> None:
    session = begun(store)
    assert not session.continues
    assert not session.restarted
    assert not session.has_fired(MACHINE)


def test_session_of_a_supervisor_that_was_killed_continues_with_what_has_fired(store: Store) -> None:
    first = begun(store)
    first.note_fired(MACHINE)
    second = begun(store)
    assert second.continues
    assert (second.has_fired(MACHINE), second.has_fired(ENVIRONMENT)) == (True, False)
    assert second.firing(ENVIRONMENT) == first.firing(ENVIRONMENT), "the one that was cut off in it goes on"


def test_session_that_was_not_noted_begins_again(store: Store) -> None:
    begun(store).note_end()
    EnvironmentSession(store, "two")
    assert not EnvironmentSession(store, "one").continues
    assert EnvironmentSession(store, "two").restarted, "killed before it had told the records"


@pytest.mark.parametrize("end", [EnvironmentSession.note_end, EnvironmentSession.note_drain])
def test_end_clean_or_cut_short_is_followed_by_a_new_session(store: Store, end) -> None:  # type: ignore[no-untyped-def]
    first = begun(store)
    first.note_fired(MACHINE)
    end(first)
    second = begun(store)
    assert (second.continues, second.restarted, second.has_fired(MACHINE)) == (False, False, False)
    assert second.firing(MACHINE) != first.firing(MACHINE)


def test_restart_of_the_machine_is_noted_once(store: Store) -> None:
    begun(store, "one")
    assert begun(store, "two").restarted
    third = begun(store, "two")
    assert (third.continues, third.restarted) == (True, False)
