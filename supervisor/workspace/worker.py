"""The worker: the process that works on the workspace, as the user.

It is executed anew by the supervisor, with the environment of commands and nothing else of ours: no memory, no
descriptor but its socket. It imports what it needs and then becomes the user for good, before it reads a request: the
user need not be able to read the program. `worker_protocol` has the language.

The main thread reads the socket. A call with one answer is made by one of a few threads, a stream has a thread of its
own. For a large answer the supervisor is asked for room; a call that waits for that holds no thread.

It ends when the supervisor closes the socket or dies. What was started for a call is killed then; a call that is to be
carried out although nobody waits (`methods.RelayedMethod.carried_out`) is carried out first.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import queue
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from google.protobuf.message import DecodeError

from connect_server import strict_json
from connect_server.connect_errors import InvalidArgument
from connect_server.validation import Validator
from platform_wire.rules import RULES
from supervisor import __version__
from supervisor.host.proc import heap, inheritance
from supervisor.workspace.jobs import STREAM, UNARY, Job, NoRoomYet
from supervisor.workspace.methods import METHODS, MODULES
from supervisor.workspace.ops_error import Cancelled, OpsError, refused
from supervisor.workspace.worker_protocol import (
    HEAD,
    LARGE_BYTES,
    PIECE_BYTES,
    SIZE,
    VERSION,
    FrameKind,
    frame,
)

MOST_THREADS = 32
MOST_STREAMS = 64
LAST_WORK_S = 10.0
"""How long what is to be carried out may take when the supervisor is gone."""
_NOT_DUMPABLE = (4, 0)
"""prctl(2): PR_SET_DUMPABLE. Files of ours in /proc belong to root then, and the user cannot trace this process."""
_HARMLESS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Meant for the supervisor, and sent to all processes of its unit or terminal: it decides when this one ends."""


class ServedCall:
    """One call, from its first frame until nothing more is to be said of it."""

    def __init__(self, number: int, method: str, form: str, job: Job) -> None:
        self.number = number
        self.method = method
        self.form = form
        """`proto` or `json`: of the request and the answer."""
        self.job = job
        self.pieces: list[bytes] = []
        """Of the request."""
        self.is_whole = False
        self.is_unwanted = False
        self.is_parked = False
        """It waits for room."""
        self.is_large = False
        """Its request or answer is."""
        self.answer = memoryview(b"")
        """What is still to be sent of it."""
        self.credit = threading.Semaphore(0)
        """How many messages of a stream are asked for."""


