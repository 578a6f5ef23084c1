"""The nearest known name for a wrong one: every "did you mean" of the project."""

from __future__ import annotations

from collections.abc import Iterable

_BUDGET = 100_000
_LONGEST = 128
_TELLING = 5
"""So many letters within a name identify it: `containerStart` stands for `postDevcontainerStart`."""


class Suggester:
    """Finds near names until its budget is spent, which a file with ten thousand wrong names does."""

    def __init__(self) -> None:
        self._budget = _BUDGET

    def nearest(self, word: str, candidates: Iterable[str]) -> str | None:
        """The candidate that is a typing mistake away from `word`; None if all are too far."""
        if not word or len(word) > _LONGEST:
            return None
        wanted = _fold(word)
        best, best_distance = None, max(1, len(wanted) // 3) + 1
        for candidate in candidates:
            if self._budget <= 0:
                break
            self._budget -= 1
            folded = _fold(candidate)
            if len(wanted) >= _TELLING and wanted in folded:
                return candidate
            if abs(len(folded) - len(wanted)) >= best_distance:
                continue
            distance = edit_distance(wanted, folded)
            if distance < best_distance:
                best, best_distance = candidate, distance
        return best

    def did_you_mean(self, word: str, candidates: Iterable[str]) -> str:
        """A hint with the nearest candidate; empty if all are too far."""
        nearest = self.nearest(word, candidates)
        return f'did you mean "{nearest}"?' if nearest is not None else ""


def edit_distance(left: str, right: str) -> int:
    """How many letters must be changed, inserted, dropped or swapped with their neighbour."""
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, letter in enumerate(left, start=1):
        current = [row]
        for column, other in enumerate(right, start=1):
            change = previous[column - 1] + (letter != other)
            cost = min(change, previous[column] + 1, current[-1] + 1)
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
