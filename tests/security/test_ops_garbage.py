"""The 21 methods that work in the environment, on a real supervisor: whatever is sent, and wherever a client leaves,
nothing inside fails and nothing is left behind.

The requests are those of `tests/api/test_fuzz.py`: right ones, nearly right ones, and none at all. Answers are held to
the rules of their messages, which tests hold to the contract's.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given

from connect_server.validation import Validator
from platform_wire import environmentopts_pb2 as pb
from platform_wire.rules import RULES
from tests.api.test_fuzz import Sent, calls, check, examples
from tests.connect_server.serving import envelope
from tests.faults.scene import Scene, read_errors, until
from tests.security.test_fuzz import descriptors
from tests.security.web import Web

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SERVICE = pb.DESCRIPTOR.services_by_name["EnvironmentOpsService"]
METHODS = {f"/{SERVICE.full_name}/{method.name}": method for method in SERVICE.methods}
VALIDATOR = Validator(RULES)
TRAPS = (
    "timeout",
    "timed out",
    "connection refused",
    "no such host",
    "name not resolved",
    "network is unreach",
)
"""Source: contract/ops.md, The real clients."""
MOST, LEAST = 2**63 - 1, -(2**63)


def ask(web: Web, sent: Sent, token: str) -> tuple[int, dict[str, str], bytes]:
    """Status, head and body; of a stream that has begun its head alone."""
    with closing(http.client.HTTPConnection(*web.address, timeout=30)) as connection:
        headers = {"Authorization": f"Bearer {token}"} | dict(sent.headers)
        connection.putrequest(sent.verb, sent.path.encode("utf-8", "surrogateescape").decode("latin-1"))
        for name, value in (headers | {"Content-Length": str(len(sent.body))}).items():
            connection.putheader(name, value.encode())
        connection.endheaders(sent.body)
        response = connection.getresponse()
        streams = (response.headers.get("Content-Type") or "").startswith("application/connect+")
        return response.status, dict(response.headers), b"" if streams else response.read()


def hold_to_rules(sent: Sent, head: Mapping[str, str], body: bytes) -> None:
    """What clients of the binary form get: rules of messages, and no words that the SDKs take for their own."""
    method = METHODS.get(sent.path.partition("?")[0].removeprefix("/api"))
    if method is not None and head.get("Content-Type") == "application/proto":
        answer = GetMessageClass(method.output_type).FromString(body)
        assert VALIDATOR.violations(answer) == []
    elif sent.headers.get("Content-Type") == "application/proto" and body.startswith(b"{"):
        message = json.loads(body)["message"].lower()
        assert not [trap for trap in TRAPS if trap in message], message


@pytest.fixture
def web(scene: Scene) -> Iterator[Web]:
    """A supervisor that must be well afterwards, and hold no more than before."""
    web = Web(scene)
    pid = scene.supervisor.pid
    before, top = descriptors(pid), set(os.listdir("/"))
    yield web
    assert scene.supervisor.process.poll() is None, read_errors(scene.supervisor)
    for listed in json.loads(call(web, "ListTerminals", {})).get("terminals", []):
        call(web, "CloseTerminal", {"terminalId": listed["terminalId"]})
    # One for the worker, and one for the process that holds terminals.
    until(lambda: descriptors(pid) <= before + 4, f"the end of all connections, of {before}")
    assert scene.phases() == {"web": "running"}
    assert set(os.listdir("/")) == top
    scene.in_agreement()
    scene.end()


def call(web: Web, method: str, request: object) -> bytes:
    answer = web.ask(f"/{SERVICE.full_name}/{method}", "POST", json.dumps(request).encode(), web.token())
    assert answer.status in (200, 404, 501), answer.raw
    return answer.raw.partition(b"\r\n\r\n")[2] if answer.status == 200 else b"{}"


def test_any_request_is_answered_without_an_error_of_the_supervisor(web: Web) -> None:
    token = web.token()
    statuses: dict[str, set[int]] = {}
    for path in METHODS:

        @examples(4)
        @given(calls(path))
        def send(sent: list[Sent]) -> None:
            for each in sent:
                status, head, body = ask(web, each, token)
                check(each, status, head, body)
                hold_to_rules(each, head, body)
                statuses.setdefault(path, set()).add(status)  # noqa: B023 - it is called in this round

        send()
    for path, found in statuses.items():
        assert found & {200, 400, 404, 501}, path


HUGE: dict[str, list[dict[str, object]]] = {
    "Find": [
        {"maxDepth": 2**31 - 1},
        {"path": "/" + "x/" * 5000},
        {"pattern": "{" * 5000},
        {"pattern": "*" * 5000},
    ],
    "ReadFile": [
        {"path": "f", "offset": MOST, "length": MOST},
        {"path": "f", "offset": LEAST},
        {"path": "f", "length": LEAST},
        {"path": "x" * 100_000},
    ],
    "WriteFile": [{"path": "x" * 100_000}, {"path": "f", "mode": 2**31 - 1}, {"path": "f", "mode": -1}],
    "GetGitDiff": [{"path": "f", "unified": 2**31 - 1}, {"path": "f", "unified": -(2**31)}],
    "GetGitDiffFiles": [{"baseRef": "x" * 100_000}, {"baseRef": "HEAD" + "^" * 1000}, {"baseRef": "--all"}],
    "GetFileDiffContent": [{"path": "x" * 100_000}, {"path": "../f"}],
    "CreateTerminal": [
        {"initialCols": 2**32 - 1, "initialRows": 2**32 - 1},
        {"shell": "x" * 100_000},
        {"env": {"A": "x" * 1_000_000}},
        {"env": {"A=B": "x"}},
        {"annotations": {"a": "x" * 1_000_000}},
    ],
    "ResizeTerminal": [{"terminalId": "x", "cols": 2**32 - 1, "rows": 2**32 - 1}],
    "WriteTerminal": [{"terminalId": "x" * 100_000, "data": "AAAA"}],
    "Exec": [
        {"command": "true", "timeoutSeconds": 2**31 - 1},
        {"command": "true", "timeoutSeconds": -(2**31)},
        {"command": "true", "operationId": "x" * 100_000},
        {"command": "true", "workingDirectory": "x" * 100_000},
    ],
    "CancelExec": [{"operationId": "x" * 100_000}],
    "ListTerminalProfiles": [
        {"configProfiles": {str(number): {"path": "x" * 200} for number in range(5000)}}
    ],
}


def test_huge_numbers_and_texts_are_answered(web: Web) -> None:
    token = web.token()
    (web.scene.folder / "f").write_text("content")
    for method, bodies in HUGE.items():
        for body in bodies:
            sent = Sent(f"/{SERVICE.full_name}/{method}", json.dumps(body).encode())
            status, head, answered = ask(web, sent, token)
            check(Sent(sent.path, str(body)[:200].encode()), status, head, answered)


RIGHT: dict[str, Message] = {
    "GetGitDiff": pb.GetGitDiffRequest(path="f"),
    "GetFileDiffContent": pb.GetFileDiffContentRequest(path="f"),
    "Find": pb.FindRequest(pattern="*"),
    "ReadFile": pb.ReadFileRequest(path="f"),
    "WriteFile": pb.WriteFileRequest(
        path="written", content=b"x" * 40, mode=pb.WRITE_MODE_CREATE_OR_TRUNCATE
    ),
    "CreateTerminal": pb.CreateTerminalRequest(shell="sh"),
    "Exec": pb.ExecRequest(operation_id="left", command="echo done >> ran"),
    "CancelExec": pb.CancelExecRequest(operation_id="none"),
    "Watch": pb.WatchRequest(event_types=[pb.WATCH_EVENT_TYPE_FILE_CHANGE]),
}
"""Requests that are carried out; those of other methods are empty."""


def raw_request(path: str, token: str) -> bytes:
    """A right request to a method, in the binary form."""
    method = METHODS[path]
    message = RIGHT.get(method.name)
    content = message.SerializeToString() if message is not None else b""
    body = envelope(content) if method.server_streaming else content
    form = "connect+proto" if method.server_streaming else "proto"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/{form}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("way", ["by its end", "by a reset"])
def test_clients_that_leave_at_any_byte_leave_nothing(
    web: Web, way: str, request: pytest.FixtureRequest
) -> None:
    """In the body at every byte, in the head at some; with --all-faults at every one."""
    token = web.token()
    (web.scene.folder / "f").write_text("content")
    every = request.config.getoption("--all-faults")
    for path in METHODS:
        data = raw_request(path, token)
        begin = data.index(b"\r\n\r\n") + 4
        cuts = range(len(data) + 1) if every else [*range(0, begin, 41), *range(begin - 3, len(data) + 1)]
        for cut in cuts:
            with socket.create_connection(web.address, 30) as client:
                if way == "by a reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(data[:cut])
    operation = json.loads(call(web, "Exec", {"operationId": "left", "command": "echo done >> ran"}))
    if operation:
        assert (web.scene.folder / "ran").read_text() == "done\n", "it ran once, whoever has left"
