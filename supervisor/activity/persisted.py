"""What one supervisor leaves to the next of the same boot: values as JSON texts, kept beside the records.

After another boot pids mean other processes and moments of the old clock mean nothing, so a value is good for its boot.
A text that is no text of ours is passed over, and one that cannot be written is lost with this supervisor: activity is
worth no failure.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from supervisor.model.errors import StoreError


class Keeper(Protocol):
    """What keeps a text from one supervisor to the next."""

    def get(self, key: str) -> str | None:
        """The text; None: there is none. Raises StoreError if it cannot be read."""

    def put(self, key: str, value: str) -> None:
        """Keep a text. Raises StoreError if it cannot be kept."""


class Kept:
    """The values of one boot."""

    def __init__(self, keeper: Keeper, boot_id: str) -> None:
        self._keeper = keeper
        self._boot_id = boot_id

    def get(self, key: str) -> Any:
        """The value; None: there is none of this boot."""
        try:
            kept = json.loads(self._keeper.get(key) or "null")
        except (ValueError, RecursionError, StoreError):
            return None
        if not isinstance(kept, dict) or kept.get("boot") != self._boot_id:
            return None
        return kept.get("value")

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        try:
            self._keeper.put(key, json.dumps({"boot": self._boot_id, "value": value}))
        except StoreError:
            pass  # the disk is full, which the engine tells
