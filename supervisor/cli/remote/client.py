"""Talks to the running supervisor over its Unix socket: Connect in JSON, the control routes, logs, events.

The standard library only: what a command needs of aiohttp, protobuf and connectrpc would take longer to import than the
whole command may. One connection a call: on a Unix socket it costs less than knowing whether an old one still lives.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import urlencode

from supervisor.cli.remote.discovery import NotRunning, connection
from supervisor.model.errors import SupervisorError

AUTOMATION: Final = "gitpod.v1.EnvironmentAutomationService"
EVENTS: Final = "gitpod.v1.EventService"
TIMEOUT_S = 15.0
"""For a call's answer. A supervisor that has just begun takes a moment until it serves."""
READ_BYTES = 64 * 1024
PARTS: Final = "application/vnd.supervisor.log-parts"
"""A log in parts with cursors, see `supervisor.api.logs.chunks`."""
_PAGE = 100

Json = dict[str, Any]


_UNKNOWN_FIELD = "is unknown here; known are"
"""What a supervisor says of a field that it does not know: this command line sends only those of its own version."""


class Refused(SupervisorError):
    """The supervisor's own sentence on why it does not do what it was asked for. `code`: one of Connect's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class WentAway(SupervisorError):
    """The supervisor ended, or broke off, in the middle of something."""


class Client:
    """One supervisor, by the path of its socket."""

    def __init__(self, socket: str, timeout_s: float = TIMEOUT_S) -> None:
        self.socket = socket
        self._timeout_s = timeout_s

    def call(self, method: str, service: str = AUTOMATION, /, **request: Any) -> Json:
        """Call a unary method. Raises Refused, NotRunning, WentAway, as all of the following do."""
        return self._json("POST", f"/{service}/{method}", request)

    def pages(self, method: str, field: str, /, **request: Any) -> list[Json]:
        """All items of a list method, newest first. `field`: where an answer has them."""
        items: list[Json] = []
        token = ""
        while True:
            answer = self.call(method, **request, pagination={"pageSize": _PAGE, "token": token})
            items += answer.get(field, [])
            token = answer.get("pagination", {}).get("nextToken", "")
            if not token:
                return items

    def control(self, name: str, /, **request: Any) -> Json:
        """Have a control route do something."""
        try:
            return self._json("POST", f"/control/{name}", request)
        except Refused as refused:
            if _UNKNOWN_FIELD not in str(refused):
                raise
            raise SupervisorError(
                f"cannot do this with the running supervisor, which is of another version ({refused}); "
                '"supervisor upgrade" brings it to the version of this command'
            ) from None

    def status(self) -> Json:
        """What the supervisor is and waits for."""
        return self._json("GET", "/control/status")

    def activity(self) -> Json:
        """What keeps the environment awake, and the last signals to the management plane."""
        return self._json("GET", "/control/activity")

    def recent(self) -> Json:
        """What changed last, see `boot.recent`."""
        return self._json("GET", "/control/recent")

    def steps(self) -> Json:
        """{task id: what is known of its last run}, of tasks that ran last as a step of another one's execution."""
        try:
            steps: Json = self._json("GET", "/control/steps")["steps"]
        except Refused:  # by an older supervisor, which does not tell
            return {}
        return steps

    def execution(self, id_: str) -> Json:
        """How far an execution is: phase, reason and exitStatus."""
        return self._json("GET", f"/control/executions/{id_}")

    @cached_property
    def environment_id(self) -> str:
        """The id of the supervisor's environment."""
        id_: str = self.status()["environmentId"]
        return id_

    @contextmanager
    def log(self, path: str, follow: bool, tail: int | None = None) -> Iterator[Iterator[bytes]]:
        """The pieces of a log as they come; `path` below /logs. Ends when all is sent.

        One that is followed goes on where it was when the supervisor is upgraded.
        """
        begin = {} if tail is None else {"tail": str(tail)}
        if follow:
            with closing(self._followed(path, begin)) as pieces:
                yield pieces
            return
        query = urlencode({"follow": "false"} | begin)
        with self._response("GET", f"/logs/{path}?{query}", timeout_s=None) as response:
            yield _pieces(response)

    def _followed(self, path: str, begin: dict[str, str]) -> Generator[bytes]:
        headers = {"Accept": PARTS}
        while True:
            query = urlencode({"follow": "true"} | begin)
            try:
                with self._response(
                    "GET", f"/logs/{path}?{query}", headers=headers, timeout_s=None
                ) as response:
                    for cursor, data in _parts(response):
                        yield data
                        begin = {"cursor": cursor}
                    return
            except WentAway:
                self.resume()

    def resume(self) -> None:
        """After WentAway: return once a supervisor answers, if it was only upgraded. Raises WentAway if it is gone."""
        give_up_at = time.monotonic() + self._timeout_s
        while True:
            try:
                self.status()
                return
            except NotRunning:
                raise _went_away() from None
            except WentAway:  # it was just about to
                if time.monotonic() > give_up_at:
                    raise

    @contextmanager
    def watch(self, kind: str = "", id_: str = "") -> Iterator[Iterator[Json]]:
        """The events of the environment from now on; of one resource, if its type and id are given."""
        request: Json = {"environmentId": self.environment_id}
        if kind:
            request["resourceTypeFilters"] = [{"resourceType": f"RESOURCE_TYPE_{kind}", "resourceIds": [id_]}]
        headers = {"Accept": "application/jsonl"}
        path = f"/{EVENTS}/WatchEvents"
        with self._response("POST", path, request, headers, timeout_s=None) as response:
            yield _events(response)

    def _json(self, method: str, path: str, request: Json | None = None) -> Json:
        with self._response(method, path, request, timeout_s=self._timeout_s) as response:
            return _object(_all(response))

    @contextmanager
    def _response(
        self,
        method: str,
        path: str,
        request: Json | None = None,
        headers: dict[str, str] | None = None,
        *,
        timeout_s: float | None,
    ) -> Iterator[HTTPResponse]:
        http = HTTPConnection("localhost", timeout=timeout_s)
        try:
            with connection(self.socket, self._timeout_s) as sock:
                sock.settimeout(timeout_s)
                http.sock = sock
                body = None if request is None else json.dumps(request).encode()
                sent = {"Content-Type": "application/json"} if body is not None else {}
                response = _answer(http, method, path, body, sent | (headers or {}))
                with response:
                    if response.status >= 300:
                        raise _refusal(_all(response), response.status)
                    yield response
        except TimeoutError:
            raise SupervisorError(
                f"the supervisor on {self.socket} gives no answer within {self._timeout_s:g} s"
            ) from None
        except (ConnectionRefusedError, FileNotFoundError):
            raise NotRunning(
                f'no supervisor answers on {self.socket}; "supervisor run" in the workspace starts one'
            ) from None
        finally:
            http.close()


