"""Many services and tasks in one file, and many clients at once.

What decides and remembers is measured alone (`programs/at_scale.py`), by the processor time that a file of 5,000 takes
beside one of 100: in proportion is 1, the square of the number would be 50. No process is started.

The clients are 50 that ask for a service again and again and 200 that watch events, while one renames a service.
"""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.measure import (
    ROOT,
    SUPERVISOR,
    TIMEOUT_S,
    Row,
    cpu_s,
    environment,
    percentile,
    running,
    until,
)
from benchmarks.serving import FIRST, IDLE, Served, answer, unread

NUMBERS = (10, 100, 1000, 5000)
SHAPES = {
    "services": "services with a ready command",
    "wide": "one task that depends on all others",
    "chain": "a chain of tasks, all triggered",
    "mixed": "services, and triggered tasks that depend on them",
    "stopped": "one task that depends on all others, which is stopped",
}
ROUNDS = 3
MOST = 1.3
"""How much more than in proportion 5,000 may cost, beside 100."""
SERVICES = 100
CLIENTS = 50
WATCHERS = 200
CROWD_S = 6.0
EVERY_S = 0.1
_CHUNK = 1 << 16


def measure() -> list[Row]:
    return [*_core_rows(), *_crowd_rows(SUPERVISOR)]


def _core_rows() -> Iterator[Row]:
    for shape, what in SHAPES.items():
        times = {number: at_scale(SUPERVISOR, shape, number) for number in NUMBERS}
        few, many = times[100], times[5000]
        for number in NUMBERS:
            total = sum(times[number].values())
            yield Row(f"{what}: {number} of them", total * 1e3, "ms")
        for phase in many:
            if many[phase] > 0.05:
                beside = many[phase] / few[phase] / 50
                yield Row(f"{what}: {phase}, 5,000 beside 100, in proportion", beside, "", MOST)


def at_scale(program: str, shape: str, number: int) -> dict[str, float]:
    """`{phase: CPU seconds}`, medians of some rounds, of the version whose launcher is `program`."""
    rounds: dict[str, list[float]] = {}
    root = Path(program).resolve().parents[1]
    script = ROOT / "benchmarks" / "programs" / "at_scale.py"
    for _ in range(ROUNDS):
        # On the disk that users have, and each round anew.
        with tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as folder:
            done = subprocess.run(
                [root / ".venv" / "bin" / "python", script, shape, str(number), folder],
                cwd=root,
                env=environment(Path(folder)) | {"PYTHONPATH": str(root)},
                capture_output=True,
                timeout=600,
                check=True,
            )
        for phase, seconds in json.loads(done.stdout).items():
            rounds.setdefault(phase, []).append(seconds)
    return {phase: statistics.median(seconds) for phase, seconds in rounds.items()}


def _crowd_rows(program: str) -> Iterator[Row]:
    found = crowd(program)
    who = f"{CLIENTS} clients and {WATCHERS} watchers"
    yield Row(f"{who}: GetService", found["requests"], "/s")
    yield Row(f"{who}: GetService, p99", found["p99"] * 1e3, "ms")
    yield Row(f"{who}: a change until the last watcher has its event, median", found["event"] * 1e3, "ms")
    yield Row(f"{who}: of the events, received", found["received"] * 100, "%", at_least=100.0)
    yield Row(
        f"{WATCHERS} watchers alone: CPU of the supervisor for an event of one", found["cpu"] * 1e6, "us"
    )


