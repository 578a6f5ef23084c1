"""Finds text that looks like a secret, or that stands beside the name of one.

A pattern is tried only where one of its words occurs. `bytes.find` finds the words at almost no cost, and the regular
expression is matched from there: one that begins with any of thirty words takes seconds for a log. A pattern does not
look again at what it has found, so time is linear in the length of the text.

In doubt a text is masked that is not a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ISSUED = (
    b"ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glcbt- glptt- xoxa- xoxb- xoxc- "
    b"xoxd- xoxe- xoxp- xoxr- xoxs- xapp- sk- npm_ pypi- sk_live_ sk_test_ rk_live_ rk_test_ hf_ "
    b"hvs. hvb. hvr. dop_v1_ ya29. AIza SG. AGE-SECRET-KEY- gitpod_pat_ dckr_pat_ shpat_ shpss_ "
    b"AKIA ASIA "
).split()
"""The prefixes of tokens of well-known issuers."""

_NAMES = (
    *(b"token", b"secret", b"password", b"passwd", b"passphrase", b"api_key", b"api-key", b"apikey", b"access_key"),
    *(b"access-key", b"accesskey", b"private_key", b"private-key", b"privatekey", b"signing_key", b"signingkey"),
    *(b"encryption_key", b"encryptionkey", b"masterkey", b"credential", b"cookie", b"session_id", b"session-id"),
    *(b"sessionid", b"signature", b"webhook", b"auth", b"key", b"pwd", b"dsn", b"sig"),
)  # fmt: skip
_NAME = (
    rb"(?i:token|secret|passw(?:or)?d|passphrase|(?:api|access|private|signing|encryption|master)[_-]?key|credential|cookie"
    rb"|session[_-]?id|signature|webhook|auth(?!or)|(?<=[_-])key\b|(?<![a-z])(?:sig|dsn)\b|(?<=[_-])pwd\b)"
    rb"|KEY\b|\b[Pp]wd\b"
)
_NOT_A_PLACE = rb"(?i:(?<!file)(?<!path)(?<!dir)(?<!folder))"
"""The path of a file that holds a secret is shown: support wants to know where a token comes from."""
_NAME = rb"(?:" + _NAME + rb")[A-Za-z0-9_.-]{0,64}+" + _NOT_A_PLACE

_REPR = rb"(?:'(?:[^'\\\n]|\\.)*+\\?(?:'|(?=\n)|\Z)|\"(?:[^\"\\\n]|\\.)*+\\?(?:\"|(?=\n)|\Z))"
"""A string as Python's repr writes it, on one line. Its end may be missing."""


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """Masks the group `hide` of `regex`, which is matched where one of `words` begins."""

    words: tuple[bytes, ...]
    """In lower case."""
    regex: re.Pattern[bytes]
    before: re.Pattern[bytes] | None = None
    """What must stand before the word on its line, at most 128 bytes of it."""


def _pattern(words: tuple[bytes, ...], regex: bytes, before: bytes | None = None) -> SecretPattern:
    return SecretPattern(words, re.compile(regex), None if before is None else re.compile(before))