class Worker:
    """Serves the supervisor at the other end of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        """Guards the calls and what becomes of them."""
        self._calls: dict[int, ServedCall] = {}
        self._streams = 0
        self._queue: queue.SimpleQueue[ServedCall] = queue.SimpleQueue()
        self._threads = 0
        self._unfinished = 0
        """Calls with one answer that are whole and not answered yet, those without room left out."""
        self._workspace = ""
        self._validator = Validator(RULES)

    def run(self) -> None:
        """Serve until the supervisor is gone."""
        self._send(FrameKind.HELLO, 0, json.dumps({"version": __version__, "language": VERSION}).encode())
        try:
            kind, _, data = self._frame()
            if kind is not FrameKind.SETTINGS:
                return
            self._workspace = _settle(json.loads(data))
            self._send(FrameKind.READY)
            while True:
                self._take(*self._frame())
        except OSError as error:
            if self._workspace:
                return  # the supervisor is gone
            text = f"cannot become the user that commands run as: {error.strerror}"
            self._fail(0, "unavailable", text)
        except EOFError:
            pass
        finally:
            self._end()

    def _frame(self) -> tuple[FrameKind, int, bytes]:
        kind, number, length = HEAD.unpack(self._exactly(HEAD.size))
        return FrameKind(kind), number, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = self._socket.recv(size, socket.MSG_WAITALL) if size else b""
        if len(data) < size:  # a signal may have cut it short
            pieces = [data]
            while (rest := size - sum(map(len, pieces))) > 0:
                more = self._socket.recv(rest, socket.MSG_WAITALL)
                if not more:
                    raise EOFError
                pieces.append(more)
            data = b"".join(pieces)
        return data

    def _take(self, kind: FrameKind, number: int, data: bytes) -> None:
        if kind is FrameKind.CALL:
            said = json.loads(data)
            self._calls[number] = ServedCall(
                number, said["method"], said["form"], Job(self._workspace, has_room=False)
            )
            return
        call = self._calls.get(number)
        if call is None:
            return  # it has failed, or was answered meanwhile
        match kind:
            case FrameKind.PIECE:
                call.pieces.append(data)
            case FrameKind.END:
                call.is_whole = True
                self._begin(call)
            case FrameKind.MORE if call.method in STREAM:
                call.credit.release()
            case FrameKind.MORE:
                self._send_piece(call)
            case FrameKind.ROOM:
                self._resume(call)
            case FrameKind.CANCEL:
                self._cancel(call)
            case _:
                raise ValueError(kind)

    def _begin(self, call: ServedCall) -> None:
        if call.method not in STREAM:
            with self._lock:
                self._unfinished += 1
            self._queue.put(call)
            self._provide()
            return
        with self._lock:
            self._streams += 1
            if self._streams <= MOST_STREAMS and _started(self._stream, call):
                return
        self._failed(call, OpsError("resource_exhausted", "there are too many streams: end some of them"))
        self._stream_over()

    def _provide(self) -> None:
        """Start as many threads as there is work for, as far as the machine gives any."""
        with self._lock:
            while self._threads < min(self._unfinished, MOST_THREADS) and _started(self._work):
                self._threads += 1
            if self._threads:
                return
            self._unfinished = 0
        while not self._queue.empty():
            why = "the machine has no thread left: try again later"
            self._failed(self._queue.get(), OpsError("resource_exhausted", why))

    def _work(self) -> None:
        while True:
            call = self._queue.get()
            try:
                answer = self._answer(call)
            except NoRoomYet:
                self._park(call)
                continue
            except BaseException as error:
                self._failed(call, error)
            else:
                self._answered(call, answer)
                del answer
            with self._lock:
                self._unfinished -= 1
            del call

    def _park(self, call: ServedCall) -> None:
        """Let it wait, without a thread, until the supervisor gives it room for a large answer."""
        with self._lock:
            self._unfinished -= 1
            call.is_parked = not call.is_unwanted
        if call.is_parked:
            self._send(FrameKind.ROOM, call.number)
        else:
            self._over(call)

    def _resume(self, call: ServedCall) -> None:
        with self._lock:
            if not call.is_parked:
                return
            call.is_parked = False
            self._unfinished += 1
        call.job.has_room = call.is_large = True
        self._queue.put(call)
        self._provide()

    def _answer(self, call: ServedCall) -> bytes:
        """The answer's bytes."""
        if METHODS[call.method].carried_out:
            call.job.has_room = True  # it may be unwanted already, and then nobody would give it any
        else:
            call.job.check()
            call.job.reserve(sum(map(len, call.pieces)))
        _, function = UNARY[call.method]
        response = function(self._request(call), call.job)
        # It should have asked before it built this; what is sent at one time is bounded all the same.
        call.job.reserve(response.ByteSize())
        return _encoded(response, call.form)

    def _request(self, call: ServedCall) -> Any:
        kind, _ = UNARY.get(call.method) or STREAM[call.method]
        data = call.pieces[0] if len(call.pieces) == 1 else b"".join(call.pieces)
        if len(data) > LARGE_BYTES:  # it has its room, so this is not repeated
            call.pieces.clear()
            call.is_large = True
        if call.form == "json":
            request = strict_json.decode(data, kind)
        else:
            request = kind.FromString(data)
        self._validator.validate(request)
        return request

    def _answered(self, call: ServedCall, answer: bytes) -> None:
        with self._lock:
            if call.is_unwanted:
                wanted = False
            else:
                wanted, call.answer = True, memoryview(answer)
        if not wanted:
            self._over(call)
            return
        self._send_piece(call, SIZE.pack(len(answer)))

    def _send_piece(self, call: ServedCall, size: bytes = b"") -> None:
        """Send the next piece of the answer; the first one with the size of the whole."""
        piece, call.answer = call.answer[:PIECE_BYTES], call.answer[PIECE_BYTES:]
        is_last = not call.answer
        self._send(FrameKind.ANSWER if size else FrameKind.PIECE, call.number, size, piece)
        del piece
        if is_last:
            self._over(call)

    def _stream(self, call: ServedCall) -> None:
        try:
            _, function = STREAM[call.method]
            messages = function(self._request(call), call.job)
            try:
                self._pump(call, messages)
            finally:
                close: Callable[[], None] | None = getattr(messages, "close", None)
                if close is not None:
                    close()
        except BaseException as error:
            self._failed(call, error)
        else:
            self._send(FrameKind.DONE, call.number)
            self._over(call)
        finally:
            self._stream_over()

    def _pump(self, call: ServedCall, messages: Iterator[Any]) -> None:
        held = next(messages, call)
        if held is None:
            self._send(FrameKind.BEGUN, call.number)
        while held is not call:
            if held is not None:
                call.credit.acquire()
                call.job.check()
                self._send(FrameKind.PIECE, call.number, _encoded(held, call.form))
            held = next(messages, call)

    def _stream_over(self) -> None:
        with self._lock:
            self._streams -= 1

    def _cancel(self, call: ServedCall) -> None:
        with self._lock:
            call.is_unwanted = True
            works_on = call.is_whole and METHODS[call.method].carried_out
            is_idle = bool(call.answer) or call.is_parked or not call.is_whole
            call.is_parked, call.answer = False, memoryview(b"")
        if works_on and not is_idle:
            return
        call.job.cancel()
        call.credit.release()
        if is_idle:
            self._over(call)

    def _failed(self, call: ServedCall, error: BaseException) -> None:
        if not call.is_unwanted:
            self._fail(call.number, *_explained(error, call.method))
        self._over(call)

    def _fail(self, number: int, code: str, message: str, details: str = "") -> None:
        self._send(
            FrameKind.FAILED,
            number,
            json.dumps({"code": code, "message": message, "details": details}).encode(),
        )

    def _over(self, call: ServedCall) -> None:
        """Nothing more is to be said of it."""
        with self._lock:
            self._calls.pop(call.number, None)
        call.pieces.clear()
        call.answer = memoryview(b"")
        if call.is_large:
            heap.give_back()

    def _send(self, kind: FrameKind, number: int = 0, *parts: bytes | memoryview) -> None:
        """Send a frame. If the supervisor is gone, the main thread finds out."""
        data = b"".join(parts)
        try:
            with self._sending:
                self._socket.sendall(frame(kind, number, data))
        except OSError:
            pass

    def _end(self) -> NoReturn:
        """Kill what was started, wait for what is to be carried out, and leave."""
        with self._lock:
            calls = list(self._calls.values())
        last = [call for call in calls if call.is_whole and METHODS[call.method].carried_out]
        for call in calls:
            call.is_unwanted = True
            if call not in last:
                call.job.cancel()
        give_up_at = time.monotonic() + LAST_WORK_S
        while any(call.number in self._calls for call in last) and time.monotonic() < give_up_at:
            time.sleep(0.005)
        os._exit(0)


