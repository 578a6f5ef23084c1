"""Leaves out of a terminal's output what a terminal answers.

A program asks its terminal for its kind, its colours or where the cursor is, and the answer comes as input. When old
output is shown again, nobody waits for the answer any more: it would be typed into the shell. Left out are:

- ENQ; DECID (`ESC Z`); device attributes (`CSI c`), status and cursor reports (`CSI n`), DECREQTPARM (`CSI x`), modes
  (`CSI $ p`), window reports (`CSI 11 t` and others), XTVERSION (`CSI > q`), the keyboard protocol (`CSI ? u`), keys
  (`CSI ? m`), graphics (`CSI ? S`), checksums (`CSI * y`), presentation (`CSI $ w`, `CSI $ u`, `CSI & u`), the locator
  (`CSI ' |`), the stack of colours (`CSI # R`);
- OSC that ask: colours, clipboard, font and others with a field `?`; notifications that report clicks (99), xterm's
  features (60, 61), the clipboard protocol (5522), iTerm's reports (1337);
- DECRQSS (`DCS $ q`), XTGETTCAP (`DCS + q`), kitty's graphics (`APC G`), each of which is acknowledged;
- modes that report at once when they are switched on: focus (1004, but for the last one while it is on) and sizes
  (2048).

All else stays byte by byte. What is unfinished at the end stays too: its rest comes live, and is answered once.
"""

from __future__ import annotations

import re

_CONTROLS = rb"[\x00-\x17\x19\x1c-\x1f\x7f]*+"
"""What may stand within a sequence, is obeyed, and does not end it."""
_BODY = rb"(?:[\x00-\x17\x19\x1c-?\x7f-\xc1\xc3-\xff]|\xc2(?![\x80-\x9f]))*+"
_CSI = rb"(?:\x1b" + _CONTROLS + rb"\[|\xc2\x9b)"
_OSC = rb"(?:\x1b" + _CONTROLS + rb"\]|\xc2\x9d)"
_ST = rb"\x18|\x1a|\x1b\\|\xc2\x9c|(?=\x1b[\x00-\xff])"

_CANDIDATE = re.compile(
    _OSC + rb"(?P<osc>(?:[^\x07\x18\x1a\x1b\xc2]|\xc2(?!\x9c))*+)(?P<osc_end>\x07|" + _ST + rb")"
    rb"|(?:\x1b" + _CONTROLS + rb"(?P<kind>[PX^_])|\xc2(?P<c1>[\x90\x98\x9e\x9f]))"
    rb"(?P<string>(?:[^\x18\x1a\x1b\xc2]|\xc2(?!\x9c))*+)(?P<string_end>" + _ST + rb")"
    rb"|" + _CSI + rb"(?P<body>" + _BODY + rb")(?P<final>[cnpqxtuySRw|h])"
    rb"|" + _CSI + _CONTROLS + rb"(?P<keys>\?)" + _BODY + rb"m"
    rb"|\x1b" + _CONTROLS + rb"Z|\xc2\x9a"
)
_UNFINISHED = re.compile(rb"(?:" + _CSI + _BODY + rb"|\x1b[\x00-\x17\x19\x1c-/\x7f]*+|\xc2)\Z")
_NO_CONTROLS = re.compile(rb"[^\x00-\x17\x19\x1c-\x1f]")
_NO_RUBBISH = re.compile(rb"[^ -~]")
_WINDOW_REPORTS = {b"11", b"13", b"14", b"15", b"16", b"18", b"19", b"20", b"21"}
_NEVER_ASK = {b"", b"0", b"1", b"2", b"7", b"8", b"9", b"133", b"633", b"777"}
"""OSC whose texts may hold a `?`: titles, folders, links, notifications, marks of shells."""
_ALWAYS_ANSWERED = {b"60", b"61", b"99", b"5522"}
_CANCEL = b"\x18"
_END_OF_STRING = b"\x1b\\"
_LONGEST_UNFINISHED = 4096


