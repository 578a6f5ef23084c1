"""When the end of a command is reported: a pure decision."""

from supervisor.lean.frozen import replace
from supervisor.shim.logs.last_words import LATEST_S, QUIET_S, LastWords, are_over, begun, looked_at
from supervisor.shim.protocol import ExitStatus

ENDED = begun(ExitStatus(0), now=100.0, position=10)


def drained(words: LastWords) -> LastWords:
    return replace(words, is_drained=True)


def test_end_is_reported_at_once_when_all_is_moved_and_nothing_else_can_write() -> None:
    assert are_over(drained(ENDED), 100.0, has_writer=False)
    assert not are_over(ENDED, 100.0, has_writer=False)


def test_end_waits_until_those_that_are_left_are_quiet() -> None:
    words = drained(ENDED)
    assert not are_over(words, 100.0 + QUIET_S / 2, has_writer=True)
    words = looked_at(words, 100.15, position=20)  # something came
    assert not are_over(words, 100.0 + QUIET_S, has_writer=True)
    assert are_over(looked_at(words, 100.3, position=20), 100.15 + QUIET_S, has_writer=True)


def test_end_waits_no_longer_than_that_for_one_who_never_is_quiet() -> None:
    words = looked_at(ENDED, 100.0 + LATEST_S - 0.01, position=999)
    assert not are_over(words, 100.0 + LATEST_S - 0.01, has_writer=True)
    assert are_over(words, 100.0 + LATEST_S, has_writer=True)
