"""Logs over HTTP: real files, a real server, real clients."""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from supervisor.api.logs.frames import Encoding, Frame
from supervisor.host.runs import log_file
from supervisor.model.ids import ServiceId
from tests.api.logs.logscene import (
    BUILD,
    WEB,
    Scene,
    Site,
    events,
    eventually,
    read_until,
    serving,
    within_deadline,
)

SSE = {"Accept": "text/event-stream"}
MIB = 1 << 20


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def lines(first: int, after: int) -> bytes:
    return b"".join(b"%015d\n" % number for number in range(first, after))


def gaps_filled(body: bytes) -> int:
    """The number that the first line has, all others following it."""
    numbers = [int(line) for line in body.split(b"\n")[:-1]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return numbers[0]


# From the start to the end --------------------------------------------------------------------------------------------


def test_log_of_an_ended_run_is_sent_and_the_stream_ends(scene: Scene) -> None:
    run_id = scene.ended(b"one\r\n\x00\xfftwo")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert response.headers["X-Log-Run"] == run_id
            assert response.headers["X-Log-Offset"] == "0"
            assert response.headers["X-Log-Cursor"] == f"{run_id}:0"
            assert await response.read() == b"one\r\n\x00\xfftwo"

    within_deadline(body)


def test_live_log_is_followed_until_the_run_has_ended(scene: Scene) -> None:
    run_id = scene.service()
    scene.write(run_id, b"before\n")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            await read_until(response, b"before\n")
            for number in range(5):
                scene.write(run_id, b"line %d\n" % number)
                assert await response.content.readline() == b"line %d\n" % number
            scene.write(run_id, b"last words")
            scene.service(live=False)
            assert await response.read() == b"last words"

    within_deadline(body)


def test_output_of_a_real_process_arrives_whole(scene: Scene) -> None:
    run_id = scene.service()
    program = "import os\nfor i in range(200): os.write(1, b'%015d\\n' * 500 % tuple(range(i * 500, i * 500 + 500)))"
    log = open(scene.log(run_id), "ab")  # noqa: SIM115 - closed within the body

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            with log:
                process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=log)
            reading = asyncio.create_task(response.read())
            assert await process.wait() == 0
            scene.service(live=False)
            assert await reading == lines(0, 100_000)

    within_deadline(body)


def test_line_reaches_a_follower_within_50_ms(scene: Scene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            took = []
            for number in range(20):
                began = time.monotonic()
                scene.write(run_id, b"%d\n" % number)
                await response.content.readline()
                took.append(time.monotonic() - began)
                await asyncio.sleep(number % 7 / 1000)  # so that writes fall anywhere between two looks
            # A busy machine delays some. What looked less often than promised would delay more than half of them.
            assert sorted(took)[9] < 0.05

    within_deadline(body)


def test_end_of_a_run_is_not_waited_for(scene: Scene) -> None:
    scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            await asyncio.sleep(0)
            scene.service(live=False)
            assert await response.read() == b""

    within_deadline(body)


def test_without_follow_comes_what_is_there(scene: Scene) -> None:
    scene.write(scene.service(), b"so far\n")

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.web + "?follow=false") == b"so far\n"
            assert await site.get("/api" + site.web + "?follow=0") == b"so far\n"

    within_deadline(body)


def test_without_follow_a_fast_writer_does_not_hold_the_reader(scene: Scene) -> None:
    run_id = scene.service()
    scene.write(run_id, lines(0, 10_000))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            scene.write(run_id, b"more\n" * 2000)

    async def body() -> None:
        async with serving(scene) as site:
            assert (await site.get(site.web + "?follow=false")).startswith(lines(0, 10_000))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        within_deadline(body)
    finally:
        stop.set()
        thread.join()


