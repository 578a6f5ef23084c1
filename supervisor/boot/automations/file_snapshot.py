"""A snapshot of the automations file: its content at one moment, whether it is being written, and the verdict on it.

Reading may block, on a network filesystem for example: once there is an event loop, it happens in a thread.

Where commands run as another user, the file is found and opened as that user and not as us
(`host/users/impersonation`): the workspace is the user's, so its path may be a link to anything, and the errors of a
file quote its content.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from supervisor.config import Found, Loaded, Presence, find_file, load_bytes
from supervisor.config.document.source import Unreadable, open_file, read
from supervisor.config.lookup import PLACES
from supervisor.config.problem import Problem
from supervisor.core.items.candidate import BLIND_QUIET_S
from supervisor.host.state.lease import being_written
from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.errors import TRANSIENT_ERRNOS, MachineError

if TYPE_CHECKING:
    from supervisor.host.users.account import Account


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The file at one moment."""

    found: Found
    specified: Path | str | None = None
    """The path that a user or a client gave."""
    identity: tuple[int, ...] = ()
    """Changes when the file is written; empty: it could not be opened."""
    changed_s: float = 0.0
    """When the file changed last, wall clock."""
    content: bytes | Problem | None = None
    """None: there is no file."""
    loaded: Loaded | None = None
    """The verdict; None if and only if there is no file."""
    writing: bool | None = None
    """As `lease.being_written` says."""
    short: str = ""
    """What the machine was too short of to read; empty: nothing."""

    @property
    def says(self) -> tuple[Path | None, bytes | Problem | None]:
        """The path and the content: what an edit changes."""
        return self.found.path, self.content

    def settled(self, now_s: float) -> bool:
        """Whether it is known that no writer has it open, without another look. `now_s`: wall clock."""
        if self.short:
            return False
        if not self.identity or self.writing is not None:
            return not self.writing
        return not 0 <= now_s - self.changed_s < BLIND_QUIET_S  # a time in the future says nothing


_Opened = tuple[tuple[int, ...], float, bool | None]
"""Of an open file: its identity, when it was changed, and whether it is being written."""


class Snapshots:
    """Takes snapshots. From any thread, one at a time."""

    def __init__(self, workspace: Path, reader: Account | None) -> None:
        """`reader`: the user that the workspace belongs to, if that is another one than ours."""
        self._workspace = workspace
        self._reader = reader
        self._last = Snapshot(Found(None, Presence.ABSENT))
        self._short = ""

    def take(self, specified: Path | str | None) -> Snapshot:
        """The file as it is now; `specified`: its path, if one was given."""
        self._short = ""
        try:
            found = self._find(specified)
        except (OSError, MachineError) as error:  # there may be no process to look as the user, say
            problem = Problem(f"cannot look for the file: {_why(error)}")
            place = self._last.found.path or self._workspace / PLACES[-1]
            self._note_shortage(error)
            return Snapshot(
                Found(place, Presence.DISCOVERED),
                specified,
                content=problem,
                loaded=judged(problem),
                short=self._short,
            )
        if found.path is None:
            return Snapshot(found, specified)
        opened: list[_Opened] = []
        content = read(found.path, partial(self._open, opened))
        if self._short:
            return Snapshot(found, specified, content=content, loaded=judged(content), short=self._short)
        identity, changed_s, writing = opened[0] if opened else ((), 0.0, None)
        loaded = self._last.loaded if content == self._last.content else None
        self._last = Snapshot(
            found, specified, identity, changed_s, content, loaded or judged(content), writing
        )
        return self._last

    def take_settled(
        self, specified: Path | str | None, patience_s: float, interrupted: Callable[[], bool]
    ) -> Snapshot:
        """The same once no writer has it open, or as it is when patience is over or `interrupted`. Blocks."""
        snapshot = self.take(specified)
        end_s = time.monotonic() + patience_s
        while not snapshot.settled(time.time()) and time.monotonic() < end_s and not interrupted():
            time.sleep(_STEP_S)
            snapshot = self.take(specified)
        return snapshot

    def _find(self, specified: Path | str | None) -> Found:
        if self._reader is None or specified is not None:
            return find_file(self._workspace, specified)
        from supervisor.host.users.impersonation import find_file_as

        return find_file_as(self._reader, self._workspace)

    def _open(self, opened: list[_Opened], path: Path | str) -> int:
        """A descriptor; what only an open file shows is added to `opened`."""
        try:
            descriptor = open_file(path) if self._reader is None else _open_as(self._reader, path)
        except OSError as error:
            self._note_shortage(error)
            raise
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        opened.append((identity, status.st_ctime, being_written(descriptor)))
        return descriptor

    def _note_shortage(self, error: Exception) -> None:
        if isinstance(error, OSError) and error.errno in TRANSIENT_ERRNOS:
            self._short = _why(error)


def _why(error: Exception) -> str:
    """The end of a sentence."""
    why = error.strerror if isinstance(error, OSError) else None
    return why[:1].lower() + why[1:] if why else str(error)


def _open_as(reader: Account, path: Path | str) -> int:
    from supervisor.host.users.impersonation import open_as

    try:
        return open_as(reader, path)
    except PermissionError:
        raise Unreadable(
            f'user "{reader.name}" may not read it', "make it readable for that user, with chown or chmod"
        ) from None
    except MachineError as error:
        raise Unreadable(str(error)) from error


_STEP_S = 0.05


def judged(content: bytes | Problem) -> Loaded:
    """The verdict on what was read."""
    return Loaded(None, (content,)) if isinstance(content, Problem) else load_bytes(content)
