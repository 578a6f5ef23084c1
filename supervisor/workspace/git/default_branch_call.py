"""GetDefaultBranch: the branch that work is merged into."""

from __future__ import annotations

from platform_wire.environmentopts_pb2 import GetDefaultBranchRequest, GetDefaultBranchResponse
from supervisor.workspace.git.git_command import Git
from supervisor.workspace.git.remotes import Remote, chosen_remote
from supervisor.workspace.git.repository import opened
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.names import shown
from supervisor.workspace.ops_error import OpsError

_USUAL = (b"main", b"master")
_HEADS = b"refs/heads/"


def get_default_branch(_: GetDefaultBranchRequest, job: Job) -> GetDefaultBranchResponse:
    """The default branch, as the remote or, without one, the repository tells it. Raises OpsError."""
    git = opened(job).git
    remote = chosen_remote(git)
    branch = of_remote(git, remote) if remote else of_repository(git)
    if branch is None:
        where = f"the remote {remote.name!r}" if remote else "the repository"
        fix = f"; `git remote set-head {remote.name} --auto` asks it" if remote else ""
        raise OpsError(
            "not_found", f"cannot tell the default branch: {where} has none that is known here{fix}"
        )
    return GetDefaultBranchResponse(branch=shown(branch))


def of_remote(git: Git, remote: Remote) -> bytes | None:
    """What the remote's HEAD names, else a usual name that it has."""
    below = f"refs/remotes/{remote.name}/".encode()
    named = git.run("symbolic-ref", "--quiet", below + b"HEAD").stdout.removesuffix(b"\n")
    head = [named.removeprefix(below)] if named.startswith(below) else []
    for branch in [*head, *_USUAL]:
        if _exists(git, below + branch):
            return branch
    return head[0] if head else None


def of_repository(git: Git) -> bytes | None:
    """What init.defaultBranch names, else a usual name, else the only branch."""
    named = git.run("config", "-z", "--get", "init.defaultBranch").stdout.removesuffix(b"\0")
    for branch in [*([named] if named else []), *_USUAL]:
        if _exists(git, _HEADS + branch):
            return branch
    branches = git.output("for-each-ref", "--format=%(refname)", "--count=2", _HEADS).splitlines()
    return branches[0].removeprefix(_HEADS) if len(branches) == 1 else None


def _exists(git: Git, ref: bytes) -> bool:
    return git.run("show-ref", "--verify", "--quiet", ref).status == 0


UNARY["GetDefaultBranch"] = (GetDefaultBranchRequest, get_default_branch)
