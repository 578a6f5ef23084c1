"""Prints the doctor's table against servers on the loopback that behave well and badly, and touches nothing else.

.venv/bin/python -m tests.doctor.show
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path
from typing import Any

from tests.doctor.network.test_transport import datagrams
from tests.doctor.servers import (
    OK,
    Authority,
    Behaviour,
    answering,
    closed,
    greeting,
    serving,
    silent,
    within_tls,
)

PROGRAM = Path(__file__).resolve().parents[2] / "supervisor/__main__.py"


def main() -> int:
    """Returns the doctor's exit status."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        listing = folder / "endpoints.json"
        listing.write_text(json.dumps({"groups": groups(stack, folder)}))
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "SSL_CERT_FILE": str(folder / "ca.pem")}
        command = [
            sys.executable,
            "-I",
            str(PROGRAM),
            "doctor",
            "--endpoints",
            str(listing),
            "--timeout",
            "2",
        ]
        return subprocess.run(command, cwd=folder, env=env, check=False).returncode


def groups(stack: ExitStack, folder: Path) -> list[dict[str, Any]]:
    """The list of endpoints, whose servers live as long as the stack."""
    trusted, stranger = Authority("Example CA"), Authority("Corporate Inspection CA")
    trusted.ca.cert_pem.write_to_path(str(folder / "ca.pem"))

    def port(behaviour: Behaviour) -> int:
        return stack.enter_context(serving(behaviour)).port

    def tls(answer: bytes = OK, authority: Authority = trusted, **more: Any) -> str:
        context = authority.server(**more)
        return f"https://localhost:{port(within_tls(context, answering(answer)))}"

    now = OK.replace(b"\r\n", f"\r\nDate: {formatdate(time.time(), usegmt=True)}\r\n".encode(), 1)
    return [
        {"name": "Plane", "required": True, "endpoints": [{"url": tls(now), "plane": True}]},
        {
            "name": "Gateway",
            "required": True,
            "endpoints": [
                {"url": f"udp://127.0.0.1:{stack.enter_context(datagrams(answers=True))[0]}"},
                {"url": f"udp://127.0.0.1:{stack.enter_context(datagrams(answers=False))[0]}"},
                {"url": "https://*.invalid:8443", "example": "https://doctor.invalid:8443"},
            ],
        },
        {
            "name": "Broken",
            "required": True,
            "endpoints": [
                {"url": tls(authority=stranger)},
                {"url": tls(expired=True)},
                {"url": f"https://localhost:{port(greeting(b'SSH-2.0-OpenSSH_9.6'))}"},
                {"url": f"https://localhost:{port(silent)}"},
                {"url": f"https://localhost:{stack.enter_context(closed())}"},
                {"url": "https://nowhere.invalid"},
                {"url": tls(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")},
                {"url": tls(b"HTTP/1.1 404 Not Found\r\n\r\n") + "/manifest.json", "expect": "success"},
            ],
        },
        {
            "name": "Others",
            "required": False,
            "endpoints": [
                {"url": tls(b"HTTP/1.1 302 Found\r\nLocation: https://login.invalid/\r\n\r\n")},
                {"url": tls(b"HTTP/1.1 403 Forbidden\r\n\r\n")},
                {"url": "https://s3.<region>.invalid"},
                {"yours": "Your metrics endpoint"},
            ],
        },
    ]


if __name__ == "__main__":
    sys.exit(main())
