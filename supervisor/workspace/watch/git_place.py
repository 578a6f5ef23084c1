"""What a watch has to know of git: where the repository is, and which files count although patterns exclude them."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.workspace.git.git_command import Git
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import OpsError


@dataclass(frozen=True, slots=True)
class GitPlace:
    """The folders of a repository, absolute."""

    own: bytes
    """Has HEAD and the index."""
    common: bytes
    """Has the refs; another one than `own` in a worktree."""


def located(git: Git) -> GitPlace | None:
    """The repository that holds git's folder; None: there is none, or git refuses it."""
    own = _line(git, "rev-parse", "--absolute-git-dir")
    common = _line(git, "rev-parse", "--path-format=absolute", "--git-common-dir")
    return GitPlace(own, common) if own and common else None


def kept_files(git: Git) -> list[bytes]:
    """Files that are tracked and excluded by patterns, below git's folder, by their paths from there."""
    try:
        done = git.run("ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
    except OpsError:
        return []
    return [path for path in done.stdout.split(b"\0") if path] if done.status == 0 else []


def users_patterns(git: Git) -> bytes | None:
    """The user's own file of patterns, if git was told of one."""
    return _line(git, "config", "--type=path", "--get", "core.excludesFile") or None


def git_in(job: Job) -> Git:
    """Git in the workspace."""
    return Git(job, job.workspace.encode(errors="surrogateescape"))


def _line(git: Git, *arguments: str) -> bytes:
    """What git prints, without the last newline; empty if it refuses or there is none."""
    try:
        done = git.run(*arguments)
    except OpsError:
        return b""
    return done.stdout.removesuffix(b"\n") if done.status == 0 else b""
