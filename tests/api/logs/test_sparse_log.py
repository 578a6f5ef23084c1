"""Logs with holes over HTTP: a request costs what was written, not what a file claims to have."""

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from supervisor.host.runs import log_file
from supervisor.model.phase import ExecutionPhase
from tests.api.logs.logscene import Scene, events, eventually, read_until, serving, within_deadline

HUGE = 15 << 40
HOLE = f"[{HUGE - 7} bytes were never written: the command left a hole in its log]\n".encode()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def sparse(scene: Scene, run_id: str) -> None:
    scene.write(run_id, b"before\n")
    os.truncate(scene.log(run_id), HUGE)
    scene.write(run_id, b"after\n")


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("", {}, b"before\n" + HOLE + b"after\n"),
        ("?tail=1", {}, b"after\n"),
        ("?tail=5", {}, b"before\n" + HOLE + b"after\n"),
        ("?tail=999999999999999999", {}, b"before\n" + HOLE + b"after\n"),
        (f"?offset={HUGE}", {}, b"after\n"),
        ("?offset=7", {}, HOLE + b"after\n"),
        ("", {"Range": "bytes=7-"}, HOLE + b"after\n"),
        ("", {"Range": "bytes=-6"}, b"after\n"),
    ],
)
@pytest.mark.parametrize("follow", [True, False])
def test_hole_is_one_line(
    scene: Scene, query: str, headers: dict[str, str], expected: bytes, follow: bool
) -> None:
    sparse(scene, scene.service(live=False))

    async def body() -> None:
        async with serving(scene) as site:
            path = f"{site.web}{query}{'&' if query else '?'}follow={str(follow).lower()}"
            assert await site.get(path, 206 if headers else 200, **headers) == expected

    within_deadline(body)


def test_hole_in_an_event_stream_is_an_event(scene: Scene) -> None:
    sparse(scene, scene.service(live=False))

    async def body() -> None:
        async with serving(scene) as site:
            found = events(await site.get(site.web, Accept="text/event-stream"))
            assert [event.data for event in found[:3]] == ["before\n", HOLE.decode(), "after\n"]
            assert await site.get(site.web, Accept="text/event-stream", Last_Event_ID=found[1].id)

    within_deadline(body)


def test_follower_passes_a_hole_that_grows(scene: Scene) -> None:
    run_id = scene.service()
    scene.write(run_id, b"before\n")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web) as response:
            await read_until(response, b"before\n")
            os.truncate(scene.log(run_id), HUGE)
            await read_until(response, HOLE)
            scene.write(run_id, b"after\n")
            await read_until(response, b"after\n")
            scene.service(live=False)
            assert await response.read() == b""

    within_deadline(body)


def test_execution_whose_steps_left_holes(scene: Scene) -> None:
    scene.execution("one two", "three")
    for reference in ("one", "two", "three"):
        scene.begin(reference)
        sparse(scene, f"run-{reference}")
        scene.finish(reference)
    scene.over(ExecutionPhase.SUCCEEDED)

    async def body() -> None:
        async with serving(scene) as site:
            whole = await site.get(site.build)
            assert whole.count(b"bytes were never written") == 3
            assert await site.get(f"{site.build}?tail=3") == b"two | after\nbefore\n" + HOLE + b"after\n"
            assert await site.get(f"{site.build}?offset={len(whole) - 6}") == b"after\n"

    within_deadline(body)


def test_search_ends_when_its_client_leaves(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = scene.service(live=False)
    scene.write(run_id, b"x\n" * (1 << 20))
    searching, over = threading.Event(), threading.Event()
    find_tail = log_file.find_tail

    def endless(path: str, lines: int, most_bytes: int, stop: object) -> log_file.Tail:
        """A search of a log that takes for ever."""
        assert callable(stop)
        searching.set()
        while not stop():
            find_tail(path, lines, most_bytes, stop)
        over.set()
        return log_file.Tail(0, 0, 0)

    monkeypatch.setattr(log_file, "find_tail", endless)

    async def body() -> None:
        async with serving(scene) as site:
            _, writer = await site.connect(f"{site.web}?tail=999999999")
            await eventually(searching.is_set)
            writer.close()
            await eventually(over.is_set)

    within_deadline(body)


def test_readers_leave_the_event_loop_to_others(scene: Scene) -> None:
    """45 who skip through a long log, and as many who search it, while somebody else is answered."""
    scene.execution("one", "two")
    scene.begin("one", "two")
    scene.write("run-one", b"%0127d\n" % 0 * 500_000)
    scene.finish("one", "two")
    scene.over(ExecutionPhase.SUCCEEDED)
    slowest_s = 0.0

    async def body() -> None:
        nonlocal slowest_s
        async with serving(scene) as site:
            paths = [
                f"{site.build}?{query}" for query in ("offset=63999999", "tail=999999") for _ in range(45)
            ]
            readers = [await site.connect(path) for path in paths]
            for _ in range(20):
                began = time.monotonic()
                await site.get("/logs/services/unknown", 404)
                slowest_s = max(slowest_s, time.monotonic() - began)
            for _, writer in readers:
                writer.transport.abort()
            await asyncio.sleep(0)

    within_deadline(body)
    assert slowest_s < 1.0