def main(descriptor: int) -> None:
    """Serve the supervisor at the other end of this descriptor."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in _HARMLESS:
        signal.signal(number, lambda *_: None)  # unlike SIG_IGN that is not passed on to programs
    for name in MODULES:
        importlib.import_module(name)
    with socket.socket(fileno=descriptor) as sock:
        Worker(sock).run()


def _settle(settings: dict[str, Any]) -> str:
    """Set back what the supervisor has changed about itself, and become the user. Returns the workspace.

    Raises OSError.
    """
    inheritance.set_again(settings["restore"])
    if settings["user"] is not None:
        uid, gid = settings["user"]["uid"], settings["user"]["gid"]
        os.setgroups(settings["user"]["groups"])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        ctypes.CDLL(None, use_errno=True).prctl(*_NOT_DUMPABLE, 0, 0, 0)
    return str(settings["workspace"])


def _started(work: Callable[..., None], *arguments: object) -> bool:
    """Whether a thread does this."""
    try:
        threading.Thread(target=work, args=arguments, daemon=True).start()
    except (RuntimeError, MemoryError):
        return False
    return True


def _encoded(message: Any, form: str) -> bytes:
    return strict_json.encode(message) if form == "json" else bytes(message.SerializeToString())


def _explained(error: BaseException, method: str) -> tuple[str, str, str]:
    """Code and sentence for the client, and what our own log gets."""
    match error:
        case OpsError():
            return error.code, error.message, ""
        case Cancelled():
            return "canceled", "nobody waits for the answer any more", ""
        case InvalidArgument():
            return "invalid_argument", str(error), ""
        case DecodeError():
            kind, _ = UNARY.get(method) or STREAM[method]
            name = kind.DESCRIPTOR.full_name
            text = f"cannot accept the request: the body is truncated, or is not a {name}"
            return "invalid_argument", text, ""
        case MemoryError():
            return "resource_exhausted", "there is not enough memory for the answer", ""
        case OSError():
            return (*_refusal(error, method), "")
        case _:
            return "internal", "", "".join(traceback.format_exception(error))


def _refusal(error: OSError, method: str) -> tuple[str, str]:
    found = refused(f"carry out {method}", error)
    return found.code, found.message
