"""Random output in a real terminal emulator: a replay shows what the output itself shows, and goes on as it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.repaint import replay
from tests.terminals.sent import AGREED
from tests.terminals.tmux_terminal import TmuxTerminal, needs_tmux

COLS, ROWS = 25, 8


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[TmuxTerminal]:
    with TmuxTerminal(tmp_path / "t", COLS, ROWS) as terminal:
        yield terminal


def shown(tmux: TmuxTerminal, *pieces: bytes) -> list[dict[str, object]]:
    """What it shows after each piece."""
    tmux.clear()
    looks = []
    for piece in pieces:
        assert tmux.feed(piece) == b""
        looks.append(tmux.shown())
    return looks


@needs_tmux
@pytest.mark.slow
@given(AGREED, AGREED)
# The terminal is cleared between examples. They are always the same ones: tmux has quirks that others may meet.
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_replay_of_random_output_looks_the_same_in_tmux(tmux: TmuxTerminal, data: bytes, more: bytes) -> None:
    screen = EmulatedScreen(COLS, ROWS)
    screen.feed(data)
    assert shown(tmux, replay(screen), more) == shown(tmux, data, more)
