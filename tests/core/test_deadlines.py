"""The heap of deadlines, held to the plainest thing that does the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.deadlines import _SPARE, Deadlines

IDS = st.sampled_from(["a", "b", "c", "d"])
TIMES = st.sampled_from([1.0, 2.0, 3.0, 4.0])
SETTINGS = st.lists(st.tuples(IDS, st.none() | TIMES), max_size=60)


@given(SETTINGS)
def test_deadlines_are_what_was_set_last(settings: list[tuple[str, float | None]]) -> None:
    deadlines, plain = Deadlines(), dict[str, float]()
    for id_, at in settings:
        deadlines.set(id_, at)
        plain.pop(id_, None)
        if at is not None:
            plain[id_] = at
        assert deadlines.earliest() == min(plain.values(), default=None)
        assert len(deadlines) == len(plain)
        for now in (0.5, 1.0, 2.5, 4.0):
            assert sorted(deadlines.due(now)) == sorted(id_ for id_, at in plain.items() if at <= now)


def test_due_records_come_by_time_and_then_in_the_order_of_setting() -> None:
    deadlines = Deadlines()
    for id_, at in (("late", 3.0), ("second", 1.0), ("third", 1.0), ("first", 0.5), ("never", 9.0)):
        deadlines.set(id_, at)
    assert deadlines.due(5.0) == ["first", "second", "third", "late"]
    assert deadlines.due(5.0) == ["first", "second", "third", "late"], "they stay due until they are set anew"


def test_heap_does_not_grow_with_what_moved() -> None:
    deadlines = Deadlines()
    deadlines.set("other", 1e9)
    for number in range(10_000):
        deadlines.set("probed", float(number))
        if number % 3 == 0:
            deadlines.drop("probed")
        assert len(deadlines._heap) <= 2 * len(deadlines) + _SPARE
    deadlines.drop("probed")
    assert deadlines.earliest() == 1e9


def test_setting_the_same_moment_again_adds_nothing() -> None:
    deadlines = Deadlines()
    for _ in range(10):
        deadlines.set("a", 1.0)
    assert len(deadlines._heap) == 1
