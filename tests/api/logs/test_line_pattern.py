"""The limit of the time that a search may take."""

import gc
import time
from collections.abc import Iterator

import pytest

from supervisor.api.logs.line_pattern import MOST_MS, MOST_SLOW_LINES, LinePattern, TooSlow

SLOW = "(a+)+$", b"a" * 25 + b"b\n"


class Cycle:
    """Is taken by the garbage collector alone, which takes longer then than a search may."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        until = time.process_time() + 2 * MOST_MS / 1000
        while time.process_time() < until:
            pass


def test_search_ends_in_time_and_the_line_passes() -> None:
    expression, line = SLOW
    pattern = LinePattern(expression)
    for _ in range(MOST_SLOW_LINES):
        began = time.process_time()
        assert pattern.matching([line]) == [True]
        assert time.process_time() - began < 1.0
    with pytest.raises(TooSlow):
        pattern.matching([line])


def test_limit_is_not_lost_in_the_garbage_collector() -> None:
    expression, line = SLOW

    def lines() -> Iterator[bytes]:
        Cycle()
        _ = [[] for _ in range(100_000)]  # enough for a collection
        yield line

    began = time.process_time()
    assert LinePattern(expression).matching(lines()) == [True]
    assert time.process_time() - began < 1.0
    assert gc.isenabled()
