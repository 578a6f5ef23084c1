"""What programs send to terminals, at random: for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

NUMBERS = st.integers(0, 12)
COLOUR = st.sampled_from(
    ["31", "97", "39", "42", "49", "38;5;201", "48;5;17", "38;2;1;2;3", "48;2;255;254;253", "58:5:9", "59"]
)
LOOK = st.sampled_from(
    ["", "0", "1", "2", "3", "4", "4:3", "21", "22", "24", "5", "7", "27", "8", "9", "53", "55"]
)
TEXT = st.text("abcXYZ 0189~_#", min_size=1, max_size=30)
WIDE = st.text("aé─漢字가😀", min_size=1, max_size=12)
COMBINED = st.sampled_from(["e\u0301", "n\u0303o", "漢\u0301"])
CONTROL = st.sampled_from(["\r\n", "\r", "\n", "\b", "\t", "\x0e", "\x0f", "\a"])
MOVE = st.builds("\x1b[{}{}".format, st.one_of(st.just(""), NUMBERS), st.sampled_from("ABCDEFG`dea"))
PLACE = st.builds("\x1b[{};{}H".format, NUMBERS, st.integers(0, 25))
EDIT = st.builds(
    "\x1b[{}{}".format, st.one_of(st.just(""), st.integers(0, 6)), st.sampled_from("@JKLMPSTXZI")
)
LOOKS = st.builds(
    lambda parts: f"\x1b[{';'.join(parts)}m", st.lists(st.one_of(COLOUR, LOOK), min_size=1, max_size=3)
)
REGION = st.builds("\x1b[{};{}r".format, NUMBERS, NUMBERS)
MODE = st.builds(
    "\x1b[{}{}".format,
    st.sampled_from(
        ["?1", "?6", "?7", "?25", "?1000", "?1002", "?1006", "?1004", "?2004", "?2031", "4", "20"]
    ),
    st.sampled_from("hl"),
)
SCREEN = st.builds(
    "\x1b[?{}{}".format, st.sampled_from(["47", "1047", "1049", "1048"]), st.sampled_from("hl")
)
ESCAPE = st.sampled_from(["7", "8", "D", "E", "H", "M", "=", ">", "(0", "(B", ")0", ")B", "(A", "#8"])
RARE = st.sampled_from(
    [
        "\x1b[g", "\x1b[3g", "\x1b[s", "\x1b[u", "\x1b[3 q", "\x1b[!p", "\x1b[>4;2m", "\x1b[>1u", "\x1b[<u",
        "\x1b]0;both\x07", "\x1b]2;title\x1b\\", "\x1b[22;0t", "\x1b[23;0t", "\x1b]8;;http://a/\x1b\\",
        "\x1b]8;;\x1b\\", "\x1b]4;1;rgb:ff/00/00\x07", "\x1b]104\x07", "\x1bPq#0~~\x1b\\", "\x1b_Gx\x1b\\",
        "\x1b[5b", "x\x1b[3b", "漢\x1b[2b", "\x1b[3\x0a;4H", "\x1b[3\x18", "\x1b[1;\x1b[2m", "\x9b1m", "\x84", "\x1bc",
    ]
)  # fmt: skip
PIECE = st.one_of(
    TEXT, TEXT, WIDE, COMBINED, CONTROL, CONTROL, MOVE, PLACE, EDIT, EDIT, LOOKS, REGION, MODE, SCREEN,
    ESCAPE.map("\x1b".__add__), RARE,
)  # fmt: skip
PLACED = st.builds(
    "{}{}".format,
    PLACE,
    st.one_of(
        EDIT.filter(lambda edit: edit[-1] not in "ILMT@"),
        st.builds("\x1b[{};{}r".format, st.integers(1, 4), st.integers(5, 8)),
        st.sampled_from(
            ["\x1b7", "\x1b8", "\x1bD\r", "\x1bM\r", "\x1bH", "\x1b[2L\r", "\x1b[M\r", "\x1b[3g"]
        ),
        st.sampled_from(["\x1b[?1049h\x1b[H"]),
    ),
)
AGREED = st.lists(
    st.one_of(
        TEXT,
        st.text("aé─ ", min_size=1, max_size=12),
        st.sampled_from(
            ["\r\n", "\r", "\x1b(0lqk\x1b(B", "\x1b]2;title\x07", "\x1b[H\t\tx", "\x1b[Hx\x1b[3b"]
        ),
        LOOKS.filter(lambda looks: not any(other in looks for other in ("42", "48", "58", "59"))),
        MODE.filter(lambda mode: mode[2:-1] not in ("?6", "?7", "4", "20")),
        PLACED,
    ),
    max_size=40,
).map(lambda pieces: "".join(pieces).encode())
"""Well-formed output of which tmux makes the same as other terminals: nothing but text follows a full row."""
SENT = st.lists(PIECE, max_size=40).map(lambda pieces: "".join(pieces).encode())
"""Well-formed output."""
RUBBISH = st.lists(
    st.one_of(
        PIECE.map(str.encode), st.binary(max_size=5), st.sampled_from([b"\x1b", b"\x1b[", b"\x1b]", b"\xe6"])
    ),
    max_size=30,
).map(b"".join)
"""Output with sequences broken off, and bytes that are no UTF-8."""
