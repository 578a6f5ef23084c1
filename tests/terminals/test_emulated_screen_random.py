"""Random output: a screen does not depend on how it was cut, and its replay makes an equal one."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.repaint import replay
from tests.terminals.screen_state import state
from tests.terminals.sent import RUBBISH, SENT

SIZES = st.tuples(st.integers(1, 25), st.integers(1, 10))


def screen_after(*pieces: bytes, size: tuple[int, int]) -> EmulatedScreen:
    screen = EmulatedScreen(*size)
    for piece in pieces:
        screen.feed(piece)
        screen.settle()
    return screen


@given(SENT | RUBBISH, st.lists(st.integers(0, 400)), SIZES)
@settings(max_examples=150, deadline=None)
def test_screen_is_the_same_at_any_cut(data: bytes, cuts: list[int], size: tuple[int, int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    whole = screen_after(data, size=size)
    assert state(screen_after(*pieces, size=size)) == state(whole)
    each = screen_after(*(data[at : at + 1] for at in range(len(data))), size=size)
    assert state(each) == state(whole)


@given(SENT | RUBBISH, SENT, SIZES)
@settings(max_examples=300, deadline=None)
def test_replay_makes_an_equal_screen_and_goes_on_as_it(
    data: bytes, more: bytes, size: tuple[int, int]
) -> None:
    screen = screen_after(data, size=size)
    again = screen_after(replay(screen), size=size)
    assert state(again) == state(screen)
    screen.feed(more)
    again.feed(more)
    assert state(again) == state(screen)


LINES = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "\x1b[32m", "\x1b[0m", "\x1b[1;44m", "\x1b[m", "\t"]),
        st.text("abc é漢", max_size=12),
        st.sampled_from(["", "\x1b[0m", "\x1b[4m", "\b"]),
        st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", ""]),
    ),
    min_size=1,
    max_size=30,
).map(lambda lines: "".join(lines).encode())


@given(SENT, LINES, st.integers(20, 60), SENT, SIZES)
@settings(max_examples=60, deadline=None)
def test_screen_after_a_flood_is_the_same_whether_it_was_read_or_skipped(
    before: bytes, lines: bytes, times: int, after: bytes, size: tuple[int, int]
) -> None:
    flood = lines * times
    whole = screen_after(before, flood + after, size=size)
    # Single lines are too few to be skipped.
    piece_by_piece = screen_after(before, *flood.splitlines(keepends=True), after, size=size)
    assert state(whole) == state(piece_by_piece)
    for screen in (whole, piece_by_piece):
        screen.resize(size[0], size[1] + 50)
    assert state(whole) == state(piece_by_piece)
