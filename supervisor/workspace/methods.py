"""The methods that the worker serves, and what the supervisor has to know of each without reading its messages."""

from __future__ import annotations

from dataclasses import dataclass

MODULES = (
    "supervisor.workspace.files.find",
    "supervisor.workspace.git.content_call",
    "supervisor.workspace.git.default_branch_call",
    "supervisor.workspace.git.diff_calls",
    "supervisor.workspace.git.status_call",
    "supervisor.workspace.files.read_file",
    "supervisor.workspace.files.write_file",
    "supervisor.workspace.watch.watch_job",
)
"""What the worker imports beside its own. Each registers its functions in `jobs.UNARY` or `jobs.STREAM`."""
REQUEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RelayedMethod:
    """One method, as those see it that only carry its bytes."""

    limit_bytes: int = REQUEST_BYTES
    """Of the request."""
    limit_json_bytes: int = REQUEST_BYTES
    """Of the request in JSON."""
    streams: bool = False
    shared: bool = False
    """Equal calls at one time are made once."""
    carried_out: bool = False
    """Once the whole request has come, the work is done although nobody waits for it any more."""


_CONTENT_BYTES = 128 * 1024 * 1024
_ASIDE_BYTES = 64 * 1024
"""What a request has beside its content."""
METHODS = {
    **dict.fromkeys(
        ("GetGitStatus", "GetGitDiff", "GetGitDiffFiles", "GetFileDiffContent", "GetDefaultBranch"),
        RelayedMethod(shared=True),
    ),
    "Find": RelayedMethod(),
    "ReadFile": RelayedMethod(),
    "Watch": RelayedMethod(streams=True),
    "WriteFile": RelayedMethod(
        _CONTENT_BYTES + _ASIDE_BYTES, _CONTENT_BYTES // 3 * 4 + _ASIDE_BYTES, carried_out=True
    ),
}
"""`{name: what it is}`."""
