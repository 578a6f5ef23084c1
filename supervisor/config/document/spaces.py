"""Spaces: characters that look like one and are none in YAML, and marks that lack the one they need."""

from __future__ import annotations

import re

BLANKS = "\u00a0\u1680\u180e\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff"
"""As they stand inside the brackets of a regular expression."""

_BLANK = re.compile(f"[{BLANKS}]")
_NAMES = {
    "\u00a0": "a no-break space",
    "\u200b": "a zero width space",
    "\u3000": "an ideographic space",
    "\ufeff": "a byte order mark",
}


def is_blank(character: str) -> bool:
    """Whether it is one of them."""
    return _BLANK.fullmatch(character) is not None


def blank_name(character: str) -> str:
    """The character in words, since it cannot be seen."""
    name = _NAMES.get(character, "it looks like a space")
    return f"U+{ord(character):04X} ({name})"


def no_space(mark: str, following: str) -> tuple[str, str]:
    """Message and hint for a colon or a dash that no space follows."""
    if is_blank(following):
        return f'after "{mark}" stands {blank_name(following)}, which is no space', "write a space"
    return f'a space is missing after "{mark}"', f'write "{mark} "'
