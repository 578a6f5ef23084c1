"""GetFileDiffContent: a changed file before and after, whole."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace

from platform_wire.environmentopts_pb2 import GetFileDiffContentRequest, GetFileDiffContentResponse
from supervisor.workspace.git.base_file import BaseFile
from supervisor.workspace.git.conversion import Attributes
from supervisor.workspace.git.path_diff import Comparison, compared, compared_untracked
from supervisor.workspace.git.raw_diff import LINK, SUBMODULE
from supervisor.workspace.git.repository import Repository, opened
from supervisor.workspace.git.unified_diff import new_side
from supervisor.workspace.git.worktree_path import candidates, is_elsewhere
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.names import shown
from supervisor.workspace.ops_error import OpsError, refused

MOST_BYTES = 128 << 20
"""Of both contents together."""


def get_file_diff_content(request: GetFileDiffContentRequest, job: Job) -> GetFileDiffContentResponse:
    """A file as the commit has it, and as the working tree has it. Raises OpsError."""
    repository = opened(job)
    paths = candidates(request.path, repository.top)
    base = repository.base(request.base_ref)
    for path in paths:
        with compared(repository, base, path) as comparison:
            original = comparison.original()
            if original or comparison.change:
                return _answer(comparison, original, request.include_binary_content, repository)
            found = comparison.found
        is_file = found and (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode))
        if found and is_file and not is_elsewhere(repository.top, path):  # git ignores it
            with compared_untracked(repository, base, path, found) as comparison:
                answer = _answer(comparison, None, request.include_binary_content, repository)
                answer.ClearField("file_change")
                return answer
    raise OpsError(
        "not_found", f"cannot show {request.path!r}: neither the commit nor the working tree has such a file"
    )


def _answer(
    comparison: Comparison, original: BaseFile | None, with_binary: bool, repository: Repository
) -> GetFileDiffContentResponse:
    change = comparison.change
    # Git has nothing to say of a file without a change; of one that is new, it has.
    judged = comparison if change else replace(comparison, base=repository.object_format.empty_tree)
    answer = GetFileDiffContentResponse(
        file_change=change.message() if change else None, is_binary=judged.is_binary()
    )
    if answer.is_binary and not with_binary:
        return answer
    comparison.git.job.reserve((original.size if original else 0) + comparison.size())
    kept, attributes = _kept(comparison, original), Attributes.of(comparison.git, comparison.path)
    _check_sizes(comparison.path, kept, 0 if attributes.has_filter else comparison.size())
    answer.original_content = kept
    if original and original.mode not in (LINK, SUBMODULE):
        answer.original_content = Attributes.of(comparison.git, comparison.old_path).checked_out(kept)
    answer.new_content = _new(comparison, kept, attributes) if change else answer.original_content
    _check_sizes(comparison.path, answer.original_content, len(answer.new_content))
    return answer


def _kept(comparison: Comparison, original: BaseFile | None) -> bytes:
    """The original as git keeps it."""
    if original is None:
        return b""
    if original.mode == SUBMODULE:
        return f"Subproject commit {original.object_id}\n".encode()
    _check_sizes(comparison.path, b"", original.size)
    return comparison.git.output("cat-file", "blob", original.object_id)


def _new(comparison: Comparison, kept: bytes, attributes: Attributes) -> bytes:
    """The new side: what lies in the working tree, as git would keep it, with the line ends of a checkout."""
    mode = comparison.found.st_mode if comparison.found else 0
    if comparison.change and comparison.change.kind == "D":
        return b""
    if stat.S_ISREG(mode) and not attributes.may_convert:
        return _read(comparison)
    if stat.S_ISLNK(mode):
        try:
            return os.readlink(os.path.join(comparison.git.folder, comparison.path))
        except OSError:
            return b""  # it has just gone
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return b""  # a FIFO and the like have no content
    hunks = comparison.whole().hunks
    content = b"".join(map(new_side, hunks)) if hunks else kept
    return attributes.checked_out(content) if stat.S_ISREG(mode) else content


def _read(comparison: Comparison) -> bytes:
    try:
        path = os.path.join(comparison.git.folder, comparison.path)
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR):
            return b""  # it has just gone
        raise refused(f"read {shown(comparison.path)!r}", error) from None


def _check_sizes(path: bytes, original: bytes, new: int) -> None:
    if len(original) + new > MOST_BYTES:
        why = f"the original has {len(original)} bytes and the new one {new}, together over {MOST_BYTES}"
        raise OpsError(
            "failed_precondition", f"cannot show {shown(path)!r} whole: {why}; read it by ReadFile"
        )


UNARY["GetFileDiffContent"] = (GetFileDiffContentRequest, get_file_diff_content)
