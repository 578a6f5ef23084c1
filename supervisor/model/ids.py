"""Ids: fresh ones, made at the edges, and those that follow from others, so that the core needs no randomness."""

from __future__ import annotations

import uuid


def derived(stamp: str, *names: str) -> str:
    """A UUID (version 5) that follows from `stamp`, itself a UUID, and `names`; equal arguments give equal ids."""
    return str(uuid.uuid5(uuid.UUID(stamp), "\0".join(names)))


def fresh() -> str:
    """A new random UUID. Not for the core: its ids follow from the stamps of commands."""
    return str(uuid.uuid4())