PATTERNS = (
    _pattern(
        (b"-----begin ",),
        rb"(?s)(?P<hide>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
        rb"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z))",
    ),
    # To the end of the line or of the quotes: a cookie has blanks.
    _pattern(
        (b"authorization", b"cookie"),
        rb"(?i:authorization|cookie)\\{0,3}[\"']?\s{0,4}[:=]\s{0,4}\\{0,3}[\"']?(?P<hide>[^\r\n\"']+)",
    ),
    _pattern((b"bearer", b"basic"), rb"(?i:bearer|basic)\s{1,8}(?P<hide>[A-Za-z0-9._~+/=:-]{6,})"),
    # JWT and JWE: each begins with {" in base64url.
    _pattern((b"eyj",), rb"(?<![A-Za-z0-9_-])(?P<hide>eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,4})"),
    # user:password@ in a URL. A password may hold an @, or a slash that is not encoded; a path may begin with an @.
    _pattern(
        (b"://",),
        rb"://(?P<hide>(?:[^\s\"'<>@/?#]{1,1000}+|[^\s\"'<>@/:]{0,64}+:(?![0-9]{1,5}/)[^\s\"'<>@]{1,1000}+)"
        rb"(?:@[^\s\"'<>@/]{1,1000}+(?=@))*)@",
    ),
    _pattern(
        tuple(prefix.lower() for prefix in _ISSUED),
        rb"(?<![A-Za-z0-9])(?P<hide>(?:" + b"|".join(map(re.escape, _ISSUED)) + rb")[A-Za-z0-9_.=-]{10,})",
    ),
    _pattern(
        (b"hooks.slack.com/",),
        rb"(?i:hooks\.slack\.com)/(?:services|workflows|triggers)/(?P<hide>[A-Za-z0-9/_-]+)",
    ),
    # NAME=VALUE at the beginning of a line, as `env` and shells write it: the value ends with the line.
    _pattern(
        _NAMES,
        _NAME + rb"=(?P<hide>[^\r\n]+)",
        rb"[ \t]{0,8}(?:(?:export|declare -x|set|ENV|ARG) )?[A-Za-z0-9_.-]{0,64}",
    ),
    # NAME=VALUE, NAME: VALUE, "name": "value", name: [value, value] anywhere; the quotes stay.
    _pattern(
        _NAMES,
        _NAME + rb"\\{0,3}[\"']?\]?\s{0,4}(?:=>|:=|[=:])\s{0,8}(?:\\{0,3}\"(?=.)|'(?=.)|(?=[^\s\"'\\]))"
        rb"(?P<hide>(?<=\")(?:[^\"\\\r\n]|\\.){1,65536}|(?<=')[^'\r\n]{1,65536}|\[[^\]]{1,65536}|\S{1,65536})",
    ),
    # An item's variables among the last inputs of a crash report: each may be a secret, whatever its name.
    _pattern((b"envvar(",), rb"EnvVar\(name=" + _REPR + rb", value=(?P<hide>" + _REPR + rb")"),
    _pattern((b"environment=(",), rb"environment=\((?P<hide>(?:" + _REPR + rb"[, ]{0,2})++)"),
    # --password VALUE
    _pattern(
        _NAMES,
        _NAME + rb"[ \t]{1,4}(?!-)(?P<hide>\S{1,65536})",
        rb"(?s)(?:.*[^\w-])?--?[A-Za-z0-9-]{0,40}",
    ),
)  # fmt: skip

_SECRET_NAME = re.compile(_NAME)
_KEY_END = re.compile(
    rb"(?s)(?P<hide>(?:(?!-----BEGIN ).){0,16384}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)"
)
_LOOK_BACK = 128


def is_secret_name(name: str) -> bool:
    """Whether a value with this name is probably a secret."""
    return bool(_SECRET_NAME.search(name.encode("utf-8", "replace")))


def spans(data: bytes, begins: bool = True) -> Iterator[tuple[int, int]]:
    """Where secrets begin and end, in no order. `begins`: no text, such as half a private key, stands before."""
    if not begins and (found := _KEY_END.match(data)):
        yield found.span("hide")
    lower = data.lower()
    hits = {
        word: list(_hits(lower, word)) for word in {word for pattern in PATTERNS for word in pattern.words}
    }
    for pattern in PATTERNS:
        end = 0
        for at in sorted(at for word in pattern.words for at in hits[word]):
            if at >= end and _fits(pattern, data, at) and (found := pattern.regex.match(data, at)):
                yield found.span("hide")
                end = found.end()


def _hits(data: bytes, word: bytes) -> Iterator[int]:
    at = data.find(word)
    while at != -1:
        yield at
        at = data.find(word, at + 1)


def _fits(pattern: SecretPattern, data: bytes, at: int) -> bool:
    if pattern.before is None:
        return True
    line = data.rfind(b"\n", max(0, at - _LOOK_BACK), at) + 1
    return pattern.before.fullmatch(data, line or max(0, at - _LOOK_BACK), at) is not None
