"""The programs in the two README files: a server without any supervisor, called by its client and by plain JSON."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ID = "11111111-2222-4333-8444-555555555555"
METHOD = "/gitpod.v1.IdentityService/GetAuthenticatedIdentity"
PATIENCE_S = 20.0


def program(package: str) -> str:
    """The program that a README shows."""
    found = re.search(r"```python\n(.*?)```", (ROOT / package / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def server() -> Iterator[tuple[str, str]]:
    """The address of a server that runs, and a token for it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    code = program("connect_server").replace("8080", str(port), 1)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{port}", process.stdout.readline().strip()
        process.terminate()


def call(address: str, token: str) -> tuple[int, dict[str, object]]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(address + METHOD, b"{}", headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.slow
def test_server_of_the_readme_is_called_by_its_client_and_by_plain_json(server: tuple[str, str]) -> None:
    address, token = server

    called = subprocess.run(
        [sys.executable, "-c", program("platform_wire"), address, token],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )

    assert called.stdout.strip() == ID
    assert call(address, token) == (200, {"subject": {"id": ID, "principal": "PRINCIPAL_USER"}})
    assert call(address, "nonsense")[0] == 401
    assert call(address + "/nowhere", token)[1]["code"] == "not_found"


def test_packages_import_nothing_of_the_supervisor() -> None:
    code = """
import importlib, pkgutil, sys
import connect_server, platform_wire
for package in (connect_server, platform_wire):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
assert "connect_server.http.server" in sys.modules
assert "platform_wire.event_connect" in sys.modules
print(*(name for name in sys.modules if name.partition(".")[0] == "supervisor"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert done.stdout.split() == []


def test_messages_and_clients_need_no_server() -> None:
    code = "import sys, platform_wire.environment_connect; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert not [name for name in done.stdout.split() if name.startswith(("aiohttp", "connect_server"))]
