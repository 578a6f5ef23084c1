"""Tokens: who may call over TCP, signed with a key that only this state directory has.

A token is a JWT (HS256, compared in constant time by PyJWT). Its subject is the environment; its scope is all of that
(`environment`) or reading its logs (`logs`). `signingkey` keeps the key; to remove or replace that takes back every
token at once.

PyJWT is imported for the first token that is made or shown: it takes 30 ms and 3 MB (80 and 11 where cryptography is
installed), and who comes over the Unix socket needs none.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from supervisor.api.http.signing_key import KEY_BYTES, SigningKey
from supervisor.model.errors import SupervisorError

LOGS_TTL_S = 3600.0
ENVIRONMENT_TTL_S = 24 * 3600.0

_ALGORITHM = "HS256"
_ISSUER = "supervisor"
_AUDIENCE = "supervisor-api"
_LONGEST = 4096
_REMEMBERED = 64
_REVOKED_KEYS = 8
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError)
"""What JSON of any kind can raise where an object of texts is meant; older versions of PyJWT let much through."""


class Scope(enum.Enum):
    """What a token is good for."""

    ENVIRONMENT = "environment"
    LOGS = "logs"


class Fault(enum.Enum):
    """What is wrong with a token."""

    EXPIRED = "expired"
    FORGED = "forged"
    FOREIGN = "foreign"
    REVOKED = "revoked"


class BadToken(SupervisorError):
    """A token that opens nothing here."""

    def __init__(self, fault: Fault, message: str) -> None:
        """`message`: a sentence for its owner; never the token."""
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once its signature was found good."""

    subject: str
    """The environment's id."""
    scope: Scope
    expires_s: float
    """Wall clock."""


class Tokens:
    """Makes and checks the tokens of one environment."""

    def __init__(self, key: bytes, environment_id: str, clock: Callable[[], float] = time.time) -> None:
        """`clock`: wall time."""
        self._key = key
        self._kept: SigningKey | None = None
        self._revoked: deque[bytes] = deque(maxlen=_REVOKED_KEYS)
        """Keys of before, to tell their tokens what has happened."""
        self.generation = 0
        """Grows with every key."""
        self._environment_id = environment_id
        self._clock = clock
        # {sha256 of a token: what it says}. To verify costs more than all else of a small request; a hash tells nothing
        # by the time that looking it up takes.
        self._verified: dict[bytes, Claims] = {}

    @classmethod
    def kept(cls, path: Path, environment_id: str) -> Tokens:
        """With the key in a file, made if there is none. Raises MachineError."""
        key = SigningKey(path)
        tokens = cls(key.value, environment_id)
        tokens._kept = key
        return tokens

    @classmethod
    def fleeting(cls, environment_id: str) -> Tokens:
        """With a key that nothing keeps."""
        return cls(secrets.token_bytes(KEY_BYTES), environment_id)

    def renew(self) -> None:
        """Look whether the key was removed or replaced; if so, tokens that were signed with it open nothing more."""
        if self._kept is not None and self._kept.renew():
            self._revoked.append(self._key)
            self._key = self._kept.value
            self._verified.clear()
            self.generation += 1

    def mint(self, scope: Scope, ttl_s: float) -> str:
        """A new token."""
        import jwt

        self.renew()
        now = self._clock()
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": self._environment_id,
            "scope": scope.value,
            "iat": int(now),
            "exp": now + ttl_s,
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def check(self, token: str) -> Claims:
        """What a token says. Raises BadToken."""
        self.renew()
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._verify(token)
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[digest] = claims
        if claims.expires_s <= self._clock():
            raise BadToken(
                Fault.EXPIRED, "the token has expired: get a new one, for example with `supervisor token`"
            )
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
                audience=_AUDIENCE,
                issuer=_ISSUER,
                # The time is compared by our clock, and each time anew.
                options={"require": ["exp", "sub", "scope"], "verify_exp": False, "verify_iat": False},
            )
            claims = Claims(said["sub"], Scope(said["scope"]), float(said["exp"]))
        except jwt.InvalidSignatureError as error:
            raise self._not_ours(token) from error
        except (jwt.PyJWTError, *_UNREADABLE) as error:
            raise BadToken(Fault.FORGED, "the token is malformed: it is none of this supervisor's") from error
        if claims.subject != self._environment_id:
            raise _foreign()
        return claims

    def _not_ours(self, token: str) -> BadToken:
        """Signed with another key: a client that mixed up environments is told so; what it may do is the same."""
        import jwt

        try:
            subject = jwt.decode(token, options={"verify_signature": False}).get("sub")
        except (jwt.PyJWTError, *_UNREADABLE):
            subject = None
        if isinstance(subject, str) and subject != self._environment_id:
            return _foreign()
        if any(self._is_signed(token, key) for key in self._revoked):
            why = "the token was revoked, with the key that it was signed with: get a new one"
            return BadToken(Fault.REVOKED, why)
        return BadToken(Fault.FORGED, "the token's signature is not this supervisor's")

    def _is_signed(self, token: str, key: bytes) -> bool:
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


def _foreign() -> BadToken:
    return BadToken(Fault.FOREIGN, "the token is of another environment")
