"""Digests for names, not for secrets, without OpenSSL, which `hashlib` would load.

The modules behind these names are Python's own and come with most builds of it. `random` of the standard library
imports its digest in the same way, for the same reason.
"""

from __future__ import annotations

from supervisor.lean.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha1 as _sha1
    from hashlib import sha256 as _sha256
else:
    try:
        from _sha1 import sha1 as _sha1
    except ImportError:  # a build that leaves it to OpenSSL
        from hashlib import sha1 as _sha1
    try:
        from _sha256 import sha256 as _sha256
    except ImportError:
        try:
            from _sha2 import sha256 as _sha256  # its name from Python 3.12 on
        except ImportError:
            from hashlib import sha256 as _sha256


def sha1(data: bytes) -> bytes:
    """The 20 bytes of SHA-1, as RFC 9562 has them in a UUID of version 5."""
    return _sha1(data, usedforsecurity=False).digest()


def sha256(data: bytes) -> bytes:
    """The 32 bytes of SHA-256."""
    return _sha256(data, usedforsecurity=False).digest()