def _answer(
    http: HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> HTTPResponse:
    try:
        http.request(method, path, body, headers)
        return http.getresponse()
    except (HTTPException, BrokenPipeError, ConnectionResetError):
        raise _went_away() from None


def _parts(response: HTTPResponse) -> Iterator[tuple[str, bytes]]:
    """The parts of a log, each with the cursor that goes on after it."""
    received = bytearray()
    for piece in _pieces(response):  # readline() would not tell a stream that broke off from one that ended
        received += piece
        while (end := received.find(b"\n")) >= 0:
            cursor, _, length = received[:end].decode("utf-8", "replace").partition(" ")
            if not (length.isascii() and length.isdigit() and len(length) <= 18):
                raise _no_supervisor()
            after = end + 1 + int(length)
            if len(received) < after:
                break
            data = bytes(received[end + 1 : after])
            del received[:after]
            yield cursor, data


def _all(response: HTTPResponse) -> bytes:
    return b"".join(_pieces(response))


def _pieces(response: HTTPResponse) -> Iterator[bytes]:
    """The body as it comes."""
    while True:
        try:
            piece = response.read1(READ_BYTES)
        except (HTTPException, ConnectionResetError):
            raise _went_away() from None
        if not piece:
            return
        yield piece


def _events(response: HTTPResponse) -> Iterator[Json]:
    """The lines of a stream; its end is never the end of what there is to tell."""
    while True:
        try:
            line = response.readline()
        except (HTTPException, ConnectionResetError):
            raise _went_away() from None
        if not line:
            raise _went_away()
        event = _object(line)
        if "error" in event:
            raise _stream_error(event["error"])
        yield event.get("result", event)


def _stream_error(error: Json) -> SupervisorError:
    code, message = error.get("code", "unknown"), error.get("message", "the stream broke off")
    return WentAway(message) if code == "unavailable" else Refused(code, message)


def _object(data: bytes) -> Json:
    """A JSON object of the supervisor's. Raises SupervisorError for what is none: something else answers there."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _no_supervisor()
    return value


def _no_supervisor() -> SupervisorError:
    return SupervisorError(
        "cannot understand the answer: what listens on the socket is no supervisor of this kind"
    )


def _went_away() -> WentAway:
    return WentAway("the supervisor went away")


def _refusal(body: bytes, status: int) -> Refused:
    try:
        error = json.loads(body)
        return Refused(str(error["code"]), str(error["message"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Refused("unknown", f"the supervisor answered with HTTP status {status}")
