"""The streams of an operation as logs: by its id, while it runs and afterwards, each with its own cursors."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from supervisor.hub import Change
from supervisor.lean.frozen import replace
from supervisor.model.exit import ExitCode
from supervisor.model.ids import OperationId, RunId
from supervisor.model.operation_record import Operation, OperationEnded
from tests.api.logs.logscene import Scene, Site, events, read_until, serving, within_deadline

RUN = RunId("33333333-3333-4333-8333-333333333333")
ID = "call 1/ü"
BASE = f"/logs/operations/{quote(ID, safe='')}"
PARTS = "application/vnd.supervisor.log-parts"


class Operating:
    """An operation in a scene."""

    def __init__(self, folder: Path) -> None:
        self.scene = Scene(folder)
        self.folder = self.scene.runs / RUN
        self.folder.mkdir()
        for name in ("stdout", "stderr"):
            (self.folder / name).touch()
        self.operation = Operation(RUN, OperationId(ID), "make", "digest", "", 0.0, 1.0)
        self.put(self.operation)

    def put(self, operation: Operation) -> None:
        records = self.scene.records
        records.operations[RUN] = operation
        records.operation_runs[operation.operation_id] = RUN
        self.scene.hub.publish([Change(self.operation, operation)])
        self.operation = operation

    def write(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)

    def end(self) -> None:
        self.put(replace(self.operation, state=OperationEnded(ExitCode(0), 2.0)))


@pytest.fixture
def it(tmp_path: Path) -> Operating:
    return Operating(tmp_path)


def test_streams_are_read_apart_and_in_part(it: Operating) -> None:
    it.write("stdout", b"one\ntwo\n\xff")
    it.write("stderr", b"err\n")
    it.end()

    async def body() -> None:
        async with serving(it.scene) as site:
            assert await site.get(f"{BASE}/stdout") == b"one\ntwo\n\xff"
            assert await site.get(f"/api{BASE}/stderr") == b"err\n"
            assert await site.get(f"{BASE}/stdout?offset=4") == b"two\n\xff"
            assert await site.get(f"{BASE}/stdout", 206, Range="bytes=-5") == b"two\n\xff"
            assert await site.get(f"{BASE}/stdout?tail=2") == b"two\n\xff"
            assert await site.get(f"{BASE}/stdout?grep=w") == b"two\n"
            assert b"not_found" in await site.get("/logs/operations/other/stdout", 404)
            await site.get(f"{BASE}/log", 404)
            async with site.ask(f"{BASE}/stdout") as response:
                assert response.headers["X-Log-Run"] == RUN
                assert response.headers["X-Log-Cursor"] == f"{RUN}/stdout:0"

    within_deadline(body)


def test_follower_gets_what_comes_until_the_end(it: Operating) -> None:
    async def body() -> None:
        async with serving(it.scene) as site, site.ask(f"{BASE}/stdout") as response:
            it.write("stdout", b"one\n")
            assert await read_until(response, b"one\n") == b"one\n"
            it.write("stderr", b"not this\n")
            it.write("stdout", b"two")
            it.end()
            assert await response.read() == b"two"

    within_deadline(body)


def test_secrets_are_masked(it: Operating) -> None:
    it.scene.secrets = {"hunter2"}
    it.write("stdout", b"password hunter2\n")
    it.end()

    async def body() -> None:
        async with serving(it.scene) as site:
            assert await site.get(f"{BASE}/stdout") == b"password ***\n"

    within_deadline(body)


def test_cursor_goes_on_and_is_none_of_the_other_stream(it: Operating) -> None:
    it.write("stdout", b"one\ntwo\n")
    it.write("stderr", b"one\ntwo\n")
    it.end()

    async def body() -> None:
        async with serving(it.scene) as site:
            (first, *_, last) = events(await site.encoded(f"{BASE}/stdout", "text/event-stream"))
            assert (first.data, first.id) == ("one\ntwo\n", f"{RUN}/stdout:8")
            assert last.type == "end"
            headers = {"Accept": "text/event-stream", "Last-Event-ID": last.id}
            assert await site.get(f"{BASE}/stdout", 204, **headers) == b""
            rest = f"cursor={quote(f'{RUN}/stdout:4', safe='')}"
            assert await site.get(f"{BASE}/stdout?{rest}") == b"two\n"
            await site.get(f"{BASE}/stderr?{rest}", 400)
            assert await parts(site) == b"one\ntwo\n"

    within_deadline(body)


async def parts(site: Site) -> bytes:
    """The bytes of a log in parts."""
    head, _, data = (await site.encoded(f"{BASE}/stdout", PARTS)).partition(b"\n")
    assert head.startswith(f"{RUN}/stdout:".encode())
    return data


def test_middle_that_is_not_kept_is_one_line(it: Operating) -> None:
    it.write("stdout", b"x" * 65535 + b"\n")
    with (it.folder / "stdout").open("r+b") as file:
        file.truncate(10 << 20)
    it.write("stdout", b"end\n")
    it.end()

    async def body() -> None:
        async with serving(it.scene) as site:
            data = await site.get(f"{BASE}/stdout")
            gone = (10 << 20) - 65536
            line = b"[%d bytes are gone: the log is larger than its limit]\n" % gone
            assert data == b"x" * 65535 + b"\n" + line + b"end\n"

    within_deadline(body)
