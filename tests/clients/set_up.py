"""Makes the environments of the platform's public clients, in `.clients/` at the top of the checkout.

`python -m tests.clients.set_up` makes all that are not ready; the tests make the ones they need. Each client has an
environment of its own, because `gitpod-sdk` installs a package named `supervisor` beside itself: it is never imported
here, but driven as a separate process (see `harness`).

A stamp in an environment holds what it was made from. It is written last, so that an interrupted set-up, another lock
file or another Python makes it anew. The locks, in `tests/clients/locks`, are made as CONTRIBUTING.md says.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".clients"
LOCKS = Path(__file__).parent / "locks"

# A slow network may take long; a dead one must not take for ever.
DEADLINE_S = 240.0

# pip's settings that lead to other places or packages; the index, the proxy and the cache are the user's to say.
FOREIGN_SETTINGS = {"PIP_CONSTRAINT", "PIP_PREFIX", "PIP_REQUIREMENT", "PIP_ROOT", "PIP_TARGET", "PIP_USER"}


class SetUpError(Exception):
    """An environment cannot be made; the text says why and what to do."""


class Client(Protocol):
    """A public client of the platform, in a folder of its own."""

    @property
    def name(self) -> str:
        """What it is called in messages, and its folder."""

    @property
    def folder(self) -> Path:
        """Where it is, once it is made."""

    @property
    def program(self) -> tuple[str, ...]:
        """How one of its programs is run: what stands before the program's name."""

    def recipe(self) -> str:
        """What it is made from; an environment made from something else is made anew."""

    def make(self) -> None:
        """Make it in a folder that does not exist. Raises SetUpError."""


@dataclass(frozen=True, slots=True)
class PythonClient:
    """A virtual environment from a lock file."""

    name: str

    @property
    def folder(self) -> Path:
        return PLACE / self.name

    @property
    def program(self) -> tuple[str, ...]:
        return str(self.folder / "bin/python"), "-I"

    def recipe(self) -> str:
        return f"{sys.version}\n{self._lock.read_text()}"

    def make(self) -> None:
        venv.EnvBuilder(symlinks=True).create(self.folder)
        environment = {key: value for key, value in os.environ.items() if key not in FOREIGN_SETTINGS}
        # Our own pip, into the other environment: a pip of its own would cost more than the rest.
        run(
            *(sys.executable, "-I", "-m", "pip", "--python", self.program[0], "install", "-qq", "--no-input"),
            *(
                "--disable-pip-version-check",
                "--only-binary=:all:",
                "--require-hashes",
                "-r",
                str(self._lock),
            ),
            environment=environment | {"PIP_USER": "0"},
        )

    @property
    def _lock(self) -> Path:
        return LOCKS / f"{self.name}.lock"


@dataclass(frozen=True, slots=True)
class NodeClient:
    """A folder with packages from npm."""

    name: str

    @property
    def folder(self) -> Path:
        return PLACE / self.name

    @property
    def program(self) -> tuple[str, ...]:
        return ("node",)

    def recipe(self) -> str:
        return "".join((LOCKS / self.name / name).read_text() for name in self._files)

    def make(self) -> None:
        self.folder.mkdir()
        for name in self._files:
            shutil.copy(LOCKS / self.name / name, self.folder)
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise SetUpError("there is no node with npm in PATH; install Node 20 or newer")
        run(
            *("npm", "ci", "--prefix", str(self.folder), "--ignore-scripts", "--no-audit", "--no-fund"),
            *("--no-update-notifier", "--loglevel=error"),
            environment=dict(os.environ),
        )

    @property
    def _files(self) -> tuple[str, ...]:
        return "package.json", "package-lock.json"


SDK_0_11 = PythonClient("gitpod-sdk-0.11")
SDK_1_2 = PythonClient("gitpod-sdk-1.2")
ONA_0_1 = PythonClient("ona-sdk-0.1")
SDK_NPM = NodeClient("gitpod-sdk-npm")
CLIENTS: tuple[Client, ...] = (SDK_0_11, SDK_1_2, ONA_0_1, SDK_NPM)


def make_ready(client: Client) -> bool:
    """Make a client's environment if it is not ready. Returns whether there was something to do. Raises SetUpError."""
    if is_ready(client):
        return False
    with alone():
        if is_ready(client):
            return False  # somebody else made it while we waited
        shutil.rmtree(client.folder, ignore_errors=True)
        client.make()
        (client.folder / "ready").write_text(client.recipe())
    return True


def is_ready(client: Client) -> bool:
    try:
        return (client.folder / "ready").read_text() == client.recipe()
    except FileNotFoundError:
        return False


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock on `.clients`, which the kernel gives back when its holder dies."""
    PLACE.mkdir(exist_ok=True)
    with (PLACE / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def run(*command: str, environment: dict[str, str]) -> None:
    """Run a command quietly. Raises SetUpError, with the end of what it printed, if it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SetUpError(f"{command[0]} was not done after {DEADLINE_S:g} s; check the network") from None
    if done.returncode != 0:
        said = " ".join(" ".join(done.stdout.splitlines()[-3:]).split())
        raise SetUpError(f"{command[0]} failed (exit code {done.returncode}): {said}; check the network")


def main() -> int:
    """Make all environments ready. Returns the exit code."""
    status = 0
    for client in CLIENTS:
        started = time.monotonic()
        try:
            made = make_ready(client)
        except (SetUpError, OSError) as error:
            print(f"clients: cannot set up {client.name}: {error}", file=sys.stderr, flush=True)
            status = 1
            continue
        if made:
            print(f"clients: {client.name} is ready after {time.monotonic() - started:.0f} s", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
