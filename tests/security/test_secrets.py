"""Secrets, looked for wherever they could have come to: nothing but the caller and the key's file may hold them.

A supervisor is given all the secrets that there are: a token for the management plane, which answers with that token in
its error message; its own key; tokens that it makes, that clients show and misuse. Then everything that it writes, says
and passes on is searched for them, as they are and in the forms that they could take.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import ENTRY, Project
from tests.faults.scene import Scene, until
from tests.security.web import Web

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PLANE_TOKEN = "plane-token-" + "7f3a" * 12
ENVIRONMENT = "11111111-2222-4333-8444-555555555555"


class Plane:
    """A management plane that refuses, and says the token that it was shown."""

    def __init__(self) -> None:
        self.asked = 0
        plane = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                plane.asked += 1
                message = f"bad header {self.headers['Authorization']}"
                answer = json.dumps({"code": "unauthenticated", "message": message}).encode()
                self.send_response(401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/api"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def plane() -> Generator[Plane]:
    plane = Plane()
    yield plane
    plane.close()


def forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it is, and as it could have been written down."""
    yield secret
    yield secret.hex().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
    yield urllib.parse.quote_from_bytes(secret).encode()
    yield repr(secret)[2:-1].encode()


def command_line(scene: Scene, *arguments: str) -> bytes:
    """All that a subcommand prints."""
    done = subprocess.run(
        [sys.executable, "-I", *ENTRY, *arguments],
        cwd=scene.folder,
        env=scene.project.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.stdout


def bundle(scene: Scene) -> bytes:
    """Everything in a support bundle, unpacked."""
    import io
    import tarfile

    import zstandard

    path = scene.project.home / "bundle.tar.zst"
    said = command_line(scene, "bundle", str(path))
    assert path.exists(), said
    raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(path.read_bytes())).read()
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        files = [archive.extractfile(member) for member in archive.getmembers() if member.isfile()]
        return said + b"\n".join(file.read() for file in files if file is not None)


def misuse(web: Web, token: str) -> list[bytes]:
    """Ways in which clients get it wrong, and all that they are answered."""
    answers = [
        web.ask("/control/status", token=token[:-3]),
        web.ask(f"/control/status?token={token}"),
        web.ask(f"/control/status?access_token={token}", token=token),
        web.ask(f"/logs/services/{token}", token=token),
        web.ask(f"/{token}", token=token),
        web.ask("/control/status", headers={"Authorization": f"Basic {token}"}),
        web.ask("/control/status", headers={"Authorization": token}),
        web.call("gitpod.v1.EnvironmentAutomationService/StartTask", token, id=token),
        web.call(f"gitpod.v1.EnvironmentAutomationService/{token}", token),
        web.ask("/control/trigger", "POST", json.dumps({"name": token}).encode(), token),
        web.ask("/control/status", token=token, host=token[:60]),
        web.ask("/control/status", token=token, headers={"Origin": f"http://{token}"}),
        web.send(f"GET / {token}\r\n\r\n".encode()),
    ]
    return [answer.raw for answer in answers]


def places(scene: Scene) -> dict[str, bytes]:
    """Everything that the supervisor has written and passed on, by where it is."""
    found = {
        f"file {path.relative_to(scene.state)}": path.read_bytes()
        for path in scene.state.rglob("*")
        if path.is_file() and path.name != "token.key"
    }
    for pid, command in scene.project.processes().items():
        if pid == scene.supervisor.pid:
            continue  # what it was started with is not its own doing
        for name in ("environ", "cmdline"):
            found[f"{name} of {pid} ({command[:60]})"] = Path(f"/proc/{pid}/{name}").read_bytes()
    return found


def test_secrets_are_nowhere(tmp_path: Path, plane: Plane) -> None:
    project = Project(tmp_path)
    spec = project.home / "initial-spec.json"
    spec.write_text(
        json.dumps(
            {
                "controlPlaneApiEndpoint": plane.url,
                "environmentToken": PLANE_TOKEN,
                "environmentId": ENVIRONMENT,
            }
        )
    )
    spec.chmod(0o600)
    try:
        scene = Scene(project)
        web = Web(scene, "--initial-spec", str(spec), "--logs")
        until(lambda: plane.asked, "a signal of activity")
        tokens = [web.token("environment"), web.token("logs")]
        execution = scene.client().call("StartTask", id=scene.tasks()["build"])["taskExecution"]["id"]
        until(lambda: scene.client().execution(execution)["exitStatus"] == 0, "the task")

        # What a refusal is about, its sender has sent: only what it did not send must not be in the answer.
        answers = b"".join(answer for token in tokens for answer in misuse(web, token))
        said = {
            " ".join(words): command_line(scene, *words)
            for words in (
                ("status", "--format", "json"),
                ("activity",),
                ("config", "--initial-spec", str(spec), "--format", "json"),
                ("service", "list", "--format", "json"),
                ("task", "list", "--format", "json"),
                ("logs", "web"),
                ("doctor", "--format", "json"),
            )
        }
        said["bundle"] = bundle(scene)
        said["metrics"] = web.ask("/metrics", token=tokens[0]).raw
        said |= places(scene)
        key = (scene.state / "token.key").read_bytes()
        scene.supervisor.interrupt()
        scene.supervisor.process.wait(60)
        assert scene.supervisor.process.stderr is not None
        said["what it printed"] = scene.printed.read_bytes()
        said["its standard error"] = scene.supervisor.process.stderr.read()
    finally:
        project.close()

    secrets = {"the key": key, "the plane's token": PLANE_TOKEN.encode()}
    secrets |= {f"token {number}": token.encode() for number, token in enumerate(tokens)}
    # The signature alone: head and claims are no secret, and some of a token is not all of it.
    secrets |= {
        f"signature {number}": token.rpartition(".")[2].encode() for number, token in enumerate(tokens)
    }
    leaks = [
        f"{what} is in {where}"
        for where, content in said.items()
        for what, secret in secrets.items()
        if any(form in content for form in forms(secret))
    ]
    assert leaks == []
    assert not any(
        form in answers for name in ("the key", "the plane's token") for form in forms(secrets[name])
    )


def test_search_finds_what_is_there() -> None:
    """The oracle: each form of a secret is one that the search would find."""
    secret = bytes(range(200, 232))
    for form in forms(secret):
        assert form in b"before " + form + b" after"
    assert secret.hex().encode() in set(forms(secret))
    assert base64.b64encode(secret).rstrip(b"=") in set(forms(secret))
