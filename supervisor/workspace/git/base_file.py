"""A file as a commit has it."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.workspace.git.git_command import Git


@dataclass(frozen=True, slots=True)
class BaseFile:
    """A file, a link or a submodule of a tree.

    Attributes:
        mode: git's.
        object_id: of the content; of a submodule: the commit.
        size: in bytes; 0 of a submodule.
    """

    mode: int
    object_id: str
    size: int


def base_file(git: Git, base: str, path: bytes) -> BaseFile | None:
    """What a commit has at a path; None if that is nothing, or a folder. Raises OpsError."""
    for line in git.output("ls-tree", "-z", "--long", "--full-tree", base, "--", path).split(b"\0")[:-1]:
        about, _, name = line.partition(b"\t")
        mode, kind, object_id, size = about.split()
        if name == path and kind != b"tree":
            return BaseFile(int(mode, 8), object_id.decode(), 0 if size == b"-" else int(size))
    return None
