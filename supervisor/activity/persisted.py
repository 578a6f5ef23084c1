"""What one supervisor leaves to the next of the same boot: values as JSON texts, kept beside the records.

A value is valid for its boot alone: after another boot process ids mean other processes, and moments of the old clock
mean nothing. A text that cannot be read is ignored, and one that cannot be written is lost with this supervisor:
activity must not make anything else fail.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from supervisor.model.errors import StoreError


class TextStore(Protocol):
    """Keeps texts from one supervisor to the next."""

    def get(self, key: str) -> str | None:
        """The text; None: there is none. Raises StoreError if it cannot be read."""

    def put(self, key: str, value: str) -> None:
        """Keep a text. Raises StoreError if it cannot be kept."""


class Persisted:
    """The values of one boot."""

    def __init__(self, store: TextStore, boot_id: str) -> None:
        """`boot_id`: of the machine's present boot."""
        self._store = store
        self._boot_id = boot_id

    def get(self, key: str) -> Any:
        """The value; None: there is none of this boot."""
        try:
            kept = json.loads(self._store.get(key) or "null")
        except (ValueError, RecursionError, StoreError):
            return None
        if not isinstance(kept, dict) or kept.get("boot") != self._boot_id:
            return None
        return kept.get("value")

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        try:
            self._store.put(key, json.dumps({"boot": self._boot_id, "value": value}))
        except StoreError:
            pass  # the disk is full: the engine reports that
