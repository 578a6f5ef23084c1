"""Ids: fresh ones, made at the edges, and those derived from others, so that the core needs no randomness.

They are not made by `uuid`: its import asks what machine this is and costs a tenth of the start.
"""

from __future__ import annotations

import os

from supervisor.lean.digest import sha1


def derived(stamp: str, *names: str) -> str:
    """A UUID (version 5) that follows from `stamp`, itself a UUID, and `names`; equal arguments give equal ids.

    Source: RFC 9562, section 5.5. Raises ValueError if the stamp is not a UUID.
    """
    digest = sha1(bytes.fromhex(stamp.replace("-", "")) + "\0".join(names).encode())
    return _text(digest[:16], version=5)


def fresh() -> str:
    """A new random UUID (version 4). Not for the core: its ids follow from the stamps of commands."""
    return _text(os.urandom(16), version=4)


def _text(data: bytes, version: int) -> str:
    marked = bytearray(data)
    marked[6] = marked[6] & 0x0F | version << 4
    marked[8] = marked[8] & 0x3F | 0x80
    digits = marked.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