def test_service_that_never_ran_is_waited_for(scene: Scene) -> None:
    scene.service(run=None)

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.web + "?follow=false") == b""
            async with site.ask(site.web) as response:
                assert response.status == 200
                assert "X-Log-Run" not in response.headers
                scene.write(scene.service(), b"first\n")
                assert await response.content.readline() == b"first\n"
                scene.service(run=2, live=True, kept=(1, 2))
                assert await response.read() == b""

    within_deadline(body)


def test_deleted_service_ends_the_stream(scene: Scene) -> None:
    scene.service(run=None)

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            scene.records.services.pop(ServiceId(WEB))
            assert await response.read() == b""

    within_deadline(body)


def test_head_has_the_headers_alone(scene: Scene) -> None:
    run_id = scene.service()
    scene.write(run_id, b"text\n")

    async def body() -> None:
        async with serving(scene) as site:
            async with site.ask(site.web, "HEAD") as response:
                assert (response.status, response.headers["X-Log-Run"]) == (200, run_id)
                assert await response.read() == b""
            async with site.ask(f"/logs/services/{BUILD}", "HEAD") as response:
                assert response.status == 404

    within_deadline(body)


# Where to begin -------------------------------------------------------------------------------------------------------


def test_any_offset_resumes(scene: Scene) -> None:
    text = lines(0, 20)
    scene.ended(text)

    async def body() -> None:
        async with serving(scene) as site:
            for offset in range(0, len(text) + 1, 7):
                async with site.ask(f"{site.web}?offset={offset}") as response:
                    assert response.headers["X-Log-Offset"] == str(offset)
                    assert await response.read() == text[offset:]

    within_deadline(body)


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "got"),
    [
        ("bytes=0-", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=4-", 206, "bytes 4-9/10", b"456789"),
        ("bytes=4-9007199254740991", 206, "bytes 4-9/10", b"456789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-99", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=10-", 416, "bytes */10", None),
        ("bytes=11-", 416, "bytes */10", None),
        ("bytes=2-4", 200, None, b"0123456789"),
        ("bytes=2-4,6-", 200, None, b"0123456789"),
        ("lines=2-", 200, None, b"0123456789"),
        ("bytes=-", 200, None, b"0123456789"),
    ],
)
def test_range(scene: Scene, asked: str, status: int, content_range: str | None, got: bytes | None) -> None:
    scene.ended(b"0123456789")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web, Range=asked) as response:
            assert response.status == status
            assert response.headers.get("Content-Range") == content_range
            assert got is None or await response.read() == got

    within_deadline(body)


def test_range_of_a_live_log_has_no_end(scene: Scene) -> None:
    run_id = scene.service()
    scene.write(run_id, b"0123456789")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web, Range="bytes=10-") as response:
            assert (response.status, response.headers["Content-Range"]) == (206, f"bytes 10-{2**53 - 1}/*")
            scene.write(run_id, b"more\n")
            assert await response.content.readline() == b"more\n"

    within_deadline(body)


def test_offset_beyond_the_end_is_416(scene: Scene) -> None:
    scene.write(scene.service(), b"0123456789")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web + "?offset=11") as response:
            assert (response.status, response.headers["Content-Range"]) == (416, "bytes */10")
            assert (await response.json())["code"] == "out_of_range"

    within_deadline(body)


@pytest.mark.parametrize(
    ("count", "got"), [(0, b""), (1, b"last"), (2, b"b\nlast"), (3, b"a\nb\nlast"), (10**17, b"a\nb\nlast")]
)
def test_tail(scene: Scene, count: int, got: bytes) -> None:
    scene.ended(b"a\nb\nlast")

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(f"{site.web}?tail={count}") == got

    within_deadline(body)


