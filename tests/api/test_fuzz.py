"""Nothing that a client can send makes an error inside the server: every method of the API meets anything at all.

The server is the one that `assembly` puts together, on a Unix socket, with a real engine and a real store. Its machine
starts and ends everything at once. What is sent is made from the descriptors of the wire: almost a request, nearly a
request, and no request.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import gzip
import importlib
import json
import logging
import os
import pkgutil
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

import platform_wire
from connect_server.connect_errors import Code
from supervisor.activity.activity import Activity
from supervisor.api import assembly
from supervisor.api.http.sockets import Sockets
from supervisor.config import Loaded, load_bytes
from supervisor.core.items.diff import Changes
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.proc import clock
from supervisor.host.proc.loop_lag import EventLoopLag
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.state.store import Store
from supervisor.host.work_place import MachinePlace
from supervisor.hub import Hub
from supervisor.model.action import Action, Kill, RunKind, Spawn, Terminate
from supervisor.model.command import CreateService, CreateTask, StartTask
from supervisor.model.errors import Precondition
from supervisor.model.exit import ExitCode
from supervisor.model.fact import EnvironmentStarted, Exited, Started
from supervisor.model.ids import EnvironmentId, TaskId
from supervisor.model.record import Record
from supervisor.terminals.holder_client import HolderClient
from supervisor.terminals.terminal_maker import TerminalMaker
from supervisor.workspace.methods import METHODS as RELAYED
from tests import leaks
from tests.activity.fakes import Memory
from tests.api.idle_supervisor import IdleSupervisor
from tests.boot.notices import Notices
from tests.connect_server.serving import envelope
from tests.core.playbook import SEED, service, task

T = TypeVar("T")
Json = Any
KNOWN = tuple(f"0000000{n}-0000-4000-8000-00000000000{n}" for n in range(1, 4))
"""A service, a task and an execution that are there when a test begins."""
PATIENCE_S = 10.0
CODES = {code.value for code in Code}


def examples(most: int) -> settings:
    return settings(
        derandomize=True, max_examples=most, database=None, suppress_health_check=list(HealthCheck)
    )


def methods() -> Iterator[MethodDescriptor]:
    """All of the contract."""
    for module in pkgutil.iter_modules(platform_wire.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"{platform_wire.__name__}.{module.name}").DESCRIPTOR
            for served in file.services_by_name.values():
                yield from served.methods


METHODS = {f"/{method.containing_service.full_name}/{method.name}": method for method in methods()}
SERVED = [path for path in METHODS if "Ops" not in path]
CARRIED = [path for path in METHODS if path.rpartition("/")[2] in RELAYED]
"""Served by a process of its own, in the worker's tests."""


# A server, and what is sent to it


@dataclass(frozen=True)
class Sent:
    """A request."""

    path: str
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    verb: str = "POST"


class Idle(IdleSupervisor):
    async def update_file(self, content: bytes | None, dry_run: bool) -> tuple[str, Loaded, Changes | None]:
        loaded = load_bytes(content or b"")
        return "", loaded, None if loaded.file is None else Changes()

    async def upgrade(self) -> str:
        raise Precondition("cannot upgrade: this is a test")


