"""Raw calls of supervisor.v1.EnvironmentOpsService over TCP with a token, each on a connection of its own."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from platform_wire import environmentopts_pb2 as pb
from tests.e2e.harness import DEADLINE_S, until

SERVICE = "/supervisor.v1.EnvironmentOpsService"
_ENVELOPE = struct.Struct(">BI")
M = TypeVar("M", bound=Message)


class OpsFailure(Exception):
    """A call was refused. `code`: Connect's word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class OpsClient:
    """Calls one supervisor."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token

    def unary(self, method: str, request: Message, answer: type[M]) -> M:
        """One answer. Raises OpsFailure."""
        response, _ = self._asked(method, request.SerializeToString(), "application/proto")
        with response:
            body = response.read()
        if response.status != 200:
            error = json.loads(body)
            raise OpsFailure(error["code"], error["message"])
        return answer.FromString(body)

    def stream(self, method: str, request: Message, answer: type[M], buffer: int = 0) -> OpsStream[M]:
        """Messages, read in a thread; its head has come. `buffer`: what the kernel takes ahead; 0: as it likes."""
        data = request.SerializeToString()
        body = _ENVELOPE.pack(0, len(data)) + data
        response, sock = self._asked(method, body, "application/connect+proto", buffer)
        if response.status != 200:
            with response:
                raise AssertionError(response.read())
        return OpsStream(response, sock, answer)

    def _asked(
        self, method: str, body: bytes, content_type: str, buffer: int = 0
    ) -> tuple[http.client.HTTPResponse, socket.socket]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        head = {"Content-Type": content_type, "Authorization": f"Bearer {self.token}", "Connection": "close"}
        if buffer:
            connection.sock = socket.socket()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            connection.sock.settimeout(DEADLINE_S)
            connection.sock.connect(("127.0.0.1", self.port))
        connection.request("POST", f"{SERVICE}/{method}", body, head)
        sock = connection.sock
        return connection.getresponse(), sock

    # Files

    def read_file(self, path: str) -> bytes:
        return self.unary("ReadFile", pb.ReadFileRequest(path=path), pb.ReadFileResponse).content.data

    def write_file(self, path: str, content: bytes, mode: pb.WriteMode) -> None:
        request = pb.WriteFileRequest(path=path, content=content, mode=mode)
        self.unary("WriteFile", request, pb.WriteFileResponse)

    # Terminals

    def create(self, shell: str = "bash", **fields: Any) -> str:
        request = pb.CreateTerminalRequest(shell=shell, **fields)
        return self.unary("CreateTerminal", request, pb.CreateTerminalResponse).terminal_id

    def write(self, id_: str, data: bytes) -> None:
        request = pb.WriteTerminalRequest(terminal_id=id_, data=data)
        self.unary("WriteTerminal", request, pb.WriteTerminalResponse)

    def resize(self, id_: str, cols: int = 0, rows: int = 0) -> None:
        request = pb.ResizeTerminalRequest(terminal_id=id_, cols=cols, rows=rows)
        self.unary("ResizeTerminal", request, pb.ResizeTerminalResponse)

    def hang_up(self, id_: str) -> None:
        self.unary("CloseTerminal", pb.CloseTerminalRequest(terminal_id=id_), pb.CloseTerminalResponse)

    def terminals(self) -> list[pb.TerminalInfo]:
        return list(
            self.unary("ListTerminals", pb.ListTerminalsRequest(), pb.ListTerminalsResponse).terminals
        )

    def read(
        self, id_: str, skip_history: bool = False, buffer: int = 0
    ) -> OpsStream[pb.ReadTerminalResponse]:
        request = pb.ReadTerminalRequest(terminal_id=id_, skip_history=skip_history)
        return self.stream("ReadTerminal", request, pb.ReadTerminalResponse, buffer)

    def attach(self, id_: str) -> OpsStream[pb.AttachTerminalResponse]:
        return self.stream(
            "AttachTerminal", pb.AttachTerminalRequest(terminal_id=id_), pb.AttachTerminalResponse
        )


class OpsStream(Generic[M]):
    """A stream of messages. To be closed."""

    def __init__(self, response: http.client.HTTPResponse, sock: socket.socket, answer: type[M]) -> None:
        self.messages: list[M] = []
        self.error: OpsFailure | None = None
        self.is_over = False
        self.breaks_off = False
        """Whether it ended without an end."""
        self.longest = 0
        self._printed = bytearray()
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._answer = answer
        self._response = response
        self._socket = sock
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def printed(self) -> bytes:
        """The data of all messages, the replay included."""
        return bytes(self._printed)

    def pause(self) -> None:
        """Read no more, until `go_on`."""
        self._goes_on.clear()

    def go_on(self) -> None:
        self._goes_on.set()

    def until(self, condition: Callable[[bytes], Any], what: str = "the output") -> None:
        """Wait until what was printed meets the condition."""
        until(lambda: condition(self.printed) or self.is_over, what)
        assert condition(self.printed), (
            f"{what} did not come; there was {self.printed[-500:]!r}, {self.error}"
        )

    def until_printed(self, text: bytes) -> None:
        self.until(lambda printed: text in printed, repr(text))

    def end(self) -> OpsFailure | None:
        """Wait for its end; returns the error, if it ends with one."""
        until(lambda: self.is_over, "the end of the stream")
        return self.error

    def close(self) -> None:
        self._goes_on.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed
        self._thread.join(DEADLINE_S)
        self._response.close()
        self._socket.close()

    def _run(self) -> None:
        try:
            while self._step():
                self._goes_on.wait(DEADLINE_S * 10)
        except (OSError, http.client.HTTPException, ValueError, struct.error, AttributeError):
            self.breaks_off = True
        self.is_over = True

    def _step(self) -> bool:
        flags, length = _ENVELOPE.unpack(self._response.read(_ENVELOPE.size))
        body = self._response.read(length)
        if flags & 2:
            error = json.loads(body).get("error")
            self.error = OpsFailure(error["code"], error["message"]) if error else None
            return False
        message = self._answer.FromString(body)
        self.messages.append(message)
        data = _data(message)
        self.longest = max(self.longest, len(data))
        self._printed += data
        return True


def _data(message: Message) -> bytes:
    match message:
        case pb.ReadTerminalResponse():
            return message.data
        case pb.AttachTerminalResponse():
            return message.data.data or message.replay.data
        case _:
            return b""
