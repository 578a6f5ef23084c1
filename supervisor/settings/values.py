"""Parsers of settings: each returns the value of a text or raises ValueError with the end of a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TypeVar
from supervisor.model.spec import Trigger

T = TypeVar("T")

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
"""The empty unit stands last, since every text ends in it."""
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """A parser that returns None for an empty text."""
    return lambda text: parse(text) if text else None


def plain(text: str) -> str:
    """The text itself."""
    if not text.isprintable():
        raise ValueError("it holds a character that cannot be printed")
    return text


def switch(text: str) -> bool:
    """True or false, as the usual words."""
    if text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    raise ValueError("it is neither true nor false; write true or false")


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        if not _is_digits(text) or not least <= int(text) <= most:
            raise ValueError(f"it is not a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"it is not {' or '.join(words)}")
        return text

    return parse


def seconds(least_s: float, most_s: float) -> Callable[[str], float]:
    """A duration: a number of seconds, or with a unit as in 500ms, 30s, 5m, 1h."""

    def parse(text: str) -> float:
        unit = next(unit for unit in _UNITS_S if text.endswith(unit))
        number = text[: len(text) - len(unit)]
        duration_s = float(number) * _UNITS_S[unit] if _is_digits(number.replace(".", "", 1)) else math.nan
        if not least_s <= duration_s <= most_s:
            raise ValueError(f"it is not a duration from {least_s:g} s to {most_s:g} s; write 30s or 5m, say")
        return duration_s

    return parse


def path(text: str) -> Path:
    """A path, relative to the folder that the supervisor is started in."""
    if not text or "\0" in text:
        raise ValueError("it is not a path")
    return Path(text)


def uuid(text: str) -> str:
    """An id in the form that the platform's API takes, in lower case."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise ValueError("it is not a UUID; write it as 07e03a28-65a5-4d98-b532-8ea67b188048")
    return text.lower()


def url(text: str) -> str:
    """An http or https URL without a final slash."""
    _split(text)
    return text.rstrip("/")


def plane_url(text: str) -> str:
    """A URL that a token may be sent to: https, or http on this machine."""
    scheme, host = _split(text)
    if scheme != "https" and host not in _LOOPBACK:
        raise ValueError("a token must not travel unencrypted; write https://")
    return text.rstrip("/")


def names(text: str) -> tuple[str, ...]:
    """Host names, with commas between them."""
    parts = _parts(text)
    for part in parts:
        if not re.fullmatch(r"[A-Za-z0-9._:\[\]*-]{1,255}", part):
            raise ValueError(f'"{part}" is not a host name')
    return parts


def patterns(text: str) -> tuple[str, ...]:
    """Patterns of variables' names, with commas between them."""
    parts = _parts(text)
    for part in parts:
        if "=" in part or not part.isprintable() or part == "!":
            raise ValueError(f'"{part}" is not a pattern of names; write NAME, NAME_* or !NAME')
    return parts


def origins(text: str) -> tuple[str, ...]:
    """Values of the Origin header, which are scheme, host and port; with commas between them."""
    parts = _parts(text)
    for part in parts:
        _split(part)
    return parts


def triggers(text: str) -> tuple[Trigger, ...]:
    """Names of triggers that fire, with commas between them."""
    parts = _parts(text)
    for part in parts:
        if part not in TRIGGERS:
            raise ValueError(f'"{part}" is not a trigger; there are {", ".join(TRIGGERS)}')
    return tuple(Trigger(part) for part in parts)


TRIGGERS = tuple(trigger.value for trigger in Trigger if trigger is not Trigger.MANUAL)


def is_there(text: str) -> bool:
    """Whether there is a text: the value of a secret is not kept."""
    return bool(text)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `fixed`: the user gave this port, so no other replaces it."""

    host: str = "127.0.0.1"
    port: int = 24424
    fixed: bool = False


def listen(text: str) -> Address | None:
    """HOST:PORT, [IPV6]:PORT, :PORT or PORT; None for "none", and the default address for an empty text."""
    if text == "none":
        return None
    if not text:
        return Address()
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (_is_digits(port) and int(port) <= 65535) or (":" in host) != text.startswith("["):
        raise ValueError("it is not an address; write HOST:PORT, for example 127.0.0.1:24424, or none")
    return Address(host or Address().host, int(port), fixed=True)


def _is_digits(text: str) -> bool:
    # No regular expression: to compile one takes longer than all else that is done for the defaults.
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _split(text: str) -> tuple[str, str]:
    """Scheme and host of a URL that has no more than these, a port and a path."""
    # Not at the top: most starts have no URL to parse.
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is not a URL; write https://HOST or https://HOST:PORT/PATH") from None
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("it is not a URL; write https://HOST or https://HOST:PORT/PATH")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("it may have no user, password, query or fragment")
    return parts.scheme, host
