"""Fuzzy matches: all characters of a query, in their order, somewhere in a path. Case does not count."""

from __future__ import annotations

from collections.abc import Callable

Rank = tuple[int, int, int, int]
"""The smaller, the better."""


def ranker(query: str) -> Callable[[str], Rank | None]:
    """A function that gives a path its rank, or None if it does not match.

    Whole substrings come first; of these those in the name, and at its beginning or that of a word. Of others those
    whose characters stand close together. Shorter paths win.
    """
    wanted = query.lower()

    def rank(path: str) -> Rank | None:
        text = path.lower()
        name_at = text.rfind("/") + 1
        at = text.find(wanted, name_at)
        if at >= 0:
            return 0, 0 if at == name_at else 1 + text[at - 1].isalnum(), at - name_at, len(text)
        at = text.find(wanted)
        if at >= 0:
            return 1, int(at > 0 and text[at - 1].isalnum()), 0, len(text)
        span = _span(wanted, text)
        return None if span is None else (2, span, 0, len(text))

    return rank


def _span(wanted: str, text: str) -> int | None:
    """How many characters lie between the first and the last of those wanted; None: not all are there."""
    end = 0
    for character in wanted:
        end = text.find(character, end) + 1
        if not end:
            return None
    # Backwards from the end, for the shortest that ends there.
    start = end
    for character in reversed(wanted):
        start = text.rfind(character, 0, start)
    return end - start