def test_tail_is_followed(scene: Scene) -> None:
    run_id = scene.service()
    scene.write(run_id, b"a\nb\n")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web + "?tail=1") as response:
            assert await response.content.readline() == b"b\n"
            scene.write(run_id, b"c\n")
            assert await response.content.readline() == b"c\n"

    within_deadline(body)


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("follow=maybe", "follow"),
        ("offset=-1", "offset"),
        ("offset=1e3", "offset"),
        ("offset=" + "9" * 40, "offset"),
        ("offset=\u0663", "offset"),
        ("tail=x", "tail"),
        ("tail=", "tail"),
        ("tail=1&offset=1", "offset"),
        ("cursor=x", "cursor"),
        ("cursor=../../etc/passwd:0", "cursor"),
        (f"cursor={WEB}.x:0", "cursor"),
        (f"cursor={BUILD}.1:0", "cursor"),
        (f"cursor={WEB}.1:-5", "cursor"),
    ],
)
def test_bad_parameter_is_named(scene: Scene, query: str, names: str) -> None:
    scene.ended(b"text")

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?{query}") as response:
            assert response.status == 400
            error = await response.json()
            assert error["code"] == "invalid_argument"
            assert f'"{names}"' in error["message"]

    within_deadline(body)


@pytest.mark.parametrize(
    "path",
    [
        f"/logs/services/{BUILD}",
        f"/logs/executions/{WEB}",
        "/logs/services/..%2f..%2fetc%2fpasswd",
        "/logs/services/%00",
        f"/logs/services/{WEB}.1",
    ],
)
def test_unknown_id_is_not_found(scene: Scene, path: str) -> None:
    scene.ended(b"text")

    async def body() -> None:
        async with serving(scene) as site:
            assert json.loads(await site.get(path, 404))["code"] == "not_found"

    within_deadline(body)


def test_log_that_is_no_file_is_told(scene: Scene, tmp_path: Path) -> None:
    run_id = scene.service()
    (tmp_path / "secret").write_text("not for the API")
    scene.log(run_id).symlink_to(tmp_path / "secret")

    async def body() -> None:
        async with serving(scene) as site:
            assert b"the log cannot be read" in await site.get(site.web)

    within_deadline(body)


# A dropped head -------------------------------------------------------------------------------------------------------


def test_dropped_head_is_told_in_one_line(scene: Scene) -> None:
    scene.ended(lines(0, 100_000))
    path = str(scene.log(f"{WEB}.1"))
    log_file.enforce_limit(path, 400_000)
    first = log_file.first_kept(path)

    async def body() -> None:
        async with serving(scene) as site:
            note, _, rest = (await site.get(site.web)).partition(b"\n")
            assert note == b"[%d bytes are gone: the log is larger than its limit]" % first
            assert rest == lines(0, 100_000)[first:]
            note, _, _ = (await site.get(f"{site.web}?offset=1000")).partition(b"\n")
            assert note.startswith(b"[%d bytes are gone" % (first - 1000))

    within_deadline(body)


