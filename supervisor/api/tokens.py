"""Tokens: who may call over TCP, signed with a key that only this state directory has.

A token is a JWT (HS256, compared in constant time by PyJWT). Its subject is the environment; its scope is all of that
(`environment`) or reading its logs (`logs`). Whoever can read the key can do what the supervisor can anyway: the file
is 0600 in a directory that is 0700. Removing it takes back every token.

PyJWT is imported for the first token that is made or shown: it takes 30 ms and 3 MB (80 and 11 where cryptography is
installed), and who comes over the Unix socket needs none.
"""

from __future__ import annotations

import enum
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from supervisor.host.regular import Replaced, make_regular, open_regular
from supervisor.model.errors import MachineError, SupervisorError

LOGS_TTL_S = 3600.0
ENVIRONMENT_TTL_S = 24 * 3600.0

_ALGORITHM = "HS256"
_ISSUER = "supervisor"
_AUDIENCE = "supervisor-api"
_KEY_BYTES = 32
_LONGEST = 4096
_REMEMBERED = 64
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
        self._environment_id = environment_id
        self._clock = clock
        # {sha256 of a token: what it says}. To verify costs more than all else of a small request; a hash tells nothing
        # by the time that looking it up takes.
        self._verified: dict[bytes, Claims] = {}

    @classmethod
    def kept(cls, path: Path, environment_id: str) -> Tokens:
        """With the key in a file, made if there is none. Raises MachineError."""
        try:
            return cls(_read_key(path) or _make_key(path), environment_id)
        except OSError as error:
            raise MachineError(f"cannot keep the key of tokens in {path}: {error.strerror}") from error

    @classmethod
    def fleeting(cls, environment_id: str) -> Tokens:
        """With a key that nothing keeps."""
        return cls(secrets.token_bytes(_KEY_BYTES), environment_id)

    def mint(self, scope: Scope, ttl_s: float) -> str:
        """A new token."""
        import jwt

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
        return BadToken(Fault.FORGED, "the token's signature is not this supervisor's")


def _foreign() -> BadToken:
    return BadToken(Fault.FOREIGN, "the token is of another environment")


def _read_key(path: Path) -> bytes | None:
    """The key; None if there is none, or none that is still secret and whole."""
    try:
        fd = open_regular(path, os.O_RDONLY)
    except (FileNotFoundError, Replaced):
        return None  # a link, say, which the new key takes the place of
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            return None
        key = file.read(_KEY_BYTES + 1)
    return key if len(key) == _KEY_BYTES else None


def _make_key(path: Path) -> bytes:
    key = secrets.token_bytes(_KEY_BYTES)
    aside = path.with_name(f"{path.name}.new")
    with os.fdopen(make_regular(aside), "wb") as file:
        file.write(key)
    os.replace(aside, path)
    return key
