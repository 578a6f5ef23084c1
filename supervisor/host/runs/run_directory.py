"""A run's directory: what there is of one run on disk.

    runs/<run id>/
      log         stdout and stderr, in the order written
      fifo        the FIFO that the shim pumps into `log`; gone once nobody can write into it any more
      stdout, stdout.fifo, stderr, stderr.fifo: of an operation, in place of `log` and `fifo`
      container   empty; there if the command runs in a container, which outlives the client that started it
      gitpod-service-start-REFERENCE.output or gitpod-task-REFERENCE.output: the GITPOD_OUTPUT file

When its command began and how it ended stands in the journal of all runs (`run_facts`). Commands that run as another
user can change nothing of the directory but the output file.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from supervisor.host.users.folder_trust import give_folder
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.action import RunKind
from supervisor.shim.regular_file import make_regular, open_regular
from supervisor.shim.stream_name import ERR, OUT, fifo_of, log_of, run_of

if TYPE_CHECKING:
    from supervisor.host.runs import log_note, run_facts
    from supervisor.host.runs.run_facts import RunFacts, StartedFacts
    from supervisor.host.users.account import Account
else:
    log_note = late("supervisor.host.runs.log_note")
    run_facts = late("supervisor.host.runs.run_facts")

NOTED_S = 0.05
"""How long to wait for a note that is to be in the log when its run is over."""


def output_name(kind: RunKind, reference: str) -> str:
    """The name of the GITPOD_OUTPUT file; programs in the field look for the service form."""
    return (
        f"gitpod-task-{reference}.output"
        if kind is RunKind.TASK
        else f"gitpod-service-start-{reference}.output"
    )


class RunDir:
    """The paths and facts of one run. Making the object touches nothing."""

    __slots__ = ("path", "run_id", "runs", "stream")

    def __init__(self, runs: Path, stream: str) -> None:
        """`runs` is the folder that holds all run directories; `stream` a run's id, or the name of one of its streams.

        An operation has two of these, see `stream_name`.
        """
        self.runs = runs
        self.stream = stream
        self.run_id = run_of(stream)
        self.path = os.path.join(runs, self.run_id)

    @property
    def log(self) -> str:
        """The path of the log: what the stream's FIFO is pumped into."""
        return f"{self.runs}/{log_of(self.stream)}"

    @property
    def fifo(self) -> str:
        """The path of the FIFO that is pumped into the log; it is there while some process may write into it."""
        return f"{self.runs}/{fifo_of(self.stream)}"

    @property
    def stdout(self) -> str:
        """The path of what an operation has written to standard output."""
        return f"{self.path}/{OUT}"

    @property
    def stderr(self) -> str:
        """The path of what an operation has written to standard error."""
        return f"{self.path}/{ERR}"

    def output(self, kind: RunKind, reference: str) -> str:
        """The path of the GITPOD_OUTPUT file."""
        return f"{self.path}/{output_name(kind, reference)}"

    @property
    def in_container(self) -> bool:
        """Whether the command runs in a container."""
        return os.path.exists(f"{self.path}/container")

    def create(self, in_container: bool = False) -> None:
        """Make the directory. Raises OSError."""
        os.mkdir(self.path, 0o700)
        if in_container:
            os.close(make_regular(f"{self.path}/container"))

    def open_to(self, account: Account, output: str) -> None:
        """Let the user that commands run as write the output file; an empty path: there is none. Raises OSError.

        The directory and its facts stay ours, so that no command can change them. That is why the output file is made
        here: nothing else can be put in its place, such as a link to a file of ours.
        """
        give_folder(self.path, 0o710, account.gid)
        if output:
            # To the user, not to the user's first group, which others may share: "users", for example.
            _give(output, 0o600, account)

    def restore(self, facts: StartedFacts, account: Account | None, output: str | None) -> None:
        """Make again what is missing of a live run: its directory, its output file, its facts. Raises OSError."""
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            pass
        if account:
            give_folder(self.path, 0o710, account.gid)
            if output:
                _give(output, 0o600, account)
        run_facts.restore(self.runs, {self.run_id: facts}, time.time())

    def remove(self) -> None:
        """Remove the directory and all that is in it, as far as that is possible."""
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                for name in os.listdir(folder):
                    try:
                        os.unlink(name, dir_fd=folder)
                    except FileNotFoundError:
                        pass  # the shim removes a FIFO once nobody can write into it
            finally:
                os.close(folder)
            os.rmdir(self.path)
        except FileNotFoundError:
            pass
        except NotADirectoryError:
            os.unlink(self.path)  # a link that a command put there: what it leads to is not ours
        except OSError:
            # It holds a folder of the command's, or a file that appeared meanwhile. `shutil` is slow to load.
            import shutil

            for _ in range(3):
                shutil.rmtree(self.path, ignore_errors=True)
                if not os.path.exists(self.path):
                    return

    def facts(self) -> RunFacts:
        """What the shim wrote of it. Reads the journal of all runs: for many runs, make one `WrittenFacts`."""
        return run_facts.WrittenFacts(self.runs).of(self.run_id)

    def note(self, text: str, wait_s: float = 0.0) -> bool:
        """Append lines of the supervisor's own to the log, or to an operation's standard error; see `log_note`."""
        is_whole = self.stream == self.run_id
        if is_whole and os.path.lexists(self.stdout) and not os.path.lexists(self.log):
            return RunDir(self.runs, f"{self.run_id}/{ERR}").note(text, wait_s)
        return log_note.note(self.log, self.fifo, text, wait_s)


def _give(path: str, mode: int, account: Account) -> None:
    """Give a file to a user; it is made if it is missing. Raises OSError."""
    fd = open_regular(path, os.O_RDONLY | os.O_CREAT)
    try:
        os.fchown(fd, account.uid, account.gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