def test_head_dropped_while_a_slow_reader_follows(scene: Scene) -> None:
    """What the reader gets is what was written, but for the bytes that the line tells of."""
    run_id = scene.service()
    path, text = str(scene.log(run_id)), lines(0, 16 * 65536)
    scene.write(run_id, text)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    async def body() -> None:
        async with serving(scene) as site:
            slow.connect(("127.0.0.1", site.port))
            reader, writer = await asyncio.open_connection(sock=slow, limit=4096)
            writer.write(f"GET {site.web} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            log_file.enforce_limit(path, MIB)
            scene.service(live=False)
            got = dechunked(head + await reader.read())
            writer.close()
            before, _, after = got.partition(b"[")
            note, _, rest = after.partition(b" bytes are gone: the log is larger than its limit]\n")
            # The line has one for itself: a newline that was not written may stand before it.
            known = before if text.startswith(before) else before[:-1]
            assert known + text[len(known) : len(known) + int(note)] + rest == text

    within_deadline(body)


def dechunked(raw: bytes) -> bytes:
    _, _, raw = raw.partition(b"\r\n\r\n")
    chunks: list[bytes] = []
    at = 0
    while True:
        after = raw.index(b"\r\n", at) + 2
        length = int(raw[at:after], 16)
        if length == 0:
            return b"".join(chunks)
        chunks.append(raw[after : after + length])
        at = after + length + 2


def test_log_that_its_command_truncates_begins_anew(scene: Scene) -> None:
    run_id = scene.service()
    scene.write(run_id, b"old old old\n")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            await read_until(response, b"old\n")
            os.truncate(scene.log(run_id), 0)
            scene.write(run_id, b"new\n")
            assert await response.content.readline() == b"[the command truncated its log: it begins anew]\n"
            assert await response.content.readline() == b"new\n"

    within_deadline(body)


# Secrets --------------------------------------------------------------------------------------------------------------


def test_secret_written_in_two_halves_is_masked(scene: Scene) -> None:
    run_id = scene.service()
    scene.secrets = {"hunter2"}

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            scene.write(run_id, b"token: hun")
            assert await response.content.readany() == b"token: "
            scene.write(run_id, b"ter2\n")
            assert await response.content.readline() == b"***\n"
            scene.write(run_id, b"hint\n")
            assert await response.content.readline() == b"hint\n"
            scene.write(run_id, b"hunt")
            scene.service(live=False)
            assert await response.read() == b"hunt"

    within_deadline(body)


def test_secret_is_not_given_out_half_by_half(scene: Scene) -> None:
    run_id = scene.service()
    scene.secrets = {"hunter2"}
    scene.write(run_id, b"token: hun")

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.web + "?follow=false") == b"token: "
            scene.write(run_id, b"ter2\n")
            for offset in range(8, 14):
                assert await site.get(f"{site.web}?follow=false&offset={offset}") == b"\n"
            assert await site.get(site.web + "?follow=false&offset=7") == b"***\n"

    within_deadline(body)


def test_secret_that_comes_while_following_is_masked(scene: Scene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            scene.write(run_id, b"hunter2\n")
            assert await response.content.readline() == b"hunter2\n"
            scene.secrets = {"hunter2"}
            scene.write(run_id, b"hunter2\n")
            assert await response.content.readline() == b"***\n"

    within_deadline(body)


def test_secrets_on_every_boundary_of_a_large_log(scene: Scene) -> None:
    scene.secrets = {"correct horse battery staple"}
    text = b"correct horse battery staple, %d\n"
    scene.ended(b"".join(text % number for number in range(20_000)))

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.web) == b"".join(b"***, %d\n" % number for number in range(20_000))

    within_deadline(body)


# Server-sent events ---------------------------------------------------------------------------------------------------


def test_events_make_the_text_and_say_when_it_ends(scene: Scene) -> None:
    run_id = scene.ended("a\n\n b\r\nc\rd\x00é".encode() + b"\xff\n")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web, **SSE) as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            *text, end = events(await response.read())
            assert "".join(event.data for event in text) == "a\n\n b\nc\nd\x00é\ufffd\n"
            assert (end.type, end.id) == ("end", f"{run_id}:end")

    within_deadline(body)


def test_character_written_in_two_halves_stays_whole(scene: Scene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web, **SSE) as response:
            scene.write(run_id, b"caf\xc3")
            got = await read_until(response, b"data: caf\n\n")
            scene.write(run_id, b"\xa9\r")
            got += await read_until(response, "data: é\n\n".encode())
            scene.write(run_id, b"\nend")
            scene.service(live=False)
            got += await response.read()
            assert "".join(event.data for event in events(got)) == "café\nend"

    within_deadline(body)


def test_every_event_id_resumes(scene: Scene) -> None:
    run_id = scene.service()
    scene.secrets = {"hunter2"}

    async def body() -> None:
        async with serving(scene) as site:
            async with site.ask(site.web, **SSE) as response:
                got = b""
                for data in (b"one hun", b"ter2\n", b"\xe2\x82", b"\xac two\r", b"\nthree\n"):
                    scene.write(run_id, data)
                    await asyncio.sleep(0.03)
                scene.service(live=False)
                got = await response.read()
            text = [event for event in events(got) if event.type == "message"]
            whole = "".join(event.data for event in text)
            assert whole == "one ***\n€ two\nthree\n"
            seen = ""
            for event in text:
                seen += event.data
                async with site.ask(site.web + "?tail=1", **SSE, Last_Event_ID=event.id) as response:
                    rest = events(await response.read())
                assert seen + "".join(event.data for event in rest if event.type == "message") == whole

    within_deadline(body)


