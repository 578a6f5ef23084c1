"""When the end of a command is reported: a pure decision."""

from supervisor.lean.frozen import replace
from supervisor.shim.logs.pending_exit import FLUSH_S, PendingExit, after_exit, after_look, is_due
from supervisor.shim.protocol import ExitStatus, Pumping

QUIET_S, DRAIN_S = 0.3, 3.0

ENDED = replace(
    after_exit(7, ExitStatus(0), Pumping(1, QUIET_S, DRAIN_S), now=100.0, position=10),
    unflushed=frozenset({"r"}),
)


def flushed(pending: PendingExit) -> PendingExit:
    return replace(pending, unflushed=frozenset())


def test_end_is_reported_at_once_when_all_is_moved_and_nothing_else_can_write() -> None:
    assert is_due(flushed(ENDED), 100.0, has_writer=False)
    assert not is_due(ENDED, 100.0, has_writer=False)


def test_end_waits_until_those_that_are_left_are_quiet() -> None:
    pending = flushed(ENDED)
    assert not is_due(pending, 100.0 + QUIET_S / 2, has_writer=True)
    pending = after_look(pending, 100.15, position=20)  # something came
    assert not is_due(pending, 100.0 + QUIET_S, has_writer=True)
    assert is_due(after_look(pending, 100.3, position=20), 100.15 + QUIET_S, has_writer=True)


def test_end_of_a_command_with_a_result_waits_for_a_slow_disk_in_addition() -> None:
    result = replace(ENDED, pumping=replace(ENDED.pumping, head_bytes=1))
    assert not is_due(result, 100.0 + DRAIN_S, has_writer=False)
    assert is_due(flushed(result), 100.0 + DRAIN_S, has_writer=True)
    assert is_due(result, 100.0 + DRAIN_S + FLUSH_S, has_writer=False)


def test_end_waits_no_longer_than_that_for_one_who_never_is_quiet() -> None:
    pending = after_look(ENDED, 100.0 + DRAIN_S - 0.01, position=999)
    assert not is_due(pending, 100.0 + DRAIN_S - 0.01, has_writer=True)
    assert is_due(pending, 100.0 + DRAIN_S, has_writer=True)
