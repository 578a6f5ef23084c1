"""The keys that leave a terminal, in docker's notation: `ctrl-p,ctrl-q`."""

from __future__ import annotations

import re

from supervisor.model.errors import SupervisorError

DEFAULT = "ctrl-p,ctrl-q"
_CONTROL = re.compile(r"ctrl-([a-z@\[\\\]^_])")


class BadKeys(SupervisorError):
    """The notation of keys is wrong."""


class DetachKeys:
    """Looks for the keys in what is typed."""

    def __init__(self, notation: str) -> None:
        """Take keys apart by commas: a character each, or `ctrl-` and one of a-z @ [ ] \\ ^ _. Empty: no keys.

        Raises BadKeys.
        """
        keys = [_forms(key) for key in notation.split(",")] if notation else []
        self._all = re.compile(b"".join(keys)) if keys else None
        # The first keys alone, at the end of what is typed, the longest first.
        self._begun = [re.compile(b"".join(keys[:count]) + rb"\Z") for count in range(len(keys) - 1, 0, -1)]
        self._held = b""

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """What of it goes to the program, and whether the keys came.

        The first of several keys is held back until it is known what follows, as docker does.
        """
        typed = self._held + typed
        self._held = b""
        if self._all is None:
            return typed, False
        if found := self._all.search(typed):
            return typed[: found.start()], True
        for begun in self._begun:
            if found := begun.search(typed):
                self._held = typed[found.start() :]
                return typed[: found.start()], False
        return typed, False


def _forms(key: str) -> bytes:
    """A pattern of all that terminals send for a key.

    A program may have asked its terminal for other forms (`CSI u`, modifyOtherKeys) of keys with Ctrl.
    """
    if found := _CONTROL.fullmatch(key):
        letter = ord(found[1])
        code = letter & 0x1F
        plain = re.escape(bytes([code]))
        return rb"(?:%s|\x1b\[%d(?::\d+)?;5(?::1)?u|\x1b\[27;5;%d~)" % (plain, letter, letter)
    if len(key) != 1 or not key.isprintable():
        raise BadKeys(
            f'cannot detach by "{key}": name a single character or "ctrl-" and one of a-z @ [ ] \\ ^ _; '
            f'several are separated by commas, as in "{DEFAULT}"'
        )
    return re.escape(key.encode())
