"""The log of an execution: its steps' logs in the order of the plan, the same whenever it is read."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.api.logs.logscene import BUILD, WEB, Scene, events, read_until, serving, within_deadline

SSE = {"Accept": "text/event-stream"}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def finished(scene: Scene) -> bytes:
    """An execution of five tasks. Returns its log."""
    scene.execution("prepare", "@db lint test", "build", "pack sign")
    scene.write("run-prepare", b"ready")
    scene.write("run-lint", b"a\n\nb\n")
    scene.write("run-test", b"1\n2")
    scene.write("run-build", b"built\n")
    scene.write("run-pack", b"")
    scene.write("run-sign", b"signed")
    scene.finish("prepare", "lint", "test", "build", "pack", "sign")
    return b"ready\nlint | a\nlint | \nlint | b\ntest | 1\ntest | 2\nbuilt\nsign | signed\n"


def test_one_task_is_sent_byte_for_byte(scene: Scene) -> None:
    scene.execution("@db", "build")
    scene.write("run-build", b"a\r\x00\nb")
    scene.finish("build")

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.build) == b"a\r\x00\nb"
            assert await site.get(f"{site.build}?offset=3") == b"\nb"
            assert await site.get(site.build, 206, Range="bytes=4-") == b"b"

    within_deadline(body)


def test_steps_side_by_side_have_their_reference_before_each_line(scene: Scene) -> None:
    expected = finished(scene)

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.build) == expected
            assert await site.get(site.build) == expected

    within_deadline(body)


def test_live_execution_is_followed_step_by_step(scene: Scene) -> None:
    scene.execution("prepare", "lint test", "build")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.build) as response:
            scene.begin("prepare")
            scene.write("run-prepare", b"ready\n")
            assert await response.content.readline() == b"ready\n"
            scene.finish("prepare")
            scene.begin("lint", "test")
            scene.write("run-test", b"1\n")
            scene.write("run-lint", b"a")
            await read_until(response, b"lint | a")
            scene.finish("test")
            scene.write("run-lint", b"b")
            assert await response.content.readany() == b"b"
            scene.finish("lint")
            assert await response.content.readline() == b"\n"
            assert await response.content.readline() == b"test | 1\n"
            scene.begin("build")
            scene.write("run-build", b"built")
            scene.finish("build")
            assert await response.read() == b"built"

    within_deadline(body)


def test_steps_that_never_ran_are_not_waited_for(scene: Scene) -> None:
    scene.execution("prepare", "build")
    scene.write("run-prepare", b"no\n")
    scene.finish("prepare")

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.build) as response:
            await read_until(response, b"no\n")
            scene.over()
            assert await response.read() == b""

    within_deadline(body)


def test_without_follow_ends_at_the_first_live_step(scene: Scene) -> None:
    scene.execution("lint test", "build")
    scene.begin("lint", "test")
    scene.write("run-lint", b"a\n")
    scene.write("run-test", b"1\n")

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.build + "?follow=false") == b"lint | a\n"

    within_deadline(body)


def test_any_offset_of_the_merged_log_resumes(scene: Scene) -> None:
    expected = finished(scene)

    async def body() -> None:
        async with serving(scene) as site:
            for offset in range(len(expected) + 1):
                assert await site.get(f"{site.build}?offset={offset}") == expected[offset:]
            assert await site.get(site.build, 206, Range="bytes=9-") == expected[9:]

    within_deadline(body)


@pytest.mark.parametrize("count", range(11))
def test_tail_goes_back_over_steps(scene: Scene, count: int) -> None:
    expected = finished(scene).splitlines(keepends=True)

    async def body() -> None:
        async with serving(scene) as site:
            got = await site.get(f"{site.build}?tail={count}")
            assert got == b"".join(expected[max(0, len(expected) - count) :])

    within_deadline(body)


def test_every_event_id_of_the_merged_log_resumes(scene: Scene) -> None:
    expected = finished(scene).decode()

    async def body() -> None:
        async with serving(scene) as site:
            async with site.ask(site.build, **SSE) as response:
                *text, end = events(await response.read())
            assert "".join(event.data for event in text) == expected
            assert (end.type, end.id) == ("end", f"{BUILD}:5:end")
            seen = ""
            for event in text:
                seen += event.data
                async with site.ask(site.build, **SSE, Last_Event_ID=event.id) as response:
                    rest = events(await response.read()) if response.status == 200 else []
                assert seen + "".join(event.data for event in rest if event.type == "message") == expected
            await site.get(site.build, 204, **SSE, Last_Event_ID=end.id)

    within_deadline(body)


def test_follower_cut_off_anywhere_loses_and_repeats_nothing(scene: Scene) -> None:
    """A browser's EventSource, cut off after each event while the steps run."""
    scene.execution("lint test", "build")
    scene.begin("lint", "test")

    async def body() -> None:
        seen, last_id = "", ""
        async with serving(scene) as site:
            writing = asyncio.create_task(run_steps(scene))
            while True:
                headers = {**SSE, "Last_Event_ID": last_id} if last_id else SSE
                async with site.ask(site.build, **headers) as response:
                    if response.status == 204:
                        break
                    got = events(await first_event(response))
                for event in got:
                    seen, last_id = seen + (event.data if event.type == "message" else ""), event.id
            await writing
        assert seen == "".join(
            [*(f"lint | {n}\n" for n in range(30)), *(f"test | {n}\n" for n in range(30)), "built\n"]
        )

    within_deadline(body)


