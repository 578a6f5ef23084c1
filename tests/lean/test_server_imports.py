"""What a server leaves out of its imports, and that what is left out is there for those who ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.lean.server_imports import BUILT_IN_HASHES, LATE
from tests.e2e.harness import Project

ROOT = Path(__file__).resolve().parents[2]
FILE = """\
services:
  web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: 'exec sleep 1000'}}
"""
BEGIN = """
import sys
from supervisor.lean.loop_imports import import_loop
from supervisor.lean.server_imports import import_server
import_loop(lambda: None, tls=False)
import_server()
"""


def executed(code: str) -> str:
    """What a new interpreter prints that has left out everything and executes the code."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n{BEGIN}{code}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_server_is_imported_without_openssl_and_without_a_client() -> None:
    libraries = executed("print(open('/proc/self/maps').read())")
    assert "aiohttp" in libraries
    assert "libssl" not in libraries
    assert "libcrypto" not in libraries
    assert executed("print(*sorted(n for n in sys.modules if n.startswith('aiohttp.client')))").split() == [
        "aiohttp.client_exceptions"
    ]


def test_package_without_contents_gets_them_when_they_are_asked_for() -> None:
    code = "import aiohttp; from aiohttp import ClientSession; print(ClientSession.__name__, aiohttp.__version__)"
    name, version = executed(code).split()
    assert name == "ClientSession"
    assert version[0].isdigit()


@pytest.mark.parametrize("module", LATE)
def test_late_function_is_the_real_one_and_its_module_whole(module: str) -> None:
    user = {"argparse": "web", "html": "web_urldispatcher", "urllib.request": "helpers"}[module]
    call = {
        "argparse": "print(type(user.ArgumentParser(prog='x')).__module__)",
        "html": "print(user.html_escape('<', quote=True))",
        "urllib.request": "print(user.getproxies() == {}, user.proxy_bypass('x'))",
    }[module]
    expected = {"argparse": "argparse", "html": "&lt;", "urllib.request": "True False"}[module]
    code = f"import aiohttp.{user} as user, {module}; assert {module}.__file__; {call}"
    assert executed("import os\nos.environ.clear()\n" + code).strip() == expected


def test_nobody_speaks_tls_by_mistake() -> None:
    assert executed("try: import ssl\nexcept ImportError: print('none')") == "none\n"
    code = (
        "from anyio.streams.tls import ssl\ntry: ssl.SSLContext()\nexcept RuntimeError as error: print(error)"
    )
    assert "no management plane" in executed(code)


def test_tokens_are_made_and_read_without_tls() -> None:
    code = (
        "import jwt\ntoken = jwt.encode({'sub': 'me'}, 'k' * 32, algorithm='HS256')\n"
        "print(jwt.decode(token, 'k' * 32, algorithms=['HS256'])['sub'])\n"
        "try: jwt.PyJWKClient('https://example.com')\nexcept RuntimeError as error: print(error)"
    )
    sub, refused = executed(code).splitlines()
    assert sub == "me"
    assert "no management plane" in refused


def test_hashes_are_those_of_openssl() -> None:
    import hashlib

    code = "import hashlib; print(*(hashlib.new(n, b'x').hexdigest() for n in ('md5', 'sha1', 'sha256', 'sha3_256')))"
    names = ("md5", "sha1", "sha256", "sha3_256")
    assert executed(code).split() == [hashlib.new(name, b"x").hexdigest() for name in names]


def test_python_has_the_hashes_that_stand_in() -> None:
    # Where a distribution has left them out, OpenSSL's are taken, and this is the place that says so.
    for name in BUILT_IN_HASHES:
        __import__(name)


@pytest.mark.parametrize("plane", [False, True])
def test_supervisor_has_openssl_only_for_a_plane(tmp_path: Path, plane: bool) -> None:
    project = Project(tmp_path)
    project.write(FILE)
    options = [
        *("--control-plane-url", "https://127.0.0.1:1", "--environment-token-file", str(tmp_path / "none")),
        *("--environment-id", "11111111-2222-4333-8444-555555555555"),
    ]
    try:
        program = project.run(*(options if plane else ()))
        program.event(kind="service", reference="web", phase="running")
        assert ("libssl" in Path(f"/proc/{program.pid}/maps").read_text()) is plane
        project.stop(program)
    finally:
        project.close()
