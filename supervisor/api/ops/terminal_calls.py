"""Terminals: the methods of supervisor.v1.EnvironmentOpsService by which clients use shells on ptys.

The shells belong to the holder (`supervisor.terminals`); what is here puts requests into its words, and its refusals
into Connect's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Never

from google.protobuf.timestamp_pb2 import Timestamp

from connect_server.calls import Call
from connect_server.connect_errors import Code, ConnectError, quoted
from platform_wire import environmentopts_pb2 as pb
from platform_wire.environmentopts_handler import EnvironmentOpsServiceHandler
from supervisor.activity.activity import Activity
from supervisor.api.ops.refusals import FORBIDDEN, MISSING, in_connects_words
from supervisor.api.ops.terminal_profiles import ShellPrograms, profiles
from supervisor.engine import Engine
from supervisor.host.proc import worker_threads
from supervisor.model.fact import ActivitySeen
from supervisor.terminals import holder_protocol
from supervisor.terminals.holder_client import (
    HolderClient,
    HolderLost,
    HolderRefused,
    ShellFailed,
    TerminalStream,
)
from supervisor.terminals.terminal_maker import MOST_TERMINALS, TerminalMaker, unusable_variable
from supervisor.workspace import names

ACTIVITY = "Terminal"
"""The source of activity of who types. Source: contract/ops.md, Rules for all methods."""
MOST_COLS_OR_ROWS = 1000
ANNOTATION_BYTES = 16 << 10
_AGAIN_S = 5.0
"""How long input counts once it was reported: a key is pressed ten times a second."""
_NO_PROGRAM = (*MISSING, *FORBIDDEN, errno.ENOEXEC, errno.EINVAL, errno.EISDIR)


class TerminalCalls(EnvironmentOpsServiceHandler):
    """The terminal methods. Requests have passed the rules of the wire."""

    def __init__(
        self, engine: Engine, activity: Activity, holders: HolderClient, maker: TerminalMaker
    ) -> None:
        self._engine = engine
        self._activity = activity
        self._holders = holders
        self._maker = maker
        place = maker.place
        self._programs = ShellPrograms(place.account, place.environment.base.get("PATH", os.defpath))
        self._typed_at_s = -_AGAIN_S

    async def create_terminal(
        self, request: pb.CreateTerminalRequest, _call: Call
    ) -> pb.CreateTerminalResponse:
        """Start a shell on a new terminal."""
        self._refuse_while_draining()
        _check_size(request.initial_cols, request.initial_rows)
        annotations = dict(request.annotations)
        if (
            size := sum(len(text.encode()) for pair in annotations.items() for text in pair)
        ) > ANNOTATION_BYTES:
            raise ConnectError(
                Code.RESOURCE_EXHAUSTED,
                f"cannot keep annotations of {size} bytes: a terminal may have {ANNOTATION_BYTES}",
            )
        env = dict(request.env)
        if name := unusable_variable(env):
            why = "a name has letters, digits and _, and begins with no digit; a value holds no NUL"
            raise ConnectError(Code.INVALID_ARGUMENT, f"cannot set the variable {quoted(name)}: {why}")
        if "\0" in request.shell:
            raise ConnectError(Code.INVALID_ARGUMENT, "cannot start a shell whose name holds a NUL character")
        folder = _located(request.working_directory, self._maker.workspace)
        size_wanted = (request.initial_cols, request.initial_rows)
        new = self._maker.new_shell(request.shell, folder, size_wanted, env, annotations)
        try:
            await self._holders.create(new)
        except ShellFailed as failure:
            self._maker.discard(new)
            raise _not_started(failure, new.shell, new.cwd) from failure
        except HolderRefused as refusal:
            self._maker.discard(new)
            _raise(refusal, new.id)
        except HolderLost as error:
            raise ConnectError(Code.UNAVAILABLE, str(error)) from error
        except OSError as error:
            self._maker.discard(new)
            raise ConnectError(
                Code.RESOURCE_EXHAUSTED,
                f"cannot hold another terminal: {error.strerror or error}; try again later",
            ) from error
        return pb.CreateTerminalResponse(terminal_id=new.id)

    async def read_terminal(
        self, request: pb.ReadTerminalRequest, _call: Call
    ) -> AsyncIterator[pb.ReadTerminalResponse]:
        """What is kept of a terminal's output, unless the client has it, and what comes; its own bytes."""
        with _answers(request.terminal_id):
            stream = await self._holders.read(request.terminal_id, not request.skip_history)
        return self._data(stream)

    async def attach_terminal(
        self, request: pb.AttachTerminalRequest, _call: Call
    ) -> AsyncIterator[pb.AttachTerminalResponse]:
        """What the screen of a terminal shows, then what comes, then how its shell ended."""
        with _answers(request.terminal_id):
            stream = await self._holders.attach(request.terminal_id)
        return self._screen(stream)

    async def write_terminal(self, request: pb.WriteTerminalRequest, _call: Call) -> pb.WriteTerminalResponse:
        """Type something. It is answered once the holder has it."""
        with _answers(request.terminal_id):
            await self._holders.write(request.terminal_id, request.data)
        self._note_activity()
        return pb.WriteTerminalResponse()

    async def resize_terminal(
        self, request: pb.ResizeTerminalRequest, _call: Call
    ) -> pb.ResizeTerminalResponse:
        """Change the size for all who read."""
        _check_size(request.cols, request.rows)
        with _answers(request.terminal_id):
            await self._holders.resize(request.terminal_id, request.cols, request.rows)
        return pb.ResizeTerminalResponse()

    async def close_terminal(self, request: pb.CloseTerminalRequest, _call: Call) -> pb.CloseTerminalResponse:
        """End it, as if a window closed."""
        with _answers(request.terminal_id):
            await self._holders.hang_up(request.terminal_id)
        return pb.CloseTerminalResponse()

    async def list_terminals(
        self, _request: pb.ListTerminalsRequest, _call: Call
    ) -> pb.ListTerminalsResponse:
        """The open ones, the eldest first."""
        response = pb.ListTerminalsResponse()
        with _answers(""):
            listed = await self._holders.terminals()
        for one in listed:
            created = Timestamp()
            created.FromNanoseconds(int(one.created_s * 1e9))
            response.terminals.add(
                terminal_id=one.id,
                shell=names.shown(os.fsencode(one.shell)),
                working_directory=names.shown(os.fsencode(one.folder)),
                cols=one.cols,
                rows=one.rows,
                created_at=created,
                annotations=one.annotations,
            )
        return response

    async def list_terminal_profiles(
        self, request: pb.ListTerminalProfilesRequest, _call: Call
    ) -> pb.ListTerminalProfilesResponse:
        """The shells that a client may offer."""
        configured = {name: profile.path for name, profile in request.config_profiles.items()}
        found = await worker_threads.run(
            profiles, configured, request.include_detected_profiles, self._programs
        )
        response = pb.ListTerminalProfilesResponse()
        for one in found:
            response.profiles.add(profile_name=one.name, path=one.path, is_auto_detected=one.is_detected)
        return response

    async def _data(self, stream: TerminalStream) -> AsyncIterator[pb.ReadTerminalResponse]:
        async for data in self._output(stream):
            if isinstance(data, bytes):
                yield pb.ReadTerminalResponse(data=data)

    async def _screen(self, stream: TerminalStream) -> AsyncIterator[pb.AttachTerminalResponse]:
        replay = pb.TerminalReplay(data=stream.replay, cols=stream.cols, rows=stream.rows)
        yield pb.AttachTerminalResponse(replay=replay)
        async for data in self._output(stream):
            if isinstance(data, bytes):
                yield pb.AttachTerminalResponse(data=pb.TerminalData(data=data))
            else:
                yield pb.AttachTerminalResponse(exited=pb.TerminalExited(exit_code=data))

    async def _output(self, stream: TerminalStream) -> AsyncIterator[bytes | int]:
        """What is printed, and at the end the exit code. Raises ConnectError for every other end."""
        try:
            async for head, body in stream:
                match head:
                    case {"data": _}:
                        yield body
                    case {"exited": int(exit_code)}:
                        yield exit_code
                    case {"behind": _}:
                        raise ConnectError(
                            Code.ABORTED,
                            "the client reads too slowly for this terminal's output; attach anew",
                        )
                    case _:
                        raise ConnectError(Code.UNAVAILABLE, "the supervisor is shutting down")
        except HolderLost as error:
            raise ConnectError(Code.UNAVAILABLE, str(error)) from error
        finally:
            stream.close()

    def _refuse_while_draining(self) -> None:
        if self._engine.world.records.draining:
            raise ConnectError(Code.UNAVAILABLE, "cannot make a terminal: the supervisor is shutting down")

    def _note_activity(self) -> None:
        now = self._engine.now()
        if now.mono_s - self._typed_at_s >= _AGAIN_S:
            self._typed_at_s = now.mono_s
            self._activity.report(ACTIVITY)
            self._engine.post(ActivitySeen(ACTIVITY, now.wall_s))


