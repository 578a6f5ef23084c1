"""Runs an operation once, whoever asks for it and how often, and waits for its end.

| the operation | who asks with its id |
|---|---|
| is not known, or has no id | has it run, and waits for its end |
| runs | waits with the others |
| has ended, its result is kept | has it at once |
| has ended, its result is gone | is refused: it is not run again |

Nothing that happens to those who wait touches the command.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from connect_server.connect_errors import Code, ConnectError
from supervisor.api.ops.refusals import FORBIDDEN, MISSING
from supervisor.core import queries
from supervisor.engine import Engine
from supervisor.hub import Resync, Subscription
from supervisor.model.errors import TRANSIENT_ERRNOS, Draining, Exhausted, StoreError
from supervisor.model.exit import NotStarted
from supervisor.model.ids import OperationId, fresh
from supervisor.model.operation_record import (
    CancelOperation,
    EndReason,
    ForgottenOperation,
    Operation,
    OperationEnded,
    RunOperation,
    digest_of,
)
from supervisor.workspace.names import located, spellings

LONGEST_ID = 256
"""Characters of an operation id."""
_SHORT = (*TRANSIENT_ERRNOS, errno.ENOSPC, errno.EDQUOT)
_OTHER_WORDS = {
    "timed out": "took too long",
    "timeout": "time limit",
    "connection refused": "the other side refuses",
    "no such host": "the host is unknown",
    "name not resolved": "the name is unknown",
    "network is unreachable": "the network cannot be reached",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """What a client wants to have run."""

    id: OperationId
    """Empty: nobody asks again."""
    command: str
    working_directory: str = ""
    """Absolute, or below the workspace; empty: the workspace."""
    limit_s: float = 0.0
    """0: none."""

    def check(self) -> None:
        """Raise ConnectError for what cannot be run."""
        if self.limit_s < 0:
            raise ConnectError(Code.INVALID_ARGUMENT, "the limit must be 0 or more seconds")
        if len(self.id) > LONGEST_ID:
            text = f"the operation id must have at most {LONGEST_ID} characters"
            raise ConnectError(Code.INVALID_ARGUMENT, text)
        for name, text in (("command", self.command), ("working directory", self.working_directory)):
            if "\0" in text:
                raise ConnectError(Code.INVALID_ARGUMENT, f"the {name} must not hold a NUL character")
            # The command line has bytes that are no characters as Python writes them; other halves mean nothing.
            _encodable(name, text, "surrogateescape")
        _encodable("operation id", self.id, "strict")


def _encodable(name: str, text: str, errors: str) -> None:
    """Raise ConnectError for text that can be no bytes."""
    try:
        text.encode("utf-8", errors)
    except UnicodeEncodeError:
        why = f"the {name} must not hold half a surrogate pair, which is not a character"
        raise ConnectError(Code.INVALID_ARGUMENT, why) from None


class UsedIds(Protocol):
    """Knows ids whose results are no longer kept. The store does."""

    def forgotten_operation(self, operation_id: OperationId) -> ForgottenOperation | None:
        """What is known of an id; None: it is not used, as far as is known. Raises StoreError."""


class OperationRunner:
    """For all clients of a server. Used on the engine's thread."""

    def __init__(self, engine: Engine, used_ids: UsedIds, workspace: str) -> None:
        """Nobody waits yet."""
        self._engine = engine
        self._workspace = workspace
        self._used_ids = used_ids
        self._waiting: dict[OperationId, set[asyncio.Future[Operation]]] = {}
        self._subscription: Subscription | None = None

    @contextmanager
    def running(self, asked: OperationRequest) -> Iterator[tuple[OperationId, asyncio.Future[Operation]]]:
        """The id, and a future that gets the operation once it has ended, or could not be started.

        The future of one that had ended before is done. Raises ConnectError.
        """
        asked.check()
        asked = replace(asked, working_directory=self._folder(asked.working_directory))
        id_ = asked.id or OperationId(fresh())
        known = queries.operation(self._engine.world.records, id_)
        if known is None and asked.id:
            self._refuse_forgotten(id_)
        if known is not None and known.digest != digest_of(asked.command, asked.working_directory):
            _log.warning("an operation id came again with another command: it gets the first one's result")
        with self._future(id_) as end:
            if known is None:
                self._submit(id_, asked)
            elif isinstance(known.state, OperationEnded):
                end.set_result(known)
            yield id_, end

    def cancel(self, id_: OperationId) -> None:
        """Have an operation ended; nothing happens if it has ended, or nobody knows it."""
        self._engine.submit(CancelOperation(id_))

    def on_changes(self) -> None:
        """Take each change at once: so none is dropped, and one that could not be started is not missed."""
        for change in self._subscription.take() if self._subscription else ():
            record = None if isinstance(change, Resync) else change.after
            if isinstance(record, Operation) and isinstance(record.state, OperationEnded):
                for end in self._waiting.get(record.operation_id, ()):
                    if not end.done():
                        end.set_result(record)

    def _folder(self, path: str) -> str:
        """The folder as it is called on the disk: a name that is not UTF-8 reaches clients in other characters."""
        return os.fsdecode(located(path, self._workspace)) if len(spellings(path)) > 1 else path

    def _submit(self, id_: OperationId, asked: OperationRequest) -> None:
        if self._engine.store_error:  # after a crash nobody would know that it was accepted
            why = f"cannot run the command: records cannot be written: {plain(self._engine.store_error)}"
            raise ConnectError(Code.RESOURCE_EXHAUSTED, why)
        command = RunOperation(id_, asked.command, asked.working_directory, asked.limit_s, fresh())
        try:
            self._engine.submit(command)
        except Draining as error:
            raise ConnectError(Code.UNAVAILABLE, str(error)) from error
        except Exhausted as error:
            raise ConnectError(Code.RESOURCE_EXHAUSTED, str(error)) from error

    def _refuse_forgotten(self, id_: OperationId) -> None:
        """Raise ConnectError if an operation had this id whose result is no longer kept."""
        try:
            forgotten = self._used_ids.forgotten_operation(id_)
        except StoreError as error:
            why = f"cannot look for the operation id among those that are used: {plain(str(error))}"
            raise ConnectError(Code.UNAVAILABLE, why) from error
        if forgotten is not None:
            raise no_output(forgotten.status)

    @contextmanager
    def _future(self, id_: OperationId) -> Iterator[asyncio.Future[Operation]]:
        end: asyncio.Future[Operation] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id_, set()).add(end)
        if self._subscription is None:
            self._subscription = self._engine.hub.subscribe(self)
        try:
            yield end
        finally:
            end.cancel()
            self._waiting[id_].discard(end)
            if not self._waiting[id_]:
                del self._waiting[id_]
            if not self._waiting and self._subscription is not None:
                self._engine.hub.unsubscribe(self._subscription)
                self._subscription = None


