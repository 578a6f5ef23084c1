"""Who is let in: all methods of the environment's own service, with every token that must not be good for them."""

from __future__ import annotations

import http.client
import json

import pytest

from platform_wire import environmentopts_pb2
from supervisor.cli.remote.client import Client
from tests.clients.harness import Supervisor
from tests.e2e.harness import until

pytestmark = pytest.mark.slow
SERVICE = environmentopts_pb2.DESCRIPTOR.services_by_name["EnvironmentOpsService"]
EMPTY_ENVELOPE = bytes(5)


def refusal(supervisor: Supervisor, method: str, streams: bool, headers: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", supervisor.port, timeout=20)
    kind = "application/connect+proto" if streams else "application/proto"
    body = EMPTY_ENVELOPE if streams else b""
    try:
        path = f"/{SERVICE.full_name}/{method}"
        connection.request("POST", path, body, {"Content-Type": kind, "Connection": "close", **headers})
        response = connection.getresponse()
        data = response.read()
        return response.status, json.loads(data)["code"] if response.status != 200 else ""
    finally:
        connection.close()


def test_all_methods_refuse_tokens_that_are_not_for_them_and_other_hosts(supervisor: Supervisor) -> None:
    good = supervisor.token()
    client = Client(str(supervisor.project.state / "api.sock"))
    expired = client.control("token", scope="environment", ttlSeconds=1)["token"]
    local = f"127.0.0.1:{supervisor.port}"
    cases: dict[str, tuple[dict[str, str], tuple[int, str]]] = {
        "logs": ({"Authorization": f"Bearer {supervisor.token('Logs')}"}, (403, "permission_denied")),
        "expired": ({"Authorization": f"Bearer {expired}"}, (401, "unauthenticated")),
        "none": ({}, (401, "unauthenticated")),
        "no token": ({"Authorization": "Bearer x.y.z"}, (401, "unauthenticated")),
        "foreign host": (
            {"Authorization": f"Bearer {good}", "Host": "evil.example"},
            (403, "permission_denied"),
        ),
    }

    def is_over() -> bool:
        return refusal(supervisor, "ListCapabilities", False, cases["expired"][0])[0] == 401

    until(is_over, "the token's end")

    methods = [(method.name, method.server_streaming) for method in SERVICE.methods]
    assert len(methods) == 21
    for name, (headers, expected) in cases.items():
        found = {
            method: refusal(supervisor, method, streams, {"Host": local, **headers})
            for method, streams in methods
        }
        assert found == dict.fromkeys(found, expected), name
    assert refusal(supervisor, "ListCapabilities", False, {"Authorization": f"Bearer {good}"})[0] == 200
