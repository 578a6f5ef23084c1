"""Tokens: who may call over TCP, signed with a key that only this program has.

A token is a JWT (`jwt_hs256`). Its subject is what it speaks for; its scope is what it is good for. `signing_key` keeps
the key; to remove or replace that revokes every token at once.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connect_server.http import jwt_hs256
from connect_server.http.jwt_hs256 import SignedClaims
from connect_server.http.signing_key import KEY_BYTES, SigningKey

_LONGEST = 4096
_REMEMBERED = 64
_REVOKED_KEYS = 8


class Fault(enum.Enum):
    """What is wrong with a token."""

    EXPIRED = "expired"
    FORGED = "forged"
    FOREIGN = "foreign"
    REVOKED = "revoked"


class BadToken(Exception):
    """A token that opens nothing here."""

    def __init__(self, fault: Fault, message: str) -> None:
        """`message`: a sentence for its owner; never the token."""
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once its signature was found good."""

    subject: str
    scope: str
    expires_s: float
    """Wall clock."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs tokens, and for what."""

    name: str
    """The claim `iss`; also what messages call the program."""
    audience: str
    """The claim `aud`."""
    scopes: Collection[str]
    subject: str = ""
    """What all its tokens speak for, by id; empty: each may speak for another subject."""
    subject_kind: str = "subject"
    """What messages call the subject."""
    renewal: str = "get a new one"
    """What the owner of an expired token should do."""


class Tokens:
    """Makes and checks the tokens of one issuer."""

    def __init__(self, key: bytes, issuer: Issuer) -> None:
        """Sign with a key that stays the same."""
        self._key = key
        self._kept: SigningKey | None = None
        self._revoked: deque[bytes] = deque(maxlen=_REVOKED_KEYS)
        """Earlier keys, to tell the owners of their tokens what happened."""
        self.generation = 0
        """Grows with every key."""
        self._issuer = issuer
        # {sha256 of a token: its claims}. To verify a token costs more than everything else of a small request. The
        # time that a look-up by hash takes tells nothing.
        self._verified: dict[bytes, Claims] = {}

    @classmethod
    def kept(cls, path: Path, issuer: Issuer) -> Tokens:
        """Sign with the key in a file, which is made if there is none. Raises OSError."""
        key = SigningKey(path)
        tokens = cls(key.value, issuer)
        tokens._kept = key
        return tokens

    @classmethod
    def fleeting(cls, issuer: Issuer) -> Tokens:
        """Sign with a key that nothing keeps."""
        return cls(secrets.token_bytes(KEY_BYTES), issuer)

    def renew(self) -> None:
        """Look whether the key was removed or replaced; if so, its tokens are revoked."""
        if self._kept is not None and self._kept.renew():
            self._revoked.append(self._key)
            self._key = self._kept.value
            self._verified.clear()
            self.generation += 1

    def mint(self, scope: str, ttl_s: float, now_s: float | None = None, *, subject: str = "") -> str:
        """A new token. `now_s`: wall clock; None: the time is now. `subject`: empty: the issuer's.

        Raises ValueError if the issuer has none either.
        """
        subject = subject or self._issuer.subject
        if not subject:
            raise ValueError("a token needs a subject")
        self.renew()
        now_s = time.time() if now_s is None else now_s
        claims = {
            "iss": self._issuer.name,
            "aud": self._issuer.audience,
            "sub": subject,
            "scope": str(scope),
            "iat": int(now_s),
            "exp": now_s + ttl_s,
        }
        return jwt_hs256.encode(claims, self._key)

    def check(self, token: str, now_s: float | None = None) -> Claims:
        """The token's claims. Raises BadToken. `now_s`: as for `mint`."""
        self.renew()
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._verify(token)
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[digest] = claims
        if claims.expires_s <= (time.time() if now_s is None else now_s):
            raise BadToken(Fault.EXPIRED, f"the token has expired: {self._issuer.renewal}")
        return claims

    def _verify(self, token: str) -> Claims:
        if len(token) > _LONGEST:
            raise BadToken(Fault.FORGED, "the token is malformed: it is too long")
        try:
            signed = jwt_hs256.read(token)
        except (ValueError, RecursionError) as error:
            raise self._malformed() from error
        if not signed.is_signed_with(self._key):
            raise self._not_ours(signed)
        claims = self._claims(signed.claims)
        if self._is_foreign(claims.subject):
            raise self._foreign()
        return claims

    def _claims(self, said: Mapping[str, Any]) -> Claims:
        """What a token says that is signed with our key. Raises BadToken if no token of this issuer says that."""
        audience, subject, scope, expires_s = (said.get(name) for name in ("aud", "sub", "scope", "exp"))
        if (
            said.get("iss") != self._issuer.name
            or self._issuer.audience not in (audience if isinstance(audience, list) else [audience])
            or not isinstance(subject, str)
            or not subject
            or not isinstance(scope, str)
            or scope not in self._issuer.scopes
            or not isinstance(expires_s, int | float)
            or "nbf" in said  # no token of ours is for later
        ):
            raise self._malformed()
        return Claims(subject, scope, float(expires_s))

    def _not_ours(self, signed: SignedClaims) -> BadToken:
        """The error for a token that another key signed. A client that mixed up subjects is told so."""
        subject = signed.claims.get("sub")
        if isinstance(subject, str) and self._is_foreign(subject):
            return self._foreign()
        if any(map(signed.is_signed_with, self._revoked)):
            why = "the token was revoked, with the key that it was signed with: get a new one"
            return BadToken(Fault.REVOKED, why)
        return BadToken(Fault.FORGED, f"the token's signature is not this {self._issuer.name}'s")

    def _malformed(self) -> BadToken:
        return BadToken(Fault.FORGED, f"the token is malformed: it is not one of this {self._issuer.name}'s")

    def _is_foreign(self, subject: str) -> bool:
        return bool(self._issuer.subject) and subject != self._issuer.subject

    def _foreign(self) -> BadToken:
        return BadToken(Fault.FOREIGN, f"the token is of another {self._issuer.subject_kind}")
