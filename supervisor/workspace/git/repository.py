"""The repository that holds the workspace, and what changes in it are told against."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supervisor.workspace.git.git_command import Git, refusal
from supervisor.workspace.jobs import Job
from supervisor.workspace.names import spellings, text
from supervisor.workspace.ops_error import OpsError

_NOWHERE = "fatal: not a git repository (or any"


@dataclass(frozen=True, slots=True)
class ObjectFormat:
    """The ids of what is empty, by one hash. git knows these objects without having them."""

    empty_tree: str
    empty_blob: str


_FORMATS = {
    b"sha1": ObjectFormat(
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    ),
    b"sha256": ObjectFormat(
        "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    ),
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a working tree."""

    git: Git
    """In the top folder."""
    top: bytes
    """The top folder of the working tree, absolute."""
    object_format: ObjectFormat
    head: str
    """The commit that HEAD names, empty before the first."""

    def base(self, base_ref: str) -> str:
        """The commit or tree that the working tree is compared with. Raises OpsError."""
        if not base_ref:
            return self.head or self.object_format.empty_tree
        commit = self._commit(base_ref)
        if not self.head:
            return self.object_format.empty_tree
        done = self.git.run("merge-base", commit, self.head)
        if done.status == 1 and not done.stderr:
            why = "they have no commit in common, or the clone is too shallow to know it"
            raise OpsError("failed_precondition", f"cannot compare with {base_ref!r}: HEAD and it: {why}")
        if done.status != 0:
            raise refusal(done)
        return done.stdout.decode().strip()

    def _commit(self, base_ref: str) -> str:
        """The id of the commit that a client names."""
        spelled = () if base_ref.startswith("-") or "\0" in base_ref else spellings(base_ref)
        for spelling in spelled:
            named = self._object_id(spelling)
            commit = named and self._object_id(named + b"^{commit}")
            if commit:
                return commit.decode()
        raise OpsError(
            "not_found", f"cannot compare with {base_ref!r}: it names no commit; fetch it, or name another"
        )

    def _object_id(self, name: bytes) -> bytes:
        """What git takes a name for; empty: nothing, or what is to be left out ("^" before a name)."""
        done = self.git.run("rev-parse", "--verify", "--quiet", name)
        found = done.stdout.strip()
        return b"" if done.status != 0 or found.startswith(b"^") else found


def opened(job: Job) -> Repository:
    """The repository that holds the job's workspace. Raises OpsError if there is none or git refuses it."""
    git = Git(job, job.workspace.encode(errors="surrogateescape"))
    done = git.run("rev-parse", "--show-toplevel", "--show-object-format", "--verify", "--quiet", "HEAD")
    # The top folder's name may hold newlines. There is no last line if HEAD has no commit yet.
    lines = done.stdout.removesuffix(b"\n").split(b"\n")
    if done.stderr.startswith(_NOWHERE.encode()):
        where = text(git.folder)
        raise OpsError(
            "failed_precondition", f"no git repository at {where}: run `git init` there, or clone one"
        )
    formats = [index for index in (-1, -2) if len(lines) >= -index and lines[index] in _FORMATS]
    if done.status not in (0, 1) or not formats:  # 1: no commit
        raise refusal(done)
    at = formats[0]
    top = b"\n".join(lines[:at])
    head = "" if at == -1 else lines[-1].decode()
    return Repository(replace(git, folder=top), top, _FORMATS[lines[at]], head)
