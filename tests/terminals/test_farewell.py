"""What is sent at the end leaves a terminal as plain as it was, with what was printed on it."""

from __future__ import annotations

from hypothesis import given, settings

from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.farewell import UNDONE, farewell
from supervisor.terminals.grid import Grid
from tests.terminals.screen_state import rows, state
from tests.terminals.sent import RUBBISH, SENT

KEPT = ("main", "cursor", "saved", "titles", "modes", "keys", "unfinished", "last")
"""What a plain screen may have of its own; each is looked at by itself."""


@given(SENT | RUBBISH)
@settings(max_examples=100, deadline=None)
def test_terminal_is_plain_after_the_farewell(data: bytes) -> None:
    screen = EmulatedScreen(25, 8)
    screen.feed(data)
    screen.feed(farewell(screen))
    screen.settle()
    plain, found = state(EmulatedScreen(25, 8)), state(screen)
    assert {key: value for key, value in found.items() if key not in KEPT} == {
        key: value for key, value in plain.items() if key not in KEPT
    }
    assert not any(screen.modes.get(mode) for mode in (66, *UNDONE))
    assert (screen.origin, screen.autowrap, screen.insert, screen.newline) == (False, True, False, False)
    assert not any(screen.main.keyboard)
    assert not any(screen.key_formats.values())
    assert (screen.x, screen.visible, screen.shape, screen.unfinished()) == (0, True, 0, b"")
    below: Grid = screen.main
    assert [text for text, _, _ in rows(below)[screen.y :]] == [""] * (8 - screen.y)


def test_farewell_keeps_what_was_printed_and_begins_a_row_below_it() -> None:
    screen = EmulatedScreen(20, 6)
    screen.feed(b"one\r\ntwo\r\nthree\x1b[H\x1b[?1049h\x1b[2J\x1b[5;5Hdrawn")
    screen.feed(farewell(screen) + b"$")
    screen.settle()
    assert [text.replace("|", "") for text, _, _ in rows(screen.main)] == ["one", "two", "three", "$", "", ""]