def test_event_source_that_has_all_is_told_to_stop(scene: Scene) -> None:
    run_id = scene.ended(b"text")

    async def body() -> None:
        async with serving(scene) as site:
            await site.get(site.web, 204, **SSE, Last_Event_ID=f"{run_id}:end")

    within_deadline(body)


def test_silence_is_filled_for_event_sources(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.api.logs.log_stream.KEEP_ALIVE_S", 0.05)
    scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web, **SSE) as response:
            await read_until(response, b"\n\n:\n\n:\n\n")

    within_deadline(body)


# Runs -----------------------------------------------------------------------------------------------------------------


def test_cursor_of_an_older_run_gets_its_rest_and_then_the_new_run(scene: Scene) -> None:
    old, new = f"{WEB}.1", f"{WEB}.3"
    scene.write(old, b"old text")
    scene.write(new, b"new text\n")
    scene.service(run=3, live=False, kept=(1, 2, 3))

    async def body() -> None:
        async with serving(scene) as site:
            expected = b"text\n[run %b ended; run %b follows]\nnew text\n" % (old.encode(), new.encode())
            async with site.ask(f"{site.web}?cursor={old}:4") as response:
                assert response.headers["X-Log-Run"] == old
                assert await response.read() == expected
            assert (await site.get(f"{site.web}?cursor={old}:end")).startswith(b"[run ")
            async with site.ask(site.web, **SSE, Last_Event_ID=f"{old}:4") as response:
                got = events(await response.read())
            assert "".join(event.data for event in got).encode() == expected
            assert got[-1].id == f"{new}:end"

    within_deadline(body)


def test_log_of_an_older_run_is_read_by_the_id_of_that_run_alone(scene: Scene) -> None:
    older = scene.service(run=1, live=False)
    scene.write(older, b"one\n")
    newer = scene.service(run=2, kept=(1, 2))
    scene.write(newer, b"two\n")

    async def body() -> None:
        async with serving(scene) as site:
            async with site.ask(f"/logs/runs/{older}") as response:
                assert response.headers["X-Log-Run"] == older
                assert await response.read() == b"one\n"
            assert await site.get(f"/api/logs/runs/{older}?cursor={older}:2") == b"e\n"
            assert await site.get(f"/logs/runs/{older}?cursor={older}:end") == b""
            assert b"one of this log" in await site.get(f"/logs/runs/{newer}?cursor={older}:2", status=400)
            assert await site.get(f"/logs/runs/{newer}?follow=false") == b"two\n"
            assert b"cannot find run" in await site.get(f"/logs/runs/{WEB}.3", status=404)
            assert b"cannot find run" in await site.get("/logs/runs/..%2f..%2fetc", status=404)

    within_deadline(body)


def test_log_of_a_live_run_ends_with_the_run(scene: Scene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"/logs/runs/{run_id}") as response:
            scene.write(run_id, b"words\n")
            await read_until(response, b"words\n")
            scene.service(live=False)
            assert await response.read() == b""

    within_deadline(body)


def test_cursor_of_a_run_that_is_gone_says_so(scene: Scene) -> None:
    scene.write(f"{WEB}.30", b"new\n")
    scene.service(run=30, live=False, kept=(29, 30))

    async def body() -> None:
        async with serving(scene) as site:
            got = await site.get(f"{site.web}?cursor={WEB}.1:4")
            assert got == f"[the rest of run {WEB}.1 is gone; run {WEB}.30 follows]\nnew\n".encode()

    within_deadline(body)


