"""The git command line, so that it asks nobody, waits for nobody, and prints what a program can read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from supervisor.workspace.jobs import Completed, Job
from supervisor.workspace.names import text
from supervisor.workspace.ops_error import OpsError, refused

_KEPT = {
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
}
"""Variables of git's that say what the user has installed. All others could name another repository or form."""
_ENVIRON: Mapping[str, str | None] = {
    "GIT_ALLOW_PROTOCOL": "none",  # no remote is talked to, not even for objects that a partial clone lacks
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "LANGUAGE": None,
    "LC_ALL": "C",
}
_OPTIONS = (
    "--no-pager",
    *("-c", "core.fsmonitor=false"),  # a program of the repository's, or a process that would stay
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "diff.autoRefreshIndex=true"),  # files that differ in their times alone are no changes
    *("-c", "diff.suppressBlankEmpty=false"),
    *("-c", "log.showSignature=false"),
)
_SAID = ("fatal: ", "error: ")


@dataclass(frozen=True, slots=True)
class Git:
    """git in a folder.

    Attributes:
        job: on whose behalf it runs; with it git is killed.
        folder: absolute.
        environ: variables beside those that all calls have.
    """

    job: Job
    folder: bytes
    environ: Mapping[str, str | None] = field(default_factory=dict)

    def run(self, *arguments: str | bytes, stdin: bytes = b"") -> Completed:
        """Run git to its end, whatever its exit status. Raises OpsError if there is no git or no such folder."""
        others = {name: None for name in os.environ if name.startswith("GIT_") and name not in _KEPT}
        try:
            return self.job.run(
                ["git", *_OPTIONS, *arguments],
                cwd=self.folder,
                stdin=stdin,
                environ={**others, **_ENVIRON, **self.environ},
            )
        except OSError as error:
            if error.filename == "git":
                raise OpsError("failed_precondition", _NO_GIT) from None
            where = text(self.folder)
            if isinstance(error, PermissionError):
                raise refused(f"look for a git repository in {where!r}", error) from None
            raise OpsError("failed_precondition", f"no git repository at {where}: {error.strerror}") from None

    def output(self, *arguments: str | bytes, stdin: bytes = b"") -> bytes:
        """What git prints. Raises OpsError with git's own words if it fails."""
        done = self.run(*arguments, stdin=stdin)
        if done.status != 0:
            raise refusal(done)
        return done.stdout


_NO_GIT = "git calls are unsupported here: there is no git on PATH; install it in the environment"


def refusal(done: Completed) -> OpsError:
    """What a client reads of a git that has failed: the first line that tells why."""
    lines = text(done.stderr).splitlines()
    for line in lines:
        if line.startswith(_SAID):
            return OpsError("failed_precondition", f"git refuses: {line.partition(': ')[2]}")
    why = lines[0] if lines else f"it ended with {done.status} and said nothing"
    return OpsError("failed_precondition", f"git refuses: {why}")
