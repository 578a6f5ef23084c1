"""A real sshd on loopback, for a test's time: keys of its own, no PAM, nothing of the machine's configuration."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
MISSING = SSHD is None or shutil.which("ssh") is None
_PRIVSEP = Path("/run/sshd")
_DEADLINE_S = 30.0


class Sshd:
    """Where it listens, and how to log in."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port

    @contextmanager
    def session(
        self, *options: str, command: str = "echo in; exec sleep 1000"
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Somebody who is logged in, from when the command has begun."""
        client = subprocess.Popen(
            [
                *("ssh", "-F", "none", "-p", str(self.port), "-i", self._folder / "user"),
                *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self._folder / 'known'}"),
                *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
                *(*options, f"{getpass.getuser()}@127.0.0.1", command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        try:
            assert client.stdout is not None
            assert client.stdout.readline().strip() == b"in"
            yield client
        finally:
            client.kill()
            client.wait(_DEADLINE_S)
            assert client.stdout is not None
            client.stdout.close()

    def connect(self) -> socket.socket:
        """Somebody who has connected and not logged in."""
        return socket.create_connection(("127.0.0.1", self.port), _DEADLINE_S)


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """An sshd that answers."""
    assert SSHD is not None
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'user.pub'}\n"
        "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nUseDNS no\n"
        # So that bash reads no ~/.bashrc, which may take long, and whose programs end with the session.
        "SetEnv SHLVL=2\n"
    )
    made = not _PRIVSEP.exists() and os.geteuid() == 0
    if made:
        _PRIVSEP.mkdir(mode=0o755)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=subprocess.DEVNULL)
    try:
        serving = Sshd(folder, port)
        _wait_for(serving)
        yield serving
    finally:
        server.terminate()
        server.wait(_DEADLINE_S)
        if made:
            _PRIVSEP.rmdir()


def _wait_for(serving: Sshd) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        try:
            with serving.connect() as connection:
                connection.recv(64)
                return
        except OSError:
            assert time.monotonic() < deadline, "sshd does not answer"
            time.sleep(0.02)
