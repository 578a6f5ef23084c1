"""JSON Web Tokens signed with HMAC-SHA256, and no other kind: three parts, header.claims.signature.

A package for all kinds brings clients for keys, TLS and, where it is installed, 11 MB of cryptography. The tests have
its tokens read here and ours read by it.

Sources: RFC 7515 (the form and the signature), RFC 7519 (the claims).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

_HEADER = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """A token that can be read, by whomever it is signed."""

    claims: dict[str, Any]
    _signed: bytes
    """What the signature is of."""
    _signature: bytes

    def is_signed_with(self, key: bytes) -> bool:
        """Whether the signature is that of a key. Takes the same time for every signature."""
        return hmac.compare_digest(_signature(self._signed, key), self._signature)


def encode(claims: dict[str, Any], key: bytes) -> str:
    """A token that says `claims`."""
    signed = b".".join(_text(json.dumps(part, separators=(",", ":")).encode()) for part in (_HEADER, claims))
    return b".".join((signed, _text(_signature(signed, key)))).decode()


def read(token: str) -> SignedClaims:
    """The token's parts. Raises ValueError, RecursionError or UnicodeError if it is no token of this kind."""
    data = token.encode("ascii")
    signed, _, signature = data.rpartition(b".")
    head, _, claims = signed.partition(b".")
    header = _object(head)
    # RFC 7515, 4.1.11: what is marked as critical must be understood, and nothing is here.
    if header.get("alg") != _HEADER["alg"] or "crit" in header:
        raise ValueError("another kind of signature")
    return SignedClaims(_object(claims), signed, _bytes(signature))


def _signature(signed: bytes, key: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _object(text: bytes) -> dict[str, Any]:
    value = json.loads(_bytes(text).decode())
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _text(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    """Of base64url without padding, in the one way to write them. Raises ValueError."""
    try:
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if _text(data) != text:  # Python's decoder passes over what is no base64
        raise ValueError("not base64url")
    return data