@contextmanager
def _answers(id_: str) -> Iterator[None]:
    """Puts what a holder refuses into Connect's words."""
    try:
        yield
    except HolderRefused as refusal:
        _raise(refusal, id_)
    except HolderLost as error:
        raise ConnectError(Code.UNAVAILABLE, str(error)) from error


def _raise(refusal: HolderRefused, id_: str) -> Never:
    code, text = _REFUSALS.get(refusal.why, (Code.INTERNAL, str(refusal)))
    raise ConnectError(code, text.format(id=quoted(id_))) from refusal


_REFUSALS = {
    holder_protocol.UNKNOWN: (Code.NOT_FOUND, "there is no terminal {id}"),
    holder_protocol.ENDED: (Code.FAILED_PRECONDITION, "cannot write to terminal {id}: its shell has ended"),
    holder_protocol.FULL: (
        Code.RESOURCE_EXHAUSTED,
        f"cannot write to terminal {{id}}: {holder_protocol.INPUT_BYTES} bytes may wait for a program that does not "
        "read, and with this they would be more; nothing of it was taken",
    ),
    holder_protocol.TOO_MANY: (
        Code.RESOURCE_EXHAUSTED,
        f"cannot make a terminal: {MOST_TERMINALS} are open; close one",
    ),
    holder_protocol.DRAINING: (Code.UNAVAILABLE, "cannot make a terminal: the supervisor is shutting down"),
}


