"""What is wrong with a request, before anything has been done about it."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.config.problem import Path, path_text
from supervisor.model.errors import SupervisorError

SHOWN = 5
"""A message names so many problems; a request can have thousands."""

KEY_LIMIT = 128
"""A longer key of a map, or name of a field, is cut; those that clients mean are shorter."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One problem: where it is, in the names that clients write (`metadata.triggeredBy[0]`), and what it is."""

    path: Path
    problem: str

    def __str__(self) -> str:
        path = tuple(
            part if isinstance(part, int) or len(part) <= KEY_LIMIT else f"{part[:KEY_LIMIT]}…"
            for part in self.path
        )
        return f"{path_text(path)} {self.problem}" if path else self.problem


class InvalidArgument(SupervisorError):
    """A request cannot be read, or holds values that it may not: Connect's `invalid_argument`."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        named = "; ".join(map(str, violations[:SHOWN]))
        more = f"; and {len(violations) - SHOWN} more" if len(violations) > SHOWN else ""
        super().__init__(f"cannot accept the request: {named}{more}")
        self.violations = violations
