"""One file of the bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class LeftOut(Exception):
    """A part is not in the bundle; the text says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the bundle, read when its turn comes."""

    name: str
    """Its path in the bundle."""
    read: Callable[[], bytes]
    """The content, secrets hidden. Raises LeftOut, OSError; whatever else it raises is told in the manifest too."""
