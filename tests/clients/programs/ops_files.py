"""Files of an environment, as gitpod-sdk 1.2.0 and ona-sdk 0.1.1 read and write them: SCENARIO ARGUMENTS, as JSON."""

from __future__ import annotations

import hashlib
import random
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from ops_parts import Ops, Result, check, environment, refusal, show
from supervisor.v1 import environmentopts_pb2 as pb

MIB = 1 << 20
MODE = {
    name: pb.WriteMode.Value(f"WRITE_MODE_{name.upper()}")
    for name in ("create", "truncate", "create_or_truncate", "append")
}


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` returns for each number, all of them begun at one moment."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * count)), hard))
    threading.stack_size(256 * 1024)
    ready = threading.Barrier(count)

    def begin(number: int) -> Any:
        ready.wait(30)
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


class Meanwhile:
    """Asks something small again and again, for how long that takes while something else goes on."""

    def __init__(self, ops: Ops) -> None:
        self._ops = ops
        self._over = threading.Event()
        self._took_s: list[float] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Meanwhile:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            self._ops.call("ListCapabilities")
            self._took_s.append(time.monotonic() - began)

    @property
    def result(self) -> Result:
        return {"asked": len(self._took_s), "slowestS": max(self._took_s)}


def parallel_reads(environment_id: str, arguments: Result) -> Result:
    """Many reads at one moment, a connection each, and other calls meanwhile."""
    env = environment(environment_id)

    def read(number: int) -> str:
        content = env.read_file(f"f{number % 10}").content
        right = hashlib.sha256(content.data).hexdigest() == content.content_hash
        return content.content_hash if right else "wrong"

    ran: list[Any] = []
    command = threading.Thread(target=lambda: ran.append(env.run_command("echo hi")))
    with Meanwhile(Ops(env)) as meanwhile:
        began = time.monotonic()
        command.start()
        hashes = at_once(arguments["count"], read)
        command.join()
        took_s = time.monotonic() - began
    return {"hashes": hashes, "tookS": took_s, "ran": ran[0].stdout, **meanwhile.result}


def odd_files(environment_id: str, arguments: Result) -> Result:
    """Files that cannot be read whole, or not at all, and a folder with many."""
    env = environment(environment_id)
    size = arguments["size"]
    digest, offset = hashlib.sha256(), size - 3 * MIB
    while offset < size:
        content = env.read_file("sparse", offset=offset, length=2 * MIB).content
        assert content.total_size == size
        digest.update(content.data)
        offset += len(content.data)
    status = env.read_file("/proc/self/status").content
    listing = env.read_file("many")
    check(listing)
    return {
        "whole": refusal(lambda: env.read_file("sparse")),
        "tail": digest.hexdigest(),
        "fifo": refusal(lambda: env.read_file("fifo")),
        "loop": refusal(lambda: env.read_file("loop")),
        "missing": refusal(lambda: env.read_file("missing")),
        "negative": refusal(lambda: env.read_file("sparse", offset=-1)),
        "status": status.data.decode().partition(":")[0],
        "statusSize": status.total_size == len(status.data) > 0,
        "listed": len(listing.directory.entries),
        "first": listing.directory.entries[0].path,
    }


def modes(environment_id: str, arguments: Result) -> Result:
    """Each mode against a present and a missing file: what was refused, or how many bytes were written."""
    env, found = environment(environment_id), {}

    def tried(path: str, mode: str) -> Any:
        wrote: list[int] = []
        refused = refusal(lambda: wrote.append(env.write_file(path, "new", mode=MODE[mode])))
        return refused["kind"] if refused else wrote[0].bytes_written

    for mode in ("create", "truncate", "create_or_truncate", "append"):
        found[mode] = [tried(f"present-{mode}", mode), tried(f"missing-{mode}/f", mode)]
    return found


def crowd(environment_id: str, arguments: Result) -> Result:
    """Many that create one file, and many that add to another, at one moment each."""
    env, size = environment(environment_id), arguments["size"]
    env.read_file(".")

    def create(number: int) -> str:
        refused = refusal(lambda: env.write_file("created", bytes([number]) * 1000, mode=MODE["create"]))
        return refused["kind"] if refused else ""

    def add(number: int) -> str:
        refused = refusal(lambda: env.write_file("log", bytes([number]) * size, mode=MODE["append"]))
        return refused["kind"] if refused else ""

    return {"created": at_once(20, create), "added": at_once(arguments["count"], add)}


def large(environment_id: str, arguments: Result) -> Result:
    """A large file, there and back, and what other calls notice."""
    env, size = environment(environment_id), arguments["size"]
    data = random.Random(arguments["seed"]).randbytes(size)
    with Meanwhile(Ops(env)) as meanwhile:
        wrote = env.write_file("large", data).bytes_written
        content = env.read_file("large").content
    return {
        "wrote": wrote,
        "same": content.data == data and content.content_hash == hashlib.sha256(data).hexdigest(),
        "tooLarge": refusal(lambda: env.write_file("large", bytes(arguments["tooLarge"]))),
        **meanwhile.result,
    }


def find(environment_id: str, arguments: Result) -> Result:
    """Searches among many files, and the best time of a few for each."""
    ops, found = Ops(environment(environment_id)), {}
    for name, fields in arguments["searches"].items():
        took_s = []
        for _ in range(arguments["times"]):
            began = time.monotonic()
            answer = ops.call("Find", **fields)
            took_s.append(time.monotonic() - began)
        paths = [each.path for each in answer.files]
        found[name] = {
            "count": len(paths),
            "truncated": answer.truncated,
            "tookS": min(took_s),
            "ignoredFrom": next((at for at, path in enumerate(paths) if "/ignored/" in path), len(paths)),
            "ignored": sum("/ignored/" in path for path in paths),
            "first": paths[0].rpartition("/")[2],
        }
    return found


def overwrite(environment_id: str, arguments: Result) -> Result:
    """Write a file of one byte over and over until the supervisor is gone; returns how often that was answered."""
    env, data = environment(environment_id), bytes([arguments["byte"]]) * arguments["size"]
    refused = refusal(lambda: env.write_file("target", data))
    return {"refused": refused}


def forbidden(environment_id: str, arguments: Result) -> Result:
    """Files of somebody else, read, added to and overwritten; and one's own, a new one and one that is there."""
    env = environment(environment_id)
    calls: dict[str, Callable[[str], Any]] = {
        "read": env.read_file,
        "append": lambda path: env.write_file(path, "x", mode=MODE["append"]),
        "write": lambda path: env.write_file(path, "x"),
    }
    found = {}
    for path in arguments["paths"]:
        for name, call in calls.items():
            refused = refusal(lambda call=call, path=path: call(path))
            found[f"{name} {path}"] = refused and refused["kind"]
    env.write_file("folder/mine", "dev's")
    env.write_file("present", "changed")
    return {"refused": found, "own": env.read_file("folder/mine").content.data.decode()}


SCENARIOS = {
    "forbidden": forbidden,
    "parallel_reads": parallel_reads,
    "odd_files": odd_files,
    "modes": modes,
    "crowd": crowd,
    "large": large,
    "find": find,
    "overwrite": overwrite,
}

if __name__ == "__main__":
    show(SCENARIOS)
