"""What vim, less, tmux and a shell printed: who attaches in the middle sees what another sees who was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.repaint import replay
from tests.terminals.recorded_session import PROGRAMS, Step, load
from tests.terminals.screen_state import state
from tests.terminals.tmux_terminal import TmuxTerminal, needs_tmux

Shown = EmulatedScreen | TmuxTerminal


def show(screen: Shown, steps: list[Step]) -> None:
    for step in steps:
        if isinstance(step, tuple):
            screen.resize(*step)
        else:
            screen.feed(step)


def cut(steps: list[Step], count: int) -> tuple[list[Step], list[Step]]:
    """The steps in two parts; the cut is in the middle of a step that prints something."""
    step = steps[count]
    if isinstance(step, tuple):
        return steps[:count], steps[count:]
    half = len(step) // 2
    return [*steps[:count], step[:half]], [step[half:], *steps[count + 1 :]]


@pytest.mark.parametrize("name", PROGRAMS)
def test_session_is_the_same_for_who_attaches_at_any_of_its_steps(name: str) -> None:
    (cols, rows), steps = load(name)
    whole = EmulatedScreen(cols, rows)
    show(whole, steps)
    for count in range(0, len(steps), 3):
        before, after = cut(steps, count)
        first = EmulatedScreen(cols, rows)
        show(first, before)
        late = EmulatedScreen(first.cols, first.rows)
        late.feed(replay(first))
        assert state(late) == state(first)
        sized = [step for step in after if isinstance(step, tuple)]
        if not sized:
            show(late, after)
            assert state(late) == state(whole), f"attached within step {count}"


@needs_tmux
@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_session_looks_in_tmux_as_for_who_was_there_all_the_time(name: str, tmp_path: Path) -> None:
    (cols, rows), steps = load(name)
    if name == "shell":
        # Terminals break the lines of a shell in different ways when they become narrower.
        steps = steps[: next(count for count, step in enumerate(steps) if isinstance(step, tuple))]
    first = EmulatedScreen(cols, rows)
    done = 0
    with (
        TmuxTerminal(tmp_path / "always", cols, rows) as always,
        TmuxTerminal(tmp_path / "late", cols, rows) as late,
    ):
        for count in range(len(steps)):
            step = steps[count]
            show(always, [step])
            show(first, [step])
            if count % 4 and count != len(steps) - 1:
                continue
            done += 1
            late.resize(first.cols, first.rows)
            late.clear()
            late.feed(replay(first))
            assert late.shown() == always.shown(), f"after step {count}"
    assert done > len(steps) // 5
