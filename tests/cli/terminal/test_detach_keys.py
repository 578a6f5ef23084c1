"""The keys that leave a terminal."""

from __future__ import annotations

import pytest

from supervisor.cli.terminal.detach_keys import DEFAULT, BadKeys, DetachKeys


def typed(keys: DetachKeys, *pieces: bytes) -> tuple[bytes, bool]:
    """What goes to the program of all pieces, and whether the keys came."""
    sent = b""
    for piece in pieces:
        wanted, is_left = keys.feed(piece)
        sent += wanted
        if is_left:
            return sent, True
    return sent, False


@pytest.mark.parametrize(
    ("pieces", "sent", "is_left"),
    [
        ([b"ls\r"], b"ls\r", False),
        ([b"a\x10\x11b"], b"a", True),
        ([b"a\x10", b"\x11"], b"a", True),
        ([b"a\x10", b"b"], b"a\x10b", False),
        ([b"\x10", b"\x10", b"\x11"], b"\x10", True),
        ([b"\x10\x10\x11"], b"\x10", True),
        ([b"\x11"], b"\x11", False),
        ([b"\x1b"], b"\x1b", False),
        ([b"x\x1b[112;5u\x1b[113;5u"], b"x", True),
        ([b"\x1b[27;5;112~", b"\x11"], b"", True),
    ],
)
def test_detach_keys_are_held_back_only_while_they_may_go_on(
    pieces: list[bytes], sent: bytes, is_left: bool
) -> None:
    assert typed(DetachKeys(DEFAULT), *pieces) == (sent, is_left)


def test_detach_keys_may_be_others_or_none() -> None:
    assert typed(DetachKeys("ctrl-],q"), b"a\x1dq") == (b"a", True)
    assert typed(DetachKeys("~,."), b"~a~", b".") == (b"~a", True)
    assert typed(DetachKeys(""), b"\x10\x11") == (b"\x10\x11", False)
    assert typed(DetachKeys("ctrl-@"), b"\x00") == (b"", True)


@pytest.mark.parametrize("notation", ["ctrl-", "ctrl-P", "ab", ",", "\x01"])
def test_detach_keys_in_no_known_notation_are_refused(notation: str) -> None:
    with pytest.raises(BadKeys, match="cannot detach by"):
        DetachKeys(notation)
