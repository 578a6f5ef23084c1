"""Cuts what a terminal is sent into text, controls and sequences, at any cut of the bytes.

Theory of operation. The grammar is that of xterm (https://vt100.net/emu/dec_ansi_parser), after UTF-8 was decoded:

- A control character within a sequence is obeyed, and the sequence goes on. CAN and SUB end it, ESC begins another.
- Strings (OSC, DCS, APC, PM, SOS) end with ST, with ESC and what follows, with CAN and SUB, an OSC with BEL too.
- C1 controls come as `ESC @` to `ESC _`, or as U+0080 to U+009F.

A sequence is obeyed when its last character has come; until then it waits as it was read. So the state of a screen is
what all complete sequences made of it, and what waits can be sent as it is to a terminal that is to go on from there.
Of strings, which may be images, no more than MOST_STRING characters wait.
"""

from __future__ import annotations

import re

MOST_SEQUENCE = 4096
"""How long a sequence may be that is obeyed. Colours take 40 characters; longer ones are rubbish."""
MOST_STRING = 4096
"""How much of a string is kept: enough for titles and links."""

TOKEN = re.compile(
    r"([^\x00-\x1f\x7f-\x9f]+)"
    r"|(\r\n|[\x00-\x17\x19\x1c-\x1f\x7f\x18\x1a]|[\x80-\x8f\x91-\x97\x99\x9a\x9c])"
    r"|(?:\x1b\[|\x9b)([<-?]?)([0-;]*)([ -/]*)([@-~])"
    r"|\x1b([ -/]*)([0-OQ-WYZ\\`-~])"
)
"""Text (1), a control (2), CSI with its prefix, parameters, intermediates and last character (3 to 6), or ESC with
intermediates and last character (7, 8). What it does not match is UNFINISHED, or has controls within."""
ESCAPE = re.compile(r"\x1b([^\x18\x1a\x1b ->@-~\x80-\x9f]*)")
"""ESC and what may stand before what follows it."""
BODY = re.compile(r"[^\x18\x1a\x1b@-~\x80-\x9f]*")
"""A sequence after its introducer, without its last character: controls and rubbish too."""
LINES = re.compile(r"(?:[^\x00-\x06\x0b-\x0c\x0e-\x1f\x7f-\x9f]++|\x1b\[[\d;:]{0,999}+m)*+")
"""Text, colours, and controls that move the cursor along its line or to the next."""
COLOURS = re.compile(r"\x1b\[([\d;:]*)m")
CONTROLS = re.compile(r"[\x00-\x1f]")
RUBBISH = re.compile(r"[^ -~]")
STRING_ENDS = {
    "]": re.compile("[\x07\x18\x1a\x1b\x9c]"),
    "P": re.compile("[\x18\x1a\x1b\x9c]"),
}
STRINGS = {
    "]": "]",
    "P": "P",
    "X": "X",
    "^": "^",
    "_": "_",
    "\x9d": "]",
    "\x90": "P",
    "\x98": "X",
    "\x9e": "^",
    "\x9f": "_",
}
"""`{what begins a string, after ESC or as C1: its kind}`."""
