"""Replaces secrets by ***: the values that are known, and those that `shapes` finds."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from supervisor.api.logs.mask import HIDDEN, Mask
from supervisor.bundle import shapes

SHOWN = HIDDEN.decode()
_LEAST_ENCODED = 6
"""A shorter value, once encoded, occurs everywhere."""
_LEAST_LINE = 8
_VARIABLES = ("env", "environment")
"""The names of lists of an item's variables."""
_OVERLAP = 16 * 1024
"""More than the length of a token or a private key."""


class Masker:
    """Masks secrets in texts, documents and the ends of logs."""

    def __init__(self, values: Iterable[str]) -> None:
        """`values`: the secrets that are known."""
        self._mask = Mask({form for value in values for form in forms(value)})

    @property
    def overlap(self) -> int:
        """How many bytes before a cut it takes to recognize a secret across the cut."""
        return max(self._mask.longest, _OVERLAP)

    def text(self, data: bytes, skip: int = 0, final: bool = True) -> bytes:
        """The text with secrets masked.

        Args:
            data: the text.
            skip: how many bytes at the beginning only help to recognize what follows. They are not returned.
            final: whether the text is complete. If not, the beginning of a value at its end is held back.
        """
        return self._mask.apply(data, skip, final, shapes.spans(data, begins=not skip)).shown

    def document(self, value: Any) -> bytes:
        """A JSON document in which secrets are masked, as are all values under names of secrets. It stays JSON."""
        return json.dumps(self.hidden(value), indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def hidden(self, value: Any) -> Any:
        """A JSON value in which secrets are masked, and so is every value of an item's variable."""
        match value:
            case Mapping():
                return {self._line(str(key)): self._named(str(key), item) for key, item in value.items()}
            case list():
                return [self.hidden(item) for item in value]
            case str():
                return self._inner(value)
            case _:
                return value

    def _named(self, name: str, value: Any) -> Any:
        if name in _VARIABLES and isinstance(value, list):
            return [self._variable(item) for item in value]
        if value and isinstance(value, str | list | Mapping) and shapes.is_secret_name(name):
            return SHOWN
        return self.hidden(value)

    def _variable(self, item: Any) -> Any:
        """A variable of an item, as records and the API write it, without its value."""
        match item:
            case str():
                return self._line(item.partition("=")[0]) + f"={SHOWN}"
            case {"name": _, "value": _}:
                return {**self.hidden({**item, "value": None}), "value": SHOWN}
            case _:
                return self.hidden(item)

    def _inner(self, text: str) -> Any:
        """A text. JSON within JSON is masked as a document of its own."""
        if text.startswith("{"):
            try:
                return self.hidden(json.loads(text))
            except (ValueError, RecursionError):
                pass
        return self._line(text)

    def _line(self, text: str) -> str:
        return self.text(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def forms(value: str) -> set[str]:
    """The forms of a value in a log: as it is, line by line, escaped for JSON or URLs, in base64."""
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
    # Base64 differs with the position of the value in its group of three bytes, and with what follows.
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + data).decode("ascii").rstrip("=")[-(-lead * 8 // 6) :]
        for core in (encoded, encoded[: (lead + len(data)) * 8 // 6 - -(-lead * 8 // 6)]):
            found |= {core, core.replace("+", "-").replace("/", "_")}
    return found
