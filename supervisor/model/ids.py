"""Ids that follow from other ids, so that the core needs no randomness."""

from __future__ import annotations

import uuid


def derived(stamp: str, *names: str) -> str:
    """A UUID (version 5) that follows from `stamp`, itself a UUID, and `names`; equal arguments give equal ids."""
    return str(uuid.uuid5(uuid.UUID(stamp), "\0".join(names)))
