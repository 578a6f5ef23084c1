"""Spaces in YAML: characters that only look like one, and marks that lack the space that they need."""

from __future__ import annotations

import re

BLANKS = "\u00a0\u1680\u180e\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff"
"""Characters that look like a space, or like nothing: for the brackets of a regular expression."""

_BLANK = re.compile(f"[{BLANKS}]")
_NAMES = {
    "\u00a0": "a no-break space",
    "\u200b": "a zero width space",
    "\u3000": "an ideographic space",
    "\ufeff": "a byte order mark",
}


def is_blank(character: str) -> bool:
    """Whether a character is one of `BLANKS`."""
    return _BLANK.fullmatch(character) is not None


def blank_name(character: str) -> str:
    """The character in words, since people cannot see it."""
    name = _NAMES.get(character, "it looks like a space")
    return f"U+{ord(character):04X} ({name})"


def no_space(mark: str, following: str) -> tuple[str, str]:
    """Message and hint for a colon or a dash that no space follows."""
    if is_blank(following):
        return f'after "{mark}" stands {blank_name(following)}, which is not a space', "write a space"
    return f'a space is missing after "{mark}"', f'write "{mark} "'
