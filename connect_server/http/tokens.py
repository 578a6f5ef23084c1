"""Tokens: who may call over TCP, signed with a key that only this program has.

A token is a JWT (HS256, which PyJWT compares in constant time). Its subject is what it speaks for; its scope is what it
is good for. `signing_key` keeps the key; to remove or replace that revokes every token at once.

PyJWT is imported when the first token is made or shown: it takes 30 ms and 3 MB (80 and 11 where cryptography is
installed), and a client of the Unix socket needs no token.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from connect_server.http.signing_key import KEY_BYTES, SigningKey

_ALGORITHM = "HS256"
_LONGEST = 4096
_REMEMBERED = 64
_REVOKED_KEYS = 8
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError)
"""What JSON of any kind can raise where an object of texts is meant; older versions of PyJWT let much through."""


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
        import jwt  # late: see above

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
        return jwt.encode(claims, self._key, _ALGORITHM)

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
        import jwt

        if len(token) > _LONGEST:
            raise BadToken(Fault.FORGED, "the token is malformed: it is too long")
        try:
            said = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=self._issuer.audience,
                issuer=self._issuer.name,
                # `check` compares the time, and each time anew.
                options={"require": ["exp", "sub", "scope"], "verify_exp": False, "verify_iat": False},
            )
            claims = Claims(said["sub"], said["scope"], float(said["exp"]))
            if claims.scope not in self._issuer.scopes or not claims.subject:
                raise ValueError(claims)
        except jwt.InvalidSignatureError as error:
            raise self._not_ours(token) from error
        except (jwt.PyJWTError, *_UNREADABLE) as error:
            why = f"the token is malformed: it is not one of this {self._issuer.name}'s"
            raise BadToken(Fault.FORGED, why) from error
        if self._is_foreign(claims.subject):
            raise self._foreign()
        return claims

    def _not_ours(self, token: str) -> BadToken:
        """The error for a token that another key signed. A client that mixed up subjects is told so."""
        import jwt

        try:
            subject = jwt.decode(token, options={"verify_signature": False}).get("sub")
        except (jwt.PyJWTError, *_UNREADABLE):
            subject = None
        if isinstance(subject, str) and self._is_foreign(subject):
            return self._foreign()
        if any(_is_signed(token, key) for key in self._revoked):
            why = "the token was revoked, with the key that it was signed with: get a new one"
            return BadToken(Fault.REVOKED, why)
        return BadToken(Fault.FORGED, f"the token's signature is not this {self._issuer.name}'s")

    def _is_foreign(self, subject: str) -> bool:
        return bool(self._issuer.subject) and subject != self._issuer.subject

    def _foreign(self) -> BadToken:
        return BadToken(Fault.FOREIGN, f"the token is of another {self._issuer.subject_kind}")


def _is_signed(token: str, key: bytes) -> bool:
    import jwt

    try:
        jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            options={"verify_exp": False, "verify_iat": False, "verify_aud": False},
        )
    except (jwt.PyJWTError, *_UNREADABLE):
        return False
    return True