class Bench:
    """The server, in an event loop that turns only while a test waits for something."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.statuses: set[int] = set()
        self.store = Store(folder / "db")
        self.engine = Engine(World(), self.store, Hub(), clock)
        self.engine.performer = self
        self.engine.post(EnvironmentStarted(EnvironmentId(SEED)))
        self.engine.submit(CreateService(service("web"), KNOWN[0]))
        self.engine.submit(CreateTask(task("build"), (), KNOWN[1]))
        self.engine.submit(StartTask(TaskId(KNOWN[1]), KNOWN[2]))
        self.socket = folder / "api.sock"
        place = MachinePlace(CommandEnvironment(dict(os.environ), str(folder)))
        self.parts = assembly.ApiParts(
            engine=self.engine,
            activity=Activity(self.engine.world, Memory(), "a boot", clock),
            supervisor=Idle(),
            sockets=Sockets(self.socket, None),
            lag=EventLoopLag(folder / "stalls", Notices()),
            used_ids=self.store,
            environment_id=SEED,
            state=folder,
            place=place,
            holders=HolderClient(folder),
            maker=TerminalMaker(place, folder / "runs"),
        )

    def perform(self, action: Action) -> None:
        if isinstance(action, Spawn):
            self.engine.post(Started(action.run_id, 1))
            if action.kind is RunKind.OPERATION:  # its caller waits for the end
                self.engine.post(Exited(action.run_id, ExitCode(0)))
        if isinstance(action, Terminate | Kill):
            self.engine.post(Exited(action.run_id, ExitCode(0), ""))

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        self.store.save(changed, removed)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(asyncio.wait_for(work, PATIENCE_S))

    def check(self, *requests: Sent) -> None:
        """Send requests; every answer must be one that may be given."""
        for sent, status, headers, body in self.wait(self._answers(requests)):
            check(sent, status, headers, body)
            self.statuses.add(status)

    async def _answers(self, requests: Iterable[Sent]) -> list[tuple[Sent, int, Mapping[str, str], bytes]]:
        found: list[tuple[Sent, int, Mapping[str, str], bytes]] = []
        async with self.client() as client:
            for sent in requests:
                url = URL("http://localhost" + sent.path, encoded=True)
                async with client.request(sent.verb, url, data=sent.body, headers=sent.headers) as response:
                    # Of a stream its head is enough: it is left in the middle.
                    streams = response.status == 200 and "Watch" in sent.path
                    body = b"" if streams else await response.read()
                    found.append((sent, response.status, response.headers, body))
        return found

    def client(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self.socket)), skip_auto_headers=["Content-Type"]
        )


class Errors(logging.Handler):
    """Keeps what is logged as an error: that of a stream has no status to be seen by."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


async def _end_terminals(state: Path) -> None:
    for holder in await HolderClient(state).drain():
        await holder.close(PATIENCE_S)


@contextmanager
def served(folder: Path) -> Iterator[Bench]:
    """A server for a test, after which it must be well and hold nothing that it did not hold at the beginning."""
    errors = Errors()
    logging.getLogger().addHandler(errors)
    with asyncio.Runner() as runner:
        bench = Bench(folder, runner)
        loop = runner.get_loop()
        tasks = [loop.create_task(work) for work in (assembly.serve(bench.parts), bench.engine.run())]

        async def held(most: Callable[[int, int, int], bool]) -> tuple[int, int, int]:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    # One task is this one.
                    counts = (
                        len(asyncio.all_tasks()),
                        len(list(leaks.descriptors())),
                        bench.engine.hub.readers,
                    )
                    if most(*counts):
                        return counts
                    await asyncio.sleep(0.005)

        try:
            # Whatever is made once is made now.
            bench.check(Sent("/healthz", verb="GET"), Sent("/metrics", verb="GET"))
            bench.wait(asyncio.sleep(0.05))
            before = bench.wait(held(lambda *_: True))
            yield bench
            bench.check(Sent("/healthz", verb="GET"))
            assert not any(task.done() for task in tasks), tasks
            bench.wait(held(lambda *now: all(n <= b for n, b in zip(now, before, strict=True))))
        finally:
            for running in tasks:
                running.cancel()
            with suppress(asyncio.CancelledError):
                runner.run(_all(tasks))
            runner.run(_end_terminals(folder))
            bench.store.close()
            logging.getLogger().removeHandler(errors)
    assert not errors.found, errors.found[0]


async def _all(tasks: Iterable[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def check(sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """No error of the server's own, and those of the client are told to it in the way of Connect."""
    told = f"{sent!r} is answered {status}: {body[:500]!r}"
    assert status < 500 or status == 501, told
    assert b"Traceback" not in body, told
    if sent.verb == "HEAD":
        return
    if status >= 400:
        assert headers["Content-Type"].startswith("application/json"), told
        error = json.loads(body)
        assert error["code"] in CODES - {"internal", "unknown"}, told
        assert error["message"], told
        assert isinstance(error["message"], str), told
    elif headers.get("Content-Type", "") == "application/json":
        json.loads(body)


# Bodies

JUNK: st.SearchStrategy[Json] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, 1e308, -0.0]),
    st.sampled_from(
        ["", "\0", "\ud800", "\udfff\ud800", "é", "🦊", "1e9", "NaN", "-", "x" * 300, "../../etc"]
    ),
    st.sampled_from([[], {}, [[]], [None], {"": {}}, {"\ud800": 1}, {"@type": "x"}, [{}] * 50]),
    st.text(max_size=8),
)
TEXTS = st.one_of(
    st.sampled_from([SEED, *KNOWN, "99999999-2222-4333-8444-555555555555"]),
    st.sampled_from(
        ["web", "build", "a" * 81, "main", "/x", "${A}", "tasks: {a: {command: b}}", "\0", "é🦊\n"]
    ),
    st.text(max_size=12),
)
TIMES = st.sampled_from(
    [
        "2023-11-14T22:13:20Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "2023-11-14T22:13:20+14:00",
        "",
    ]
)
DURATIONS = st.sampled_from(
    ["0s", "1.5s", "-1s", "315576000000s", "315576000001s", "0.000000001s", "s", "1h"]
)


