"""A real repository for tests, and the methods as a client would call them, but without a server between."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_wire import environmentopts_pb2 as wire
from platform_wire.environment_pb2 import EnvironmentGitStatus, FileChange
from supervisor.workspace.git import content_call, default_branch_call, diff_calls, status_call
from supervisor.workspace.jobs import UNARY, Job

METHODS = (content_call, default_branch_call, diff_calls, status_call)
"""What registers the methods."""


def kind(change: FileChange) -> str:
    """The type of a change without its prefix; of none: empty."""
    name = FileChange.ChangeType.Name(change.change_type)
    return name.removeprefix("CHANGE_TYPE_").removesuffix("UNSPECIFIED")


@dataclass
class RealRepository:
    """A repository; its top folder is the workspace unless a test names another."""

    top: Path
    workspace: Path | None = None

    def git(self, *arguments: str | bytes, stdin: bytes = b"") -> bytes:
        """What git prints; it must succeed."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.top, input=stdin, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def write(self, name: str | bytes, content: str | bytes = "") -> Path:
        """A file with that content, and its folders."""
        path = self.top / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def commit(self, message: str = "a commit") -> str:
        """Commit all that there is; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").decode().strip()

    def call(self, method: str, **fields: Any) -> Any:
        """Call a method by its name."""
        request_class, function = UNARY[method]
        return function(request_class(**fields), Job(str(self.workspace or self.top)))

    def status(self) -> EnvironmentGitStatus:
        status: EnvironmentGitStatus = self.call("GetGitStatus").status
        return status

    def changes(self, base_ref: str = "") -> dict[str, str]:
        """`{path: type}`, and `type old path` where there is one; GetGitStatus must tell the same."""
        answer: wire.GetGitDiffFilesResponse = self.call("GetGitDiffFiles", base_ref=base_ref)
        found = {change.path: f"{kind(change)} {change.old_path}".strip() for change in answer.changed_files}
        assert len(found) == len(answer.changed_files) == answer.total_changed_files
        if not base_ref:
            status = self.status()
            assert list(status.changed_files) == list(answer.changed_files)[:101]
            assert status.total_changed_files == answer.total_changed_files
        return found

    def diff(self, path: str, **fields: Any) -> wire.GetGitDiffResponse:
        answer: wire.GetGitDiffResponse = self.call("GetGitDiff", path=path, **fields)
        return answer

    def content(self, path: str, **fields: Any) -> wire.GetFileDiffContentResponse:
        answer: wire.GetFileDiffContentResponse = self.call("GetFileDiffContent", path=path, **fields)
        return answer


def conflict(repository: RealRepository) -> None:
    """A merge that has stopped, with each kind of conflict that leaves a file."""
    for name in ("both", "gone here", "gone there"):
        repository.write(name, "start\n")
    repository.commit()
    repository.git("switch", "--quiet", "--create", "other")
    repository.write("both", "there\n")
    repository.write("gone here", "there\n")
    repository.write("new", "there\n")
    (repository.top / "gone there").unlink()
    repository.commit()
    repository.git("switch", "--quiet", "main")
    repository.write("both", "here\n")
    repository.write("gone there", "here\n")
    repository.write("new", "here\n")
    (repository.top / "gone here").unlink()
    repository.commit()
    subprocess.run(["git", "merge", "--quiet", "other"], cwd=repository.top, capture_output=True, check=False)
