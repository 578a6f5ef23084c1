"""A report that remembers what it was given."""

from __future__ import annotations

from supervisor.config import Loaded
from supervisor.core.items.diff import Changes


class Notices:
    """Keeps the notices, oldest first."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def loaded(self, name: str, loaded: Loaded) -> None:
        pass

    def applied(self, changes: Changes) -> None:
        pass

    def notice(self, text: str) -> None:
        self.texts.append(text)