HARMLESS = {
    "supervisor.v1.ExecRequest.command": [
        "true",
        "exit 3",
        "echo a; echo b >&2",
        "kill -9 $$",
        "",
        "\0",
        "é" * 300,
    ],
    "supervisor.v1.WriteFileRequest.path": [
        "a",
        "b/c",
        "é/🦊",
        "x" * 300,
        "",
        "\0",
        "../outside",
        "b",
        ".git/x",
    ],
}
"""Of fields that would do something elsewhere on this machine."""


@cache
def values(wanted: FieldDescriptor, depth: int) -> st.SearchStrategy[Json]:
    """What may stand in a field, one of it."""
    if wanted.full_name in HARMLESS:
        return st.sampled_from(HARMLESS[wanted.full_name])
    if wanted.message_type is not None:
        match wanted.message_type.full_name:
            case "google.protobuf.Timestamp":
                return TIMES
            case "google.protobuf.Duration":
                return DURATIONS
            case _:
                return objects(wanted.message_type, depth - 1)
    if wanted.enum_type is not None:
        names = [value.name for value in wanted.enum_type.values]
        return st.sampled_from([*names, 0, 1, 2**31 - 1, -1])
    match wanted.type:
        case FieldDescriptor.TYPE_STRING:
            return TEXTS
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_BYTES:
            return st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode())
        case _:
            return st.sampled_from([0, 1, 25, 100, 101, -1, "7", 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1])


@cache
def objects(message: Descriptor, depth: int) -> st.SearchStrategy[dict[str, Json]]:
    """Requests that are well-formed, or nearly: two members of a oneof, a number out of range."""
    if depth == 0:
        return st.just({})
    fields: dict[str, st.SearchStrategy[Json]] = {}
    for each in message.fields:
        if each.message_type is not None and each.message_type.GetOptions().map_entry:
            key, value = each.message_type.fields
            fields[each.name] = st.dictionaries(
                values(key, depth - 1).map(str), values(value, depth - 1), max_size=2
            )
        elif each.is_repeated:
            fields[each.name] = st.lists(values(each, depth), max_size=3)
        else:
            fields[each.name] = values(each, depth)
    names = {each.name: each.json_name for each in message.fields}
    return st.tuples(st.fixed_dictionaries({}, optional=fields), st.booleans()).map(
        lambda drawn: {names[name] if drawn[1] else name: value for name, value in drawn[0].items()}
    )


@st.composite
def requests(draw: st.DrawFn, message: Descriptor) -> dict[str, Json]:
    """Requests for something that is there, more often than chance would have it."""
    found = draw(objects(message, 5))
    there = {"environment_id": SEED}
    there["id"] = KNOWN[1] if "Task" in message.name else KNOWN[0]
    if "Execution" in message.name:
        there["id"] = KNOWN[2]
    for name, id_ in there.items():
        if name in message.fields_by_name and draw(st.integers(0, 3)):
            found.pop(message.fields_by_name[name].json_name, None)
            found[name] = id_
    return found


@st.composite
def mutants(draw: st.DrawFn, message: Descriptor) -> Json:
    """Requests in which something is amiss: a value of another type, a field that nobody knows or that is null."""
    tree: Json = draw(requests(message))
    for _ in range(draw(st.integers(1, 3))):
        node = tree
        while True:
            inner = list(node.values()) if isinstance(node, dict) else list(node)
            deeper = [item for item in inner if isinstance(item, dict | list) and item]
            if not deeper or draw(st.booleans()):
                break
            node = draw(st.sampled_from(deeper))
        junk = copy.deepcopy(draw(JUNK))  # the next round may change it
        if isinstance(node, dict):
            name = draw(st.sampled_from([*node, "unknownField", "\ud800", ""]))
            node[name] = junk
        else:
            node[draw(st.integers(0, len(node) - 1))] = junk
    return tree