async def run_steps(scene: Scene) -> None:
    for number in range(30):
        scene.write("run-lint", b"%d" % number)
        scene.write("run-test", b"%d\n" % number)
        await asyncio.sleep(0.005)
        scene.write("run-lint", b"\n")
    scene.finish("test")
    scene.finish("lint")
    scene.begin("build")
    scene.write("run-build", b"built\n")
    scene.finish("build")


async def first_event(response: object) -> bytes:
    """Up to the first event that has an id."""
    got = b""
    while b"id:" not in got or not got.endswith(b"\n\n"):
        data = await response.content.readany()  # type: ignore[attr-defined]
        if not data:
            break
        got += data
    return got


def test_secret_of_several_lines_is_masked_before_the_prefix(scene: Scene) -> None:
    scene.secrets = {"one\ntwo"}
    scene.execution("lint test")
    scene.write("run-lint", b"key: one\ntwo\nend\n")
    scene.finish("lint", "test")

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.build) == b"lint | key: ***\nlint | end\n"

    within_deadline(body)


def test_step_has_a_log_of_its_own(scene: Scene) -> None:
    finished(scene)

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(f"{site.build}/steps/step-test") == b"1\n2"
            assert await site.get(f"{site.build}/steps/step-test?tail=1") == b"2"
            assert await site.get(f"{site.build}/steps/step-test?cursor=run-test:2") == b"2"

    within_deadline(body)


def test_step_that_has_not_begun_is_waited_for(scene: Scene) -> None:
    scene.execution("prepare", "build")

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.build}/steps/step-build") as response:
            scene.begin("build")
            scene.write("run-build", b"built\n")
            assert await response.content.readline() == b"built\n"
            scene.finish("build")
            assert await response.read() == b""

    within_deadline(body)


def test_step_that_waits_for_a_service_names_where_its_log_is(scene: Scene) -> None:
    finished(scene)

    async def body() -> None:
        async with serving(scene) as site:
            error = json.loads(await site.get(f"{site.build}/steps/step-db", 404))
            assert (error["code"], f"/logs/services/{WEB}" in error["message"]) == ("not_found", True)
            error = json.loads(await site.get(f"{site.build}/steps/step-none", 404))
            assert error["code"] == "not_found"

    within_deadline(body)


def test_execution_of_services_alone_has_an_empty_log(scene: Scene) -> None:
    scene.execution("@db")
    scene.over()

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(site.build) == b""
            assert await site.get(site.build + "?tail=3") == b""
            await site.get(site.build + "?cursor=x:0", 400)

    within_deadline(body)
