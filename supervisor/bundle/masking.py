"""Replaces secrets by ***: the values that are known, what has the shape of a secret, and what stands beside its name.

In doubt something is replaced that was no secret. A pattern takes time in proportion to the text: a name is found by
the word in it, not by what leads up to it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from supervisor.api.mask import HIDDEN, Mask

SHOWN = HIDDEN.decode()
_LEAST_ENCODED = 6
"""A shorter value, encoded, is found in anything."""
_LEAST_LINE = 8
_OVERLAP = 16 * 1024
"""Longer than tokens and private keys are."""

_WORD = (
    rb"(?:token|secret|passw(?:or)?d|passphrase|[_-]pwd\b|(?-i:\b[Pp]wd\b)|(?:api|access|private|signing|encryption|master)[_-]?key"
    rb"|credential|cookie|session[_-]?id|signature|\bsig\b|\bdsn\b|_dsn\b|webhook|auth(?!or)|[_-]key\b|(?-i:KEY)\b)"
)
_NOT_A_PLACE = rb"(?![A-Za-z0-9_.-]{0,40}(?:file|path|dir|folder)\b)"
"""Names of files that hold secrets are told: where a token comes from is what one wants to know."""
_NAME = re.compile(rb"(?i)" + _WORD + _NOT_A_PLACE)
_BESIDE = _WORD + _NOT_A_PLACE + rb"[A-Za-z0-9_.-]{0,64}\\{0,3}[\"']?\]?\s{0,4}(?:=>|:=|[=:])\s{0,8}"

_PATTERNS: tuple[tuple[re.Pattern[bytes], bytes], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (
            rb"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
            rb"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
            HIDDEN,
        ),
        # Headers, to the end of the line or of the quotes: a cookie has blanks.
        (
            rb"(?i)((?:proxy-)?authorization|(?:set-)?cookie|\bx-(?:[a-z]{1,20}-){0,3}(?:token|key|auth))"
            rb"(\\{0,3}[\"']?\s{0,4}[:=]\s{0,4}\\{0,3}[\"']?)[^\r\n\"']+",
            rb"\1\2" + HIDDEN,
        ),
        (rb"(?i)(bearer|basic)(\s{1,8})[A-Za-z0-9._~+/=:-]{6,}", rb"\1\2" + HIDDEN),
        # JWT and JWE: with {" in base64url each begins.
        (rb"\beyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,4}", HIDDEN),
        # user:password@ in a URL, also a password with an @ of its own.
        (rb"://[^\s\"'<>]{0,1000}@", b"://" + HIDDEN + b"@"),
        # Formats of well-known issuers, by their prefix.
        (
            rb"\b(?:gh[pousr]_|github_pat_|gl[a-z]{2,6}-|xox[a-z]-|xapp-|sk-|[spr]k_(?:live|test)_|npm_|pypi-|hf_|hv[sbr]\."
            rb"|dop_v1_|ya29\.|AIza|SG\.|AGE-SECRET-KEY-|gitpod_pat_|dckr_pat_|shp[a-z]{2}_)[A-Za-z0-9_.=-]{10,}",
            HIDDEN,
        ),
        (rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}", HIDDEN),
        (rb"(hooks\.slack\.com/(?:services|workflows)/)[A-Za-z0-9/_-]+", rb"\1" + HIDDEN),
        # NAME=VALUE that begins a line, as `env` and shells write it: the value is the line.
        (
            rb"(?im)^([ \t]{0,8}(?:(?:export|declare -x|set|ENV|ARG) )?[A-Za-z0-9_.-]{0,64}?" + _WORD + _NOT_A_PLACE +
            rb"[A-Za-z0-9_.-]{0,64}=)[^\r\n]+",
            rb"\1" + HIDDEN,
        ),
        # NAME=VALUE, NAME: VALUE, "name": "value" anywhere; the quotes stay.
        (
            rb"(?i)(" + _BESIDE + rb")(?:(\\{0,3}\")(?:[^\"\\\r\n]|\\.){1,65536}|(')[^'\r\n]{1,65536}"
            rb"|\[[^\]]{1,65536}|[^\s\"'\\\[]\S{0,65536})",
            rb"\1\2\3" + HIDDEN,
        ),
        # --password VALUE
        (
            rb"(?i)(?<![\w-])(--?[a-z0-9-]{0,40}?" + _WORD + _NOT_A_PLACE +
            rb"[a-z0-9-]{0,40}[ \t]{1,4})(?!-)\S{1,65536}",
            rb"\1" + HIDDEN,
        ),
    )
)  # fmt: skip
_KEY_END = re.compile(
    rb"(?s)\A(?:(?!-----BEGIN ).){0,16384}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
)


def is_secret_name(name: str) -> bool:
    """Whether what goes by this name is probably a secret."""
    return bool(_NAME.search(name.encode("utf-8", "replace")))


class Masking:
    """Hides secrets in texts, documents and the ends of logs."""

    def __init__(self, values: Iterable[str]) -> None:
        """`values`: those of secrets that are known."""
        self._mask = Mask({form for value in values for form in forms(value)})

    @property
    def overlap(self) -> int:
        """How many bytes before a cut are needed to know what it goes through."""
        return max(self._mask.longest, _OVERLAP)

    def text(self, data: bytes, skip: int = 0, final: bool = True) -> bytes:
        """What may be shown of `data`.

        Args:
            data: the text.
            skip: so many bytes at its beginning are there to know what follows, and are not shown.
            final: whether it is whole; else the beginning of a value at its end is held back.
        """
        shown = self._mask.apply(data, 0, final).shown
        cut = len(shown) - len(self._mask.apply(data, skip, final).shown)
        if skip:  # a key may have begun before all that is known
            shown, cut = _replaced(_KEY_END, HIDDEN, shown, cut)
        for pattern, replacement in _PATTERNS:
            shown, cut = _replaced(pattern, replacement, shown, cut)
        return shown[cut:]

    def document(self, value: Any) -> bytes:
        """A JSON document, with all that stands under names of secrets hidden as well. It stays JSON."""
        return json.dumps(self.hidden(value), indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def hidden(self, value: Any) -> Any:
        """A JSON value in which secrets are hidden, and the value of every variable of an item."""
        match value:
            case {"_": "EnvVar", "name": name}:
                return {"name": name, "value": SHOWN}
            case {"_": "Docker", "environment": [*entries]}:
                kept = [f"{str(entry).partition('=')[0]}={SHOWN}" for entry in entries]
                return {**value, "environment": kept}
            case Mapping():
                return {self._line(str(key)): self._named(str(key), item) for key, item in value.items()}
            case list():
                return [self.hidden(item) for item in value]
            case str():
                return self._inner(value)
            case _:
                return value

    def _named(self, name: str, value: Any) -> Any:
        if value and isinstance(value, str | list | Mapping) and is_secret_name(name):
            return SHOWN
        return self.hidden(value)

    def _inner(self, text: str) -> Any:
        """JSON within JSON is a document of its own."""
        if text.startswith("{"):
            try:
                return self.hidden(json.loads(text))
            except (ValueError, RecursionError):
                pass
        return self._line(text)

    def _line(self, text: str) -> str:
        return self.text(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def forms(value: str) -> set[str]:
    """How a value may be written in a log: as it is, its lines one by one, escaped for JSON or URLs, in base64."""
    found = {value, *(line.strip() for line in value.splitlines() if len(line.strip()) >= _LEAST_LINE)}
    if len(value) < _LEAST_ENCODED:
        return found
    data = value.encode("utf-8", "surrogateescape")
    found |= {
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(data, safe=""),
        data.hex(),
    }
    # In base64 it depends on where the value begins in its group of three bytes, and on what follows it.
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + data).decode("ascii").rstrip("=")[-(-lead * 8 // 6) :]
        for core in (encoded, encoded[: (lead + len(data)) * 8 // 6 - -(-lead * 8 // 6)]):
            found |= {core, core.replace("+", "-").replace("/", "_")}
    return found


def _replaced(pattern: re.Pattern[bytes], replacement: bytes, data: bytes, cut: int) -> tuple[bytes, int]:
    """`pattern.sub`, and where the cut is then: what it goes through counts to what is before it."""
    if not cut:
        return pattern.sub(replacement, data), 0
    parts: list[bytes] = []
    at = grown = 0
    moved = cut
    for found in pattern.finditer(data):
        new = found.expand(replacement)
        parts += (data[at : found.start()], new)
        at = found.end()
        grown += len(new) - len(found[0])
        if found.start() < cut:
            moved = max(cut, at) + grown
    return b"".join([*parts, data[at:]]), moved