def refuse_not_started(operation: Operation) -> None:
    """Raise ConnectError for an operation that could not be started: its id is not used up."""
    state = operation.state
    if operation.uses_up_id or not isinstance(state, OperationEnded):
        return
    assert isinstance(state.exit, NotStarted)
    code = Code.UNAVAILABLE if state.why == EndReason.DRAIN else _code(state.exit.errno)
    raise ConnectError(code, f"cannot run the command: {plain(state.exit.why)}")


def no_output(status: int | None) -> ConnectError:
    """The error for a result that is no longer kept."""
    how = "has ended" if status is None else f"has ended with exit code {status}"
    text = f"the command {how}; its output is no longer kept, and it is not run again"
    return ConnectError(Code.ABORTED, text)


def plain(why: str) -> str:
    """A reason without the words that the public SDK takes for a supervisor that cannot be reached."""
    lower = why.lower()
    for word, other in _OTHER_WORDS.items():
        while (at := lower.find(word)) >= 0:
            why = why[:at] + other + why[at + len(word) :]
            lower = why.lower()
    return why


def _code(number: int) -> Code:
    if number in MISSING:
        return Code.NOT_FOUND
    if number in FORBIDDEN:
        return Code.PERMISSION_DENIED
    if number == errno.ESRCH:  # the shim cannot be had
        return Code.UNAVAILABLE
    return Code.RESOURCE_EXHAUSTED if number in _SHORT else Code.FAILED_PRECONDITION