def crowd(program: str) -> dict[str, float]:
    """What clients see while there are many, and what an event costs while nobody else asks."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "home").mkdir()
        (folder / "tmp").mkdir()
        served = stack.enter_context(_serving(program, folder))
        watch = served.call(
            "EventService/WatchEvents", {"environmentId": served.environment_id}, "application/jsonl"
        )
        watchers = [stack.enter_context(served.stream(watch)) for _ in range(WATCHERS)]
        crowd = _Crowd(served, watchers, stack)
        alone = crowd.changes(0)
        busy = crowd.changes(CLIENTS)
        return busy | {"cpu": alone["cpu"]}


class _Crowd:
    """Watchers that are read all the time, clients that ask again at once, and one that renames a service."""

    def __init__(self, served: Served, watchers: list[socket.socket], stack: ExitStack) -> None:
        self.served = served
        self.watchers = watchers
        self.renamer = stack.enter_context(served.connect())
        self.askers = [stack.enter_context(served.connect()) for _ in range(CLIENTS)]
        self.number = 0

    def changes(self, clients: int) -> dict[str, float]:
        """What so many clients and all watchers see for some seconds."""
        served, id_ = self.served, self.served.service_id.encode()
        get = served.call("EnvironmentAutomationService/GetService", {"id": served.service_id})
        waits: list[float] = []
        spreads: list[float] = []
        due, changes, seen, first = 0.0, 0, 0, 0.0
        asked: dict[socket.socket, tuple[float, bytes]] = {}
        renaming: bytes | None = None
        cpu, began = cpu_s(served.pids[:1]), time.perf_counter()
        with selectors.DefaultSelector() as selector:
            for one in [*self.watchers, self.renamer, *self.askers[:clients]]:
                selector.register(one, selectors.EVENT_READ)
            for client in self.askers[:clients]:
                client.sendall(get)
                asked[client] = time.perf_counter(), b""
            while (now := time.perf_counter()) - began < CROWD_S or seen < changes * WATCHERS:
                if now - began > CROWD_S + TIMEOUT_S:
                    raise TimeoutError(f"{seen} events of {changes * WATCHERS} came")
                if seen == changes * WATCHERS and renaming is None and now >= due and now - began < CROWD_S:
                    self.number += 1
                    changed = {"id": served.service_id, "metadata": {"name": f"name {self.number}"}}
                    self.renamer.sendall(served.call("EnvironmentAutomationService/UpdateService", changed))
                    due, first, renaming, changes = now + EVERY_S, now, b"", changes + 1
                for key, _ in selector.select(0.02):
                    client = key.fileobj
                    assert isinstance(client, socket.socket)
                    received = client.recv(_CHUNK)
                    if not received:
                        raise RuntimeError("the server hung up")
                    if client is self.renamer:
                        renaming = (renaming or b"") + received
                        if unread(renaming) == 0:
                            renaming = None
                    elif client in asked:
                        at, part = asked[client]
                        part += received
                        asked[client] = at, part
                        if unread(part) == 0:
                            waits.append(time.perf_counter() - at)
                            client.sendall(get)
                            asked[client] = time.perf_counter(), b""
                    else:
                        seen += received.count(id_)
                        if seen == changes * WATCHERS:
                            spreads.append(time.perf_counter() - first)
            took = time.perf_counter() - began
            for client in asked:  # the last answers, so that the connections can be used again
                part = asked[client][1]
                while unread(part) != 0:
                    part += client.recv(_CHUNK)
        return {
            "requests": len(waits) / took,
            "p99": percentile(waits, 99) if waits else 0.0,
            "event": statistics.median(spreads),
            "received": seen / (changes * WATCHERS),
            "cpu": (cpu_s(served.pids[:1]) - cpu) / max(seen, 1),
        }


@contextmanager
def _serving(program: str, folder: Path) -> Iterator[Served]:
    items = "".join(
        f"  service-{number}:\n    name: service\n    triggeredBy: [postEnvironmentStart]\n"
        f"    commands:\n      start: {IDLE}\n"
        for number in range(SERVICES)
    )
    (folder / "automations.yaml").write_text(f"services:\n{items}")
    argv = [program, "run", "automations.yaml", "--state-dir", "state", "--listen", "127.0.0.1:0"]

    def asked(*command: str) -> Mapping[str, object]:
        full = [program, *command, "--socket", "state/api.sock", "--format", "json"]
        done = subprocess.run(full, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    with running(argv, folder) as pids:
        until(lambda: (asked("status").get("services") or {}) == {"running": SERVICES}, 0.5)  # type: ignore[comparison-overlap]
        status, token = asked("status"), str(asked("token")["token"])
        host, _, port = str(status["url"]).removeprefix("http://").rpartition(":")
        served = Served(pids, (host, int(port)), str(status["environmentId"]), "", Path(), token)
        with served.connect() as client:
            listed = answer(client, served.call("EnvironmentAutomationService/ListServices", FIRST))
        service_id = json.loads(listed)["services"][0]["id"]
        yield Served(pids, served.address, served.environment_id, service_id, Path(), token)


if __name__ == "__main__":
    import sys

    print(json.dumps(crowd(sys.argv[1] if len(sys.argv) > 1 else SUPERVISOR)))
