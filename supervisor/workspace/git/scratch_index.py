"""An index with a few paths, in a file of its own: git compares these with the working tree, whatever its index says.

git looks only at paths that its index has. So a path that is not in it, but in the base and the working tree, would be
told as gone, and an untracked one would have no patch. Nothing of the repository is written.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from supervisor.workspace.git.git_command import Git

_HASHES = {20: hashlib.sha1, 32: hashlib.sha256}
_LONGEST = 0xFFF
"""Of a length in an entry's flags; longer names have this one."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What the index says of a path."""

    mode: int
    object_id: str


def index_bytes(entries: Mapping[bytes, IndexEntry]) -> bytes:
    """The file of an index, version 2 (gitformat-index(5)), without times and sizes: git looks at the files itself."""
    content = bytearray(struct.pack(">4sII", b"DIRC", 2, len(entries)))
    size = 20
    for path, entry in sorted(entries.items()):
        object_id = bytes.fromhex(entry.object_id)
        size = len(object_id)
        packed = struct.pack(">6II3I", 0, 0, 0, 0, 0, 0, entry.mode, 0, 0, 0)
        packed += object_id + struct.pack(">H", min(len(path), _LONGEST)) + path
        content += packed + b"\0" * (8 - len(packed) % 8)
    return bytes(content + _HASHES[size](content).digest())


@contextmanager
def scratch(git: Git, entries: Mapping[bytes, IndexEntry]) -> Iterator[Git]:
    """Give git such an index for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="supervisor-git-") as folder:
        path = os.path.join(folder, "index")
        with open(path, "wb") as file:
            file.write(index_bytes(entries))
        yield replace(git, environ={**git.environ, "GIT_INDEX_FILE": path})
