"""Suspends as histories of a fake clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.resume_detector import SAME_S, Suspends, after_look, after_report


class Machine:
    """A machine whose clocks move when the test says so."""

    def __init__(self) -> None:
        self.mono_s, self.ahead_s = 1000.0, 5.0
        self.suspends = Suspends(self.ahead_s)

    def awake(self, for_s: float) -> None:
        self.mono_s += for_s

    def suspend(self, for_s: float) -> None:
        self.ahead_s += for_s

    def look(self) -> float:
        self.suspends, slept_s = after_look(self.suspends, self.ahead_s, self.mono_s)
        return slept_s

    def tell(self) -> bool:
        self.suspends, news = after_report(self.suspends, self.ahead_s, self.mono_s)
        return news


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_machine_that_is_awake_does_not_resume(machine: Machine) -> None:
    for _ in range(100):
        machine.awake(5)
        assert machine.look() == 0


def test_a_suspend_is_seen_once(machine: Machine) -> None:
    machine.suspend(7200)
    assert machine.look() == 7200
    for _ in range(100):
        machine.awake(5)
        assert machine.look() == 0


def test_each_suspend_is_seen(machine: Machine) -> None:
    for _ in range(3):
        machine.suspend(31)
        assert machine.look() == 31
        machine.awake(SAME_S)


@pytest.mark.parametrize("short_s", [0.1, 29.9, 30.0])
def test_a_short_suspend_does_not_count_and_short_ones_do_not_add_up(
    machine: Machine, short_s: float
) -> None:
    for _ in range(10):
        machine.suspend(short_s)
        assert machine.look() == 0
        machine.awake(5)


def test_the_clocks_of_the_start_are_not_a_suspend(machine: Machine) -> None:
    machine.ahead_s = 1e6
    machine.suspends = Suspends(machine.ahead_s)
    assert machine.look() == 0


def test_second_report_of_a_resume_is_ignored(machine: Machine) -> None:
    machine.suspend(100)
    assert machine.look() == 100
    machine.awake(10)
    assert not machine.tell()


def test_clocks_that_show_a_resume_that_was_reported_are_ignored(machine: Machine) -> None:
    machine.suspend(100)
    assert machine.tell()
    assert machine.look() == 0
    machine.awake(5)
    assert machine.look() == 0


def test_a_pause_that_no_clock_shows_is_reported(machine: Machine) -> None:
    assert machine.tell()
    machine.awake(SAME_S)
    assert machine.tell()


@given(
    st.lists(
        st.tuples(st.sampled_from(["awake", "suspend", "look", "tell"]), st.integers(0, 1_000_000)),
        max_size=40,
    )
)
def test_a_resume_is_fired_at_most_once_a_minute_and_never_without_cause(
    history: list[tuple[str, int]],
) -> None:
    machine = Machine()
    fired: list[float] = []
    slept_s = 0.0
    for what, for_s in history:
        match what:
            case "awake":
                machine.awake(for_s)
            case "suspend":
                machine.suspend(for_s)
                slept_s += for_s
            case "look":
                if machine.look():
                    fired.append(machine.mono_s)
                    assert slept_s > 30
                slept_s = 0.0
            case _:
                if machine.tell():
                    fired.append(machine.mono_s)
                slept_s = 0.0
    assert all(later - earlier >= SAME_S for earlier, later in pairwise(fired))