def test_new_session_ends_the_stream_of_the_old_run(scene: Scene) -> None:
    scene.write(scene.service(), b"old\n")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            await read_until(response, b"old\n")
            scene.write(scene.service(run=2, kept=(1, 2)), b"new\n")
            assert await response.read() == b""

    within_deadline(body)


# Many readers ---------------------------------------------------------------------------------------------------------


def test_300_followers_get_every_byte(scene: Scene) -> None:
    run_id = scene.service()
    text = lines(0, 40_000)

    async def follow(site: Site) -> bytes:
        async with site.ask(site.web) as response:
            return bytes(await response.read())

    async def body() -> None:
        async with serving(scene) as site:
            followers = [asyncio.create_task(follow(site)) for _ in range(300)]
            for at in range(0, len(text), len(text) // 20):
                scene.write(run_id, text[at : at + len(text) // 20])
                await asyncio.sleep(0.01)
            scene.service(live=False)
            assert all(got == text for got in await asyncio.gather(*followers))

    within_deadline(body)


def test_slow_readers_delay_nobody(scene: Scene) -> None:
    run_id = scene.service()
    text = lines(0, 500_000)

    async def body() -> None:
        async with serving(scene) as site:
            slow = [await site.connect(site.web, limit=1024) for _ in range(50)]
            async with site.ask(site.web) as response:
                fast = asyncio.create_task(response.read())
                for at in range(0, len(text), MIB):
                    scene.write(run_id, text[at : at + MIB])
                scene.service(live=False)
                assert await fast == text
            for reader, writer in slow[:3]:
                assert dechunked(await reader.read()) == text
                writer.close()
            for _, writer in slow[3:]:
                writer.close()

    within_deadline(body)


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("busy", [False, True])
def test_client_that_vanishes_leaves_nothing(scene: Scene, abruptly: bool, busy: bool) -> None:
    run_id = scene.service()
    scene.write(run_id, b"text\n" if not busy else lines(0, 2 * MIB))

    async def body() -> None:
        async with serving(scene) as site:
            before, open_before = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
            clients = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(20)]
            for client in clients:
                client.sendall(f"GET {site.web} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            loop = asyncio.get_running_loop()
            for client in clients:
                client.setblocking(False)
                assert await loop.sock_recv(client, 100)
                if abruptly:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            await eventually(lambda: len(asyncio.all_tasks()) == before)
            await eventually(lambda: len(os.listdir("/proc/self/fd")) == open_before)

    within_deadline(body)


def test_nobody_follows_and_nothing_is_looked_at(scene: Scene) -> None:
    scene.write(scene.service(), b"text\n")

    async def body() -> None:
        async with serving(scene) as site:
            async with site.ask(site.web) as response:
                await read_until(response, b"text\n")
                await eventually(lambda: bool(subscriptions(scene)))
                response.close()
            await eventually(lambda: not subscriptions(scene))

    within_deadline(body)


def subscriptions(scene: Scene) -> int:
    return len(scene.hub._subscriptions)


def test_http_1_0_gets_bytes_without_chunks(scene: Scene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site:
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(f"GET {site.web} HTTP/1.0\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            for word in (b"one\n", b"two\n"):
                scene.write(run_id, word)
                assert await reader.readline() == word
            scene.service(live=False)
            assert await reader.read() == b""
            writer.close()

    within_deadline(body)


def test_curl_resumes(scene: Scene, tmp_path: Path) -> None:
    scene.ended(b"0123456789")
    target = tmp_path / "got"
    target.write_bytes(b"0123")

    async def body() -> None:
        async with serving(scene) as site:
            curl = await asyncio.create_subprocess_exec(
                "curl", "-sS", "-m", "20", "-C", "-", "-o", str(target), site.base + site.web,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert await curl.wait() == 0
            assert target.read_bytes() == b"0123456789"

    within_deadline(body)


def test_parts_carry_their_cursor_and_their_length() -> None:
    assert Frame(b"a\nb", "run:3").encoded(Encoding.PARTS) == b"run:3 3\na\nb"