def as_json(tree: Json) -> bytes:
    return json.dumps(tree).encode()


def as_raw_json(tree: Json) -> bytes:
    """Halves of surrogate pairs as the bytes that are no UTF-8."""
    return json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass")


def as_binary(message: Descriptor, tree: Json) -> bytes:
    kind: type[Message] = GetMessageClass(message)
    try:
        return ParseDict(tree, kind(), ignore_unknown_fields=True).SerializeToString()
    except (ParseError, ValueError, TypeError, UnicodeError):
        return as_json(tree)


NESTED = st.sampled_from(
    [(b"[", 100_000), (b"9", 5000), (b'{"metadata":', 5000), (b'{"metadata":{"triggeredBy":[', 900)]
).map(lambda drawn: drawn[0] * drawn[1])
BYTES = st.one_of(st.binary(max_size=40), NESTED, st.sampled_from([b"", b"null", b"[]", b'"x"', b"NaN"]))


@st.composite
def broken(draw: st.DrawFn, body: bytes) -> bytes:
    """A body that is cut off, or in which a byte is another."""
    if not body:
        return b"\xff"
    at = draw(st.integers(0, len(body) - 1))
    return body[:at] if draw(st.booleans()) else body[:at] + draw(st.binary(max_size=2)) + body[at + 1 :]


HEADERS = st.sampled_from(
    [
        {},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "identity"},
        {"Content-Encoding": "é"},
        {"Connect-Protocol-Version": "2"},
        {"Connect-Timeout-Ms": "x"},
        {"Connect-Timeout-Ms": "-1"},
        {"Connect-Timeout-Ms": "9" * 30},
        {"Connect-Timeout-Ms": "99999999999"},
        {"Accept": "application/jsonl"},
        {"Accept-Encoding": "gzip;q=x, ,,br"},
        {"Origin": "null"},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "é"},
        {"X-Bin": "é"},
        {"X-Some-Bin": "!"},
    ]
)
TYPES = st.sampled_from(
    [
        *(
            "application/json; charset=latin-1",
            "application/JSON",
            "application/json;",
            "text/plain",
            "é",
            ";",
        ),
        *(
            "application/connect+json",
            "application/connect+proto",
            "application/connect+x",
            "application/jsonl",
        ),
        *(
            "application/grpc",
            "application/grpc-web+proto",
            "application/x-www-form-urlencoded",
            "application/",
        ),
    ]
)


@st.composite
def calls(draw: st.DrawFn, path: str) -> list[Sent]:
    """Requests to a method, of all kinds."""
    message = METHODS[path].input_type
    valid, mutant, garbage = draw(requests(message)), draw(mutants(message)), draw(BYTES)
    binary = as_binary(message, valid)
    stream = "connect+" if METHODS[path].server_streaming else ""
    wrap = envelope if stream else bytes
    json_type = {"Content-Type": f"application/{stream}json"}
    proto_type = {"Content-Type": f"application/{stream}proto"}
    body = as_json(valid)
    zipped = json_type | {f"{'Connect-' if stream else ''}Content-Encoding": "gzip"}
    flags = (lambda data: envelope(data, 1)) if stream else bytes
    prefix = draw(st.sampled_from(["", "/api"]))
    verbs = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"]
    sent = [
        (wrap(body), json_type),
        (wrap(binary), proto_type),
        (wrap(as_json(mutant)), json_type),
        (wrap(as_raw_json(mutant)), json_type),
        (wrap(draw(broken(body))), json_type),
        (wrap(draw(broken(binary))), proto_type),
        (wrap(garbage), draw(st.sampled_from([json_type, proto_type]))),
        (draw(broken(wrap(body))), json_type),
        (garbage, draw(st.sampled_from([json_type, proto_type]))),
        (draw(broken(flags(gzip.compress(body)))), zipped),
        (wrap(draw(st.sampled_from([body, garbage]))), json_type | draw(HEADERS)),
        (
            draw(st.sampled_from([body, envelope(body), binary])),
            {"Content-Type": draw(TYPES)} | draw(HEADERS),
        ),
        (body, {}),
    ]
    query = draw(
        st.sampled_from(["", "?token=x", "?pageSize=x", "?%ff=%00", "?filter=1&filter=2", "?encoding=json"])
    )
    return [
        *(Sent(prefix + path, body, headers) for body, headers in sent),
        Sent(prefix + path + query, body, json_type, draw(st.sampled_from(["POST", *verbs]))),
        Sent(prefix + path + query, garbage, json_type),
        Sent(f"{prefix}{path}?token=x", draw(NESTED), json_type),
    ]


