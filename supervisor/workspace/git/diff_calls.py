"""GetGitDiff and GetGitDiffFiles: which files changed, and the hunks of one."""

from __future__ import annotations

from platform_wire.environmentopts_pb2 import (
    GetGitDiffFilesRequest,
    GetGitDiffFilesResponse,
    GetGitDiffRequest,
    GetGitDiffResponse,
    GitHunk,
)
from supervisor.workspace.git.path_changes import all_changes, in_message
from supervisor.workspace.git.path_diff import compared
from supervisor.workspace.git.repository import opened
from supervisor.workspace.git.unified_diff import FilePatch, start_positions
from supervisor.workspace.git.worktree_path import candidates
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.names import text
from supervisor.workspace.ops_error import OpsError

MOST_FILES = 10_000


def get_git_diff(request: GetGitDiffRequest, job: Job) -> GetGitDiffResponse:
    """The change of one file, line by line; an empty answer if there is none. Raises OpsError."""
    if request.unified < 0:
        raise OpsError(
            "invalid_argument", f"cannot show {request.unified} lines around a change: give 0 or more"
        )
    repository = opened(job)
    paths = candidates(request.path, repository.top)
    base = repository.base(request.base_ref)
    for path in paths:
        with compared(repository, base, path) as comparison:
            if comparison.change is not None:
                job.reserve(2 * comparison.size())
                patch = comparison.patch(request.unified)
                return GetGitDiffResponse(
                    file_change=comparison.change.message(), hunks=_hunks(patch), is_binary=patch.is_binary
                )
    return GetGitDiffResponse()


def get_git_diff_files(request: GetGitDiffFilesRequest, job: Job) -> GetGitDiffFilesResponse:
    """The files that changed, and how many they are. Raises OpsError."""
    repository = opened(job)
    changes = all_changes(repository, repository.base(request.base_ref))
    return GetGitDiffFilesResponse(
        changed_files=in_message(changes, MOST_FILES), total_changed_files=len(changes)
    )


def _hunks(patch: FilePatch) -> list[GitHunk]:
    found = []
    for hunk, position in zip(patch.hunks, start_positions(patch.hunks), strict=True):
        at = hunk.original_no_newline_at
        found.append(
            GitHunk(
                original_start_line=hunk.original_start,
                original_lines=hunk.original_lines,
                # An offset in the body that is sent, in which replaced bytes may have another length.
                original_no_newline_at=len(text(hunk.body[:at]).encode()),
                new_start_line=hunk.new_start,
                new_lines=hunk.new_lines,
                section=text(hunk.section),
                start_position=position,
                body=text(hunk.body),
            )
        )
    return found


UNARY["GetGitDiff"] = (GetGitDiffRequest, get_git_diff)
UNARY["GetGitDiffFiles"] = (GetGitDiffFilesRequest, get_git_diff_files)
