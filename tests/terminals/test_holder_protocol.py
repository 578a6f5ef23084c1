"""What stands on the wire between a supervisor and a holder that may be of another version: it never changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.terminals.holder_protocol import (
    VERSION,
    BrokenFrames,
    Frames,
    NewShell,
    decode_shell,
    encode_frame,
    encode_shell,
    is_socket_name,
    socket_name,
)

USER = {"as": {"uid": 1, "gid": 2, "groups": [3]}}
NEW = NewShell("i", "sh", "/w", {"A": "\udcff"}, 80, 24, {"k": "v"}, 64, USER, "/g")
WIRE = (
    b'\x00\x00\x00\xca\x00\x00\x00\x00{"ask": "create", "id": "i", "shell": "sh", "cwd": "/w", '
    b'"env": {"A": "\\udcff"}, "cols": 80, "rows": 24, "annotations": {"k": "v"}, "most": 64, "cgroup": "/g", '
    b'"as": {"uid": 1, "gid": 2, "groups": [3]}}'
)


def test_a_request_is_on_the_wire_as_it_was_in_the_first_version() -> None:
    assert VERSION == 1
    assert socket_name() == "terminals-1.sock"
    assert is_socket_name("terminals-27.sock")
    assert encode_frame(encode_shell(NEW)) == WIRE
    frames = Frames()
    frames.feed(WIRE)
    head, body = frames.take() or ({}, b"")
    assert (decode_shell(head), body) == (NEW, b"")


def test_fields_that_are_not_known_are_ignored_and_a_missing_one_is_named() -> None:
    assert decode_shell({**encode_shell(NEW), "later": 1}) == NEW
    for name in ("id", "env", "most"):
        with pytest.raises(BrokenFrames):
            decode_shell({key: value for key, value in encode_shell(NEW).items() if key != name})


@given(st.lists(st.tuples(st.dictionaries(st.text(), st.integers()), st.binary())), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    sent: list[tuple[dict[str, int], bytes]], size: int
) -> None:
    data = b"".join(encode_frame(head, body) for head, body in sent)
    frames, found = Frames(), []
    for start in range(0, len(data), size):
        frames.feed(data[start : start + size])
        while (frame := frames.take()) is not None:
            found.append(frame)
    assert found == sent
