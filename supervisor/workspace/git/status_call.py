"""GetGitStatus: where the repository stands, what is not pushed, what changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from platform_wire.environment_pb2 import EnvironmentGitStatus
from platform_wire.environmentopts_pb2 import GetGitStatusRequest, GetGitStatusResponse
from supervisor.workspace.git.git_command import Git
from supervisor.workspace.git.path_changes import all_changes, in_message
from supervisor.workspace.git.remotes import Remote, chosen_remote, clone_url
from supervisor.workspace.git.repository import Repository, opened
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.names import shown, text

MOST = 101
"""Commits and files that an answer has room for."""
_HEADS = b"refs/heads/"


def get_git_status(_: GetGitStatusRequest, job: Job) -> GetGitStatusResponse:
    """The status of the repository that holds the workspace. Raises OpsError."""
    repository = opened(job)
    with ThreadPoolExecutor(1) as beside:
        looked_up = beside.submit(_commits_and_remote, repository)
        changes = all_changes(repository, repository.base(""))
        (commits, total), remote = looked_up.result()
    return GetGitStatusResponse(
        status=EnvironmentGitStatus(
            clone_url=clone_url(remote.url) if remote else "",
            branch=current_branch(repository.git),
            latest_commit=repository.head,
            unpushed_commits=commits,
            total_unpushed_commits=total,
            changed_files=in_message(changes, MOST),
            total_changed_files=len(changes),
        )
    )


def _commits_and_remote(repository: Repository) -> tuple[tuple[list[str], int], Remote | None]:
    return unpushed_commits(repository), chosen_remote(repository.git)


def current_branch(git: Git) -> str:
    """The branch that HEAD names, also before its first commit; empty if HEAD is detached."""
    name = git.run("symbolic-ref", "--quiet", "HEAD").stdout.removesuffix(b"\n")
    return shown(name.removeprefix(_HEADS)) if name.startswith(_HEADS) else ""


def unpushed_commits(repository: Repository) -> tuple[list[str], int]:
    """The newest commits that no remote branch holds, as `<short id>: <subject>`, and how many there are."""
    which = [*(["HEAD"] if repository.head else []), "--branches", "--not", "--remotes"]
    told = repository.git.output(
        *("log", "-z", "--no-color", "--no-decorate", "--no-mailmap", "--no-notes", "--encoding=UTF-8"),
        *(f"--max-count={MOST}", "--format=tformat:%h: %s", *which),
    )
    commits = [text(line) for line in told.split(b"\0")[:-1]]
    if len(commits) < MOST:
        return commits, len(commits)
    return commits, int(repository.git.output("rev-list", "--count", *which))


UNARY["GetGitStatus"] = (GetGitStatusRequest, get_git_status)