# The tests


@pytest.mark.parametrize("path", SERVED)
def test_method_takes_anything_without_an_error_of_its_own(path: str, tmp_path: Path) -> None:
    with served(tmp_path) as bench:

        @examples(12)
        @given(calls(path))
        def send(sent: list[Sent]) -> None:
            bench.check(*sent)

        send()
        assert bench.statuses & {200, 501}, "nothing was sent that the method takes"
        assert bench.statuses >= {405, 415}
        # The errors of a stream are inside it; what is not served takes nothing.
        assert 400 in bench.statuses or 501 in bench.statuses or path.endswith("/WatchEvents")


def test_methods_that_are_not_served_say_so_whatever_they_are_sent(tmp_path: Path) -> None:
    with served(tmp_path) as bench:

        @examples(60)
        @given(st.sampled_from(sorted(METHODS.keys() - {*SERVED, *CARRIED})).flatmap(calls))
        def send(sent: list[Sent]) -> None:
            bench.check(*sent)

        send()


WORDS = st.one_of(
    st.sampled_from(
        [
            *(
                "logs",
                "services",
                "tasks",
                "executions",
                "control",
                "status",
                "trigger",
                "restart",
                "update",
                "token",
            ),
            *("shutdown", "api", "metrics", "readyz", "gitpod.v1.EventService", "WatchEvents", *KNOWN, SEED),
            *("..", ".", "%00", "%ff", "%2f", "%ED%A0%80", "x" * 3000, "{id}", ""),
        ]
    ),
    st.text("abz/%25_-", max_size=6).map(lambda text: text.replace("%", "%25")),
)
PATHS = st.lists(WORDS, min_size=1, max_size=4).map(lambda words: "/" + "/".join(words))
QUERIES = st.sampled_from(
    [
        "",
        "?tail=x",
        "?tail=-1",
        "?follow=1&offset=9e9",
        "?since=%ff",
        "?grep=(&until=1d",
        "?format=%00",
        "?&&=",
        "?x",
    ]
)
CONTROL = st.builds(
    lambda name, tree: Sent(f"/control/{name}", as_json(tree)),
    st.sampled_from(["trigger", "restart", "update", "token", "shutdown"]),
    st.one_of(
        JUNK,
        st.dictionaries(
            st.sampled_from(
                ["name", "id", "content", "dryRun", "scope", "ttlSeconds", "detach", "graceSeconds", "x"]
            ),
            st.one_of(JUNK, TEXTS),
            max_size=2,
        ),
    ),
)
ANYWHERE = st.builds(
    Sent,
    path=st.tuples(PATHS, QUERIES).map("".join),
    body=BYTES,
    verb=st.sampled_from(["GET", "GET", "POST", "HEAD", "PUT", "OPTIONS"]),
)


def test_any_path_is_answered_without_an_error_of_the_server(tmp_path: Path) -> None:
    with served(tmp_path) as bench:

        @examples(400)
        @given(st.one_of(ANYWHERE, CONTROL))
        def send(sent: Sent) -> None:
            bench.check(sent)

        send()


def test_any_bytes_on_a_connection_leave_the_server_well(tmp_path: Path) -> None:
    head = f"POST {SERVED[0]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    starts = st.sampled_from(
        [
            *(
                b"",
                head,
                head + b"\r\n{}",
                head + b"Content-Length: 9\r\n\r\n{",
                head + b"Content-Length: -1\r\n\r\n",
            ),
            *(
                head + b"Transfer-Encoding: chunked\r\n\r\n",
                head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
            ),
            *(
                head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ),
        ]
    )
    with served(tmp_path) as bench:

        async def exchange(data: bytes) -> bytes:
            reader, writer = await asyncio.open_unix_connection(bench.socket)
            try:
                writer.write(data)
                writer.write_eof()
                return await reader.read()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

        @examples(120)
        @given(starts, st.binary(max_size=30))
        def send(start: bytes, rest: bytes) -> None:
            with suppress(ConnectionResetError, BrokenPipeError):
                answer = bench.wait(exchange(start + rest))
                assert not answer.startswith(b"HTTP/1.1 5"), answer
                assert b"Traceback" not in answer

        send()
