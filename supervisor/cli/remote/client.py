"""Talks to the running supervisor over its Unix socket: Connect in JSON, the control routes, logs, events.

Uses the standard library only: aiohttp and protobuf take longer to import than a whole command may. Each
call has a connection of its own: on a Unix socket that costs less than to find out whether an old one is still good.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from socket import socket as Socket
from typing import Any, Final
from urllib.parse import urlencode

from supervisor.cli.remote.discovery import NotRunning, connection
from supervisor.cli.remote.live_response import LiveResponse
from supervisor.cli.remote.responses import (
    ConnectionLost,
    Json,
    RequestRefused,
    json_object,
    read_all,
    read_events,
    read_parts,
    read_pieces,
    refusal,
    send,
)
from supervisor.model.errors import SupervisorError

AUTOMATION: Final = "gitpod.v1.EnvironmentAutomationService"
EVENTS: Final = "gitpod.v1.EventService"
OPERATIONS: Final = "supervisor.v1.EnvironmentOpsService"
TIMEOUT_S = 15.0
"""For the answer to a call. A supervisor that has just started serves only after a moment."""
PARTS: Final = "application/vnd.supervisor.log-parts"
"""A log in parts with cursors, see `supervisor.api.logs.chunks`."""
_PAGE = 100
_UNKNOWN_FIELD = "is unknown here; known are"
"""A supervisor says this of a field that it does not know. This command line sends only fields of its own version."""


_UNKNOWN_PATH = "nothing is served at"
"""A supervisor says this of a path that it does not know, as an older one does."""


class OtherVersion(SupervisorError):
    """The supervisor is too old for what is asked."""

    def __init__(self, refused: RequestRefused) -> None:
        super().__init__(
            f"cannot do this with the running supervisor, which has another version ({refused}); "
            '"supervisor upgrade" brings it to the version of this command'
        )


class Client:
    """One supervisor, by the path of its socket."""

    def __init__(self, socket: str, timeout_s: float = TIMEOUT_S) -> None:
        self.socket = socket
        self._timeout_s = timeout_s

    def call(self, method: str, service: str = AUTOMATION, /, **request: Any) -> Json:
        """Call a unary method. Raises RequestRefused, NotRunning, ConnectionLost, as all of the following do."""
        return self._json("POST", f"/{service}/{method}", request)

    def pages(self, method: str, field: str, /, **request: Any) -> list[Json]:
        """All items of a list method, newest first. `field`: the field of the answer with the items."""
        items: list[Json] = []
        token = ""
        while True:
            answer = self.call(method, **request, pagination={"pageSize": _PAGE, "token": token})
            items += answer.get(field, [])
            token = answer.get("pagination", {}).get("nextToken", "")
            if not token:
                return items

    def control(self, name: str, /, **request: Any) -> Json:
        """Call a control route."""
        try:
            return self._json("POST", f"/control/{name}", request)
        except RequestRefused as refused:
            if _UNKNOWN_FIELD not in str(refused):
                raise
            raise OtherVersion(refused) from None

    def status(self) -> Json:
        """What the supervisor is and waits for."""
        return self._json("GET", "/control/status")

    def activity(self) -> Json:
        """What keeps the environment awake, and the last signals to the management plane."""
        return self._json("GET", "/control/activity")

    def recent(self) -> Json:
        """The last changes, see `boot.recent_changes`."""
        return self._json("GET", "/control/recent")

    def steps(self) -> Json:
        """`{task id: last run}` of the tasks that ran last as a step of another task's execution."""
        try:
            steps: Json = self._json("GET", "/control/steps")["steps"]
        except RequestRefused:  # an older supervisor has no such route
            return {}
        return steps

    def runs(self, item_id: str = "") -> list[Json]:
        """The runs of a service or task that are kept, newest first; without an id those of all.

        Each has `id`, `itemId`, `reference`, `kind`, `startedAt`, `endedAt`, `end`, `exitStatus`, `sizeBytes` and
        `keptBytes`, see `api.control.control_runs`. Its log is at `runs/ID`.
        """
        query = urlencode({"id": item_id} if item_id else {})
        try:
            runs: list[Json] = self._json("GET", f"/control/runs?{query}")["runs"]
        except RequestRefused as refused:
            raise _other_version(refused) from None
        return runs

    def execution(self, id_: str) -> Json:
        """An execution's phase, reason and exitStatus."""
        return self._json("GET", f"/control/executions/{id_}")

    @cached_property
    def environment_id(self) -> str:
        """The id of the supervisor's environment."""
        id_: str = self.status()["environmentId"]
        return id_

    @contextmanager
    def log(self, path: str, follow: bool, tail: int | None = None) -> Iterator[Iterator[bytes]]:
        """The pieces of a log as they arrive, to its end. `path`: below /logs.

        An upgrade of the supervisor does not interrupt a log that is followed.
        """
        begin = {} if tail is None else {"tail": str(tail)}
        if follow:
            with closing(self._followed(path, begin)) as pieces:
                yield pieces
            return
        query = urlencode({"follow": "false"} | begin)
        with self._response("GET", f"/logs/{path}?{query}", timeout_s=None) as response:
            yield read_pieces(response)

    def _followed(self, path: str, begin: dict[str, str]) -> Generator[bytes]:
        headers = {"Accept": PARTS}
        while True:
            query = urlencode({"follow": "true"} | begin)
            try:
                with self._response(
                    "GET", f"/logs/{path}?{query}", headers=headers, timeout_s=None
                ) as response:
                    for cursor, data in read_parts(response):
                        yield data
                        begin = {"cursor": cursor}
                    return
            except ConnectionLost:
                self.resume()

    def open_log(self, path: str, parameters: dict[str, str]) -> LiveResponse:
        """A log in parts, to be read as it arrives. `path`: below /logs."""
        return self._live("GET", f"/logs/{path}?{urlencode(parameters)}", None, PARTS)

    def operations(self) -> list[Json]:
        """The operations that run or whose result is kept, newest first, see `api.control.control_operations`."""
        try:
            operations: list[Json] = self._json("GET", "/control/operations")["operations"]
        except RequestRefused as refused:
            raise _other_version(refused) from None
        return operations

    def open_operation(self, request: Json) -> LiveResponse:
        """Run a command or wait for it: objects, one a line, see `POST /control/exec` there."""
        try:
            return self._live("POST", "/control/exec", request, "application/jsonl")
        except RequestRefused as refused:
            raise _other_version(refused) from None

    def open_events(self) -> LiveResponse:
        """The events of the environment from now on, one JSON object a line (`responses.event_of`)."""
        request = {"environmentId": self.environment_id}
        return self._live("POST", f"/{EVENTS}/WatchEvents", request, "application/jsonl")

    def open_terminal(self, id_: str) -> LiveResponse:
        """What a terminal shows, and what it prints from now on, one JSON object a line (`responses.event_of`)."""
        path = f"/{OPERATIONS}/AttachTerminal"
        return self._live("POST", path, {"terminalId": id_}, "application/jsonl")

    def _live(self, method: str, path: str, request: Json | None, accepted: str) -> LiveResponse:
        headers = {"Accept": accepted}
        with self._connected(method, path, request, headers, timeout_s=None) as (response, sock):
            return LiveResponse(response, sock)

    def resume(self) -> None:
        """Return once the supervisor answers again, if it was only upgraded. Raises ConnectionLost if it has ended."""
        give_up_at = time.monotonic() + self._timeout_s
        while True:
            try:
                self.status()
                return
            except NotRunning:
                raise ConnectionLost from None
            except ConnectionLost:  # it was about to answer
                if time.monotonic() > give_up_at:
                    raise

    @contextmanager
    def watch(self, kind: str = "", id_: str = "") -> Iterator[Iterator[Json]]:
        """The events of the environment from now on; only those of one resource if its type and id are given."""
        request: Json = {"environmentId": self.environment_id}
        if kind:
            request["resourceTypeFilters"] = [{"resourceType": f"RESOURCE_TYPE_{kind}", "resourceIds": [id_]}]
        headers = {"Accept": "application/jsonl"}
        path = f"/{EVENTS}/WatchEvents"
        with self._response("POST", path, request, headers, timeout_s=None) as response:
            yield read_events(response)

    def _json(self, method: str, path: str, request: Json | None = None) -> Json:
        with self._response(method, path, request, timeout_s=self._timeout_s) as response:
            return json_object(read_all(response))

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
        with self._connected(method, path, request, headers, timeout_s=timeout_s) as (response, _):
            yield response

    @contextmanager
    def _connected(
        self,
        method: str,
        path: str,
        request: Json | None,
        headers: dict[str, str] | None,
        *,
        timeout_s: float | None,
    ) -> Iterator[tuple[HTTPResponse, Socket]]:
        http = HTTPConnection("localhost", timeout=timeout_s)
        try:
            with connection(self.socket, self._timeout_s) as sock:
                sock.settimeout(timeout_s)
                http.sock = sock
                body = None if request is None else json.dumps(request).encode()
                sent = {"Content-Type": "application/json"} if body is not None else {}
                response = send(http, method, path, body, sent | (headers or {}))
                with response:
                    if response.status >= 300:
                        raise refusal(read_all(response), response.status)
                    yield response, sock
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


def _other_version(refused: RequestRefused) -> SupervisorError:
    """What a refusal means: of a path that it does not know, that the supervisor is too old."""
    return OtherVersion(refused) if _UNKNOWN_PATH in str(refused) else refused