def without_queries(data: bytes, *, keep_focus: bool = False) -> bytes:
    """The output without what a terminal answers.

    Args:
        data: output from its beginning, or from where no sequence is unfinished.
        keep_focus: whether the program wants focus reports now, so that the last "on" stays.
    """
    data = data.replace(b"\x05", b"")
    last_focus = -1
    if keep_focus:
        for found in _CANDIDATE.finditer(data):
            if found["final"] == b"h" and b"1004" in _modes(found["body"]):
                last_focus = found.start()

    def kept(found: re.Match[bytes]) -> bytes:
        whole = found[0]
        if found["osc"] is not None:
            return _kept_string(found, _osc_asks(found["osc"]), found["osc_end"])
        if found["string"] is not None:
            return _kept_string(found, _string_asks(found), found["string_end"])
        final = found["final"]
        if final == b"h":
            return _without_modes(found, keep_focus=found.start() == last_focus)
        if final is not None and not _csi_asks(found["body"], final):
            return whole
        return _gap(found) + _NO_CONTROLS.sub(b"", whole)

    return _CANDIDATE.sub(kept, data)


def _gap(found: re.Match[bytes]) -> bytes:
    """What stands for something left out: nothing, or, behind a sequence that it broke off, what ends that."""
    start = found.start()
    before = found.string[max(0, start - _LONGEST_UNFINISHED) : start]
    return _CANCEL if _UNFINISHED.search(before) else b""


def _kept_string(found: re.Match[bytes], asks: bool, end: bytes) -> bytes:
    if asks:
        return _gap(found)
    # A string that another sequence breaks off has to end although that sequence may be left out.
    return found[0] if end else found[0] + _END_OF_STRING


def _osc_asks(text: bytes) -> bool:
    number, *fields = text.translate(None, bytes(range(32))).split(b";")
    if number in _NEVER_ASK:
        return False
    if number in _ALWAYS_ANSWERED:
        return True
    if number == b"1337":
        return any(field.startswith((b"Report", b"Request")) for field in fields)
    return any(field.startswith(b"?") or field.endswith(b"=?") for field in fields)


def _string_asks(found: re.Match[bytes]) -> bool:
    text = found["string"].translate(None, bytes(range(32)))
    match found["kind"] or found["c1"]:
        case b"P" | b"\x90":
            # Numbers may stand before what names the question.
            return text.lstrip(b"0123456789;").startswith((b"$q", b"+q", b"+Q"))
        case b"_" | b"\x9f":
            return text.startswith(b"G")
        case _:
            return False


def _csi_asks(body: bytes, final: bytes) -> bool:
    body = _NO_RUBBISH.sub(b"", body)
    prefix = body[:1]
    between = body.lstrip(b"0123456789;:<=>?")
    match final:
        case b"c":
            return True
        case b"n":
            return prefix != b">"
        case b"p":
            return b"$" in between
        case b"q":
            return prefix == b">"
        case b"x":
            return not between
        case b"t":
            return not between and body.split(b";")[0].lstrip(b"0") in _WINDOW_REPORTS
        case b"u":
            return prefix == b"?" or between in (b"$", b"&")
        case b"y":
            return between == b"*"
        case b"S":
            return prefix == b"?"
        case b"R":
            return between == b"#"
        case b"w":
            return between == b"$"
        case _:
            return between == b"'"


def _modes(body: bytes) -> list[bytes]:
    body = _NO_RUBBISH.sub(b"", body)
    return [mode.lstrip(b"0") for mode in body[1:].split(b";")] if body[:1] == b"?" else []


def _without_modes(found: re.Match[bytes], *, keep_focus: bool) -> bytes:
    modes = _modes(found["body"])
    kept = [mode for mode in modes if mode != b"2048" and (keep_focus or mode != b"1004")]
    if kept == modes:
        return found[0]
    controls = _gap(found) + _NO_CONTROLS.sub(b"", found[0])
    return controls + (b"\x1b[?" + b";".join(kept) + b"h" if kept else b"")
