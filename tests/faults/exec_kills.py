"""kill -9 of the supervisor at random moments while clients have commands run: each runs once, and its result is whole.

    python -m tests.faults.exec_kills --kills 200

Up to 50 clients call Exec, each with an operation id of its own, and ask again with that id when the connection breaks.
A command counts itself, prints numbered lines on both streams with pauses between them, and exits with its own code, so
that an answer can be compared with what it must be. `test_exec_kills` does the same with few kills.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import os
import random
import socket
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field, fields
from pathlib import Path

from platform_wire.environmentopts_pb2 import ExecRequest, ExecResponse
from tests.e2e.harness import Project
from tests.faults.scene import PATIENCE_S, Scene
from tests.leaks import MARKER

CLIENTS = 50
LONGEST_WAIT_S = 0.4
"""Between the first answer of a supervisor and its end."""
_PAUSE_S = 0.02
EXEC = "/supervisor.v1.EnvironmentOpsService/Exec"


class Refused(Exception):
    """The supervisor has answered with an error: its code and its message."""


def ask(path: Path, request: ExecRequest, timeout_s: float = PATIENCE_S) -> ExecResponse:
    """Call Exec over the Unix socket. Raises Refused, OSError, HTTPException."""
    connection = http.client.HTTPConnection("localhost")
    with contextlib.closing(connection), contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.settimeout(timeout_s)
        sock.connect(str(path))
        connection.sock = sock
        connection.request("POST", EXEC, request.SerializeToString(), {"Content-Type": "application/proto"})
        response = connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise Refused(data.decode())
        return ExecResponse.FromString(data)


@dataclass(frozen=True, slots=True)
class CountedCommand:
    """A command whose result is known before it runs."""

    id: str
    lines: int
    pause_s: float
    code: int

    @classmethod
    def drawn(cls, dice: random.Random) -> CountedCommand:
        return cls(
            str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            dice.choice([1, 20, 300, 4000]),
            dice.choice([0.0, 0.01, 0.1, 0.5]),
            dice.randrange(256),
        )

    @property
    def text(self) -> str:
        """What sh runs."""
        out, err = (f"seq -f '{self.id} {name} %.0f' {self.lines}" for name in ("out", "err"))
        halves = f"{out}; {err} >&2; sleep {self.pause_s}; {out}; {err} >&2"
        return f"echo ran >>marks/{self.id}; {halves}; printf end; exit {self.code}"

    def expected(self, name: str) -> str:
        """The SHA-256 of a stream."""
        half = "".join(f"{self.id} {name} {number}\n" for number in range(1, self.lines + 1))
        return digest(half * 2 + ("end" if name == "out" else ""))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class Counts:
    """What came of some kills. All from `run_twice` on must be 0."""

    kills: int = 0
    commands: int = 0
    asked_again: int = 0
    """Calls that broke off, after which the id was asked for again."""
    run_twice: int = 0
    never_run: int = 0
    wrong_codes: int = 0
    wrong_outputs: int = 0
    refused: int = 0


@dataclass(slots=True)
class ExecKills:
    """Clients, and a supervisor that is killed and started again."""

    scene: Scene
    dice: random.Random
    counts: Counts = field(default_factory=Counts)
    said: list[str] = field(default_factory=list)
    """What was wrong, for people."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _clients: int = 1
    """How many may call at the moment."""

    def run(self, kills: int, clients: int = CLIENTS) -> Counts:
        """Kill so often, then wait for all answers."""
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(clients)]
        self.scene.start()
        for thread in threads:
            thread.start()
        try:
            while self.counts.kills < kills:
                self._clients = self.dice.randint(1, clients)
                time.sleep(self.dice.uniform(0, LONGEST_WAIT_S))
                self.scene.kill()
                self.counts.kills += 1
                self.scene.start()
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        self.scene.end()
        return self.counts

    def _client(self, number: int) -> None:
        while not self._over.is_set():
            if number < self._clients:
                with self._lock:
                    command = CountedCommand.drawn(self.dice)
                    again = self.dice.random() < 0.3
                self._check(command, again)
            else:
                time.sleep(_PAUSE_S)

    def _check(self, command: CountedCommand, again: bool) -> None:
        answer = self._answer(command)
        if again and answer is not None and self._answer(command) != answer:
            self._say("wrong_outputs", f"{command}: another answer later")
        mark = self.scene.marks_folder / command.id
        runs = len(mark.read_text().splitlines()) if mark.exists() else 0
        with self._lock:
            self.counts.commands += 1
        if runs != 1:
            self._say("run_twice" if runs else "never_run", f"{command}: it ran {runs} times")
        if answer is None:
            return
        if answer.exit_code != command.code:
            self._say("wrong_codes", f"{command}: {answer.exit_code}, {answer.stderr[-200:]}")
        for name, text in (("out", answer.stdout), ("err", answer.stderr)):
            if digest(text) != command.expected(name):
                self._say("wrong_outputs", f"{command}: std{name} has {len(text)} characters, {text[-80:]!r}")

    def _answer(self, command: CountedCommand) -> ExecResponse | None:
        request = ExecRequest(operation_id=command.id, command=command.text)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ask(self.scene.state / "api.sock", request)
            except Refused as refused:
                self._say("refused", f"{command}: {refused}")
                return None
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.counts.asked_again += 1
                if time.monotonic() > deadline:
                    self._say("refused", f"{command}: no answer")
                    return None
                time.sleep(_PAUSE_S)

    def _say(self, what: str, text: str) -> None:
        with self._lock:
            setattr(self.counts, what, getattr(self.counts, what) + 1)
            self.said.append(text)


def wrong(counts: Counts) -> int:
    """How much of what may not be there was."""
    return counts.run_twice + counts.never_run + counts.wrong_codes + counts.wrong_outputs + counts.refused


def main() -> int:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--folder", type=Path, help="for workspaces, state and logs")
    words = parser.parse_args()
    os.environ[MARKER] = uuid.uuid4().hex
    print(f"--seed {words.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ek", dir=words.folder) as folder:
        project = Project(Path(folder))
        try:
            exec_kills = ExecKills(Scene(project), random.Random(words.seed))
            counts = exec_kills.run(words.kills, words.clients)
        finally:
            project.close()
    for one in fields(counts):
        print(f"{one.name.replace('_', ' '):14} {getattr(counts, one.name)}")
    print(f"{'seconds':14} {time.monotonic() - began:.0f}")
    print("\n".join(exec_kills.said[:20]))
    return int(wrong(counts) > 0)


if __name__ == "__main__":
    sys.exit(main())
