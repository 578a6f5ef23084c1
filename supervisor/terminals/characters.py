"""How wide characters are on a screen, and the character sets of old terminals that are still in use."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

NARROW = re.compile(
    "[ -~\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u058f\u2010-\u2027\u2030-\u205e\u2190-\u2319"
    "\u2500-\u25fc\u2800-\u28ff\ue000-\uf8ff\ufffd]+"
)
"""Characters that are surely one column wide: most of all that is printed."""

DRAWING = dict(zip(range(0x60, 0x7F), "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·", strict=True))
BRITISH = {ord("#"): "£"}
SETS: dict[str, dict[int, str]] = {"0": DRAWING, "A": BRITISH}
"""`{the letter that chooses a set: its translation}`. A set that is not in it is ASCII."""


@lru_cache(maxsize=4096)
def width(character: str) -> int:
    """Columns: 0 for what combines with the character before it, 2 for East Asian ones and most emoji."""
    code = ord(character)
    if unicodedata.category(character) in ("Mn", "Me", "Cf") and code != 0xAD:
        return 0
    if 0x1160 <= code <= 0x11FF:
        # The second and third part of a Hangul syllable join the first one.
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def is_doubtful(cell: str) -> bool:
    """Whether terminals disagree about how wide it is: emoji and what combines."""
    return len(cell) > 1 or cell >= "\U00010000" or "\u2300" <= cell < "\u2e80"