def _check_size(cols: int, rows: int) -> None:
    """Raise ConnectError for a size that no terminal has."""
    for name, number in (("columns", cols), ("rows", rows)):
        if number > MOST_COLS_OR_ROWS:
            why = f"cannot give a terminal {number} {name}: it may have {MOST_COLS_OR_ROWS}"
            raise ConnectError(Code.INVALID_ARGUMENT, why)


def _located(folder: str, workspace: str) -> str:
    with in_connects_words():
        return os.fsdecode(names.located(folder, workspace))


def _not_started(failure: ShellFailed, shell: str, folder: str) -> ConnectError:
    """Why a shell was not started, in Connect's words."""
    number, why = failure.errno, os.strerror(failure.errno)
    match failure.stage:
        case "chdir" if number in MISSING:
            return ConnectError(Code.NOT_FOUND, f"there is no folder {quoted(folder)}: {why}")
        case "chdir" if number in FORBIDDEN:
            return ConnectError(Code.PERMISSION_DENIED, f"cannot enter the folder {quoted(folder)}: {why}")
        case "exec" if number in _NO_PROGRAM:
            return ConnectError(Code.INVALID_ARGUMENT, f"there is no program {quoted(shell)} to start: {why}")
        case "exec" if number == errno.E2BIG:
            return ConnectError(
                Code.INVALID_ARGUMENT, f"cannot start {quoted(shell)}: its variables are too long"
            )
        case "pty" | "fork":
            return ConnectError(
                Code.RESOURCE_EXHAUSTED, f"cannot make a terminal now: {why}; try again later"
            )
        case stage:
            return ConnectError(Code.INTERNAL, f"cannot start {quoted(shell)}: {stage}: {why}")
