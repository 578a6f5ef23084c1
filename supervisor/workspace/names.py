"""Names of files as clients see them, and back.

A name is bytes; a client sees text. A byte that is no part of UTF-8 is shown as U+EF00 plus the byte. In a path that a
client sends, such a character means itself if that file exists, else the byte.
"""

from __future__ import annotations

import os
import re

from supervisor.workspace.ops_error import OpsError

_FIRST, _LAST = 0xEF80, 0xEFFF
_SHOWN = {0xDC00 + byte: 0xEF00 + byte for byte in range(0x80, 0x100)}
_BYTES = {shown: escaped for escaped, shown in _SHOWN.items()}
"""`surrogateescape` has a byte as U+DC00 plus the byte."""
_ODD = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")


def shown(name: bytes) -> str:
    """A name or path as clients see it."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode(errors="surrogateescape").translate(_SHOWN)


def all_shown(names: list[bytes]) -> list[str]:
    """Names, not paths, as clients see them: a folder may have very many."""
    try:
        return b"/".join(names).decode().split("/") if names else []
    except UnicodeDecodeError:
        return [shown(name) for name in names]


def text(data: bytes) -> str:
    """What a text field has of bytes: U+FFFD for those that are not UTF-8."""
    return data.decode(errors="replace")


def spellings(path: str) -> tuple[bytes, ...]:
    """What a path of a client's can mean: the characters themselves, and, if others are possible, the bytes.

    Raises OpsError if no file can have such a name.
    """
    if "\0" in path:
        raise OpsError("invalid_argument", f"cannot use the path {path!r}: it holds a NUL character")
    literal = path.encode(errors="surrogateescape")
    if not _ODD.search(path):
        return (literal,)
    return literal, path.translate(_BYTES).encode(errors="surrogateescape")


def located(path: str, workspace: str) -> bytes:
    """The absolute path that a client means; `..` and links stay as they are. An empty one is the workspace.

    Every part of the path is looked at for itself, so a file of either spelling may lie in a folder of the other.
    Raises OpsError if no file can have such a name.
    """
    both = spellings(path)
    start = os.fsencode(workspace)
    if len(both) == 1:
        return os.path.join(start, both[0]) if both[0] else start
    found = b"" if path.startswith("/") else start
    for part in path.split("/"):
        if part:
            found = found + b"/" + _existing(found, part)
    return found + b"/" if path.endswith("/") else found


def _existing(folder: bytes, part: str) -> bytes:
    literal, *others = spellings(part)
    if others and not os.path.lexists(folder + b"/" + literal):
        return others[0]
    return literal
