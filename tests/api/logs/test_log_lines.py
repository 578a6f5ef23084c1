"""Lines of a log by their times and by what stands in them, and with their times before them."""

import asyncio
import json
import os
import re
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from supervisor.api.logs import line_pattern
from supervisor.model.timestamp import rfc3339_ms
from supervisor.shim.logs.log_times import NAME, RECORD, key
from tests.api.logs.logscene import Scene, Site, events, read_until, serving, within_deadline

SSE = {"Accept": "text/event-stream"}
PARTS = {"Accept": "application/vnd.supervisor.log-parts"}
BEGAN_MS = 1_796_077_620_000
"""2026-11-30T22:27:00Z."""
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")


class TimedScene(Scene):
    """Output is written at given times, as the pump does it: first the record, then the bytes."""

    def print(self, run_id: str, at_ms: int, data: bytes) -> None:
        log = self.log(run_id)
        offset = log.stat().st_size if log.exists() else 0
        with open(self.state / NAME, "ab") as journal:
            journal.write(RECORD.pack(key(run_id), offset, (BEGAN_MS + at_ms) * 1_000_000))
        self.write(run_id, data)

    def four_lines(self, live: bool = False) -> str:
        """Lines at 0, 1, 1.5 and 3 s; the second one is written in two pieces."""
        run_id = self.service(live=live)
        self.print(run_id, 0, b"one\n")
        self.print(run_id, 1000, b"tw")
        self.print(run_id, 1400, b"o\n")
        self.print(run_id, 1500, b"three\n")
        self.print(run_id, 3000, b"four\n")
        return run_id


@pytest.fixture
def scene(tmp_path: Path) -> TimedScene:
    return TimedScene(tmp_path)


def at(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"2026-11-30T22:27:{seconds:02}.{rest:03}Z"


STAMPED = f"{at(0)} one\n{at(1000)} two\n{at(1500)} three\n{at(3000)} four\n".encode()


# Times before lines ---------------------------------------------------------------------------------------------------


def test_timestamps_stand_before_each_line(scene: TimedScene) -> None:
    scene.four_lines()

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(f"{site.web}?timestamps=true") == STAMPED
            assert await site.get(f"{site.web}?timestamps=1&tail=2") == b"".join(STAMPED.splitlines(True)[2:])
            assert await site.get(f"{site.web}?timestamps=true", Range="bytes=4-") == STAMPED

    within_deadline(body)


def test_time_is_in_the_merged_log_before_the_step(scene: TimedScene) -> None:
    scene.execution("prepare", "lint test")
    scene.print("run-prepare", 0, b"ready")
    scene.print("run-lint", 1000, b"a\n")
    scene.print("run-test", 1200, b"1\n2")
    scene.print("run-lint", 1500, b"b\n")
    scene.finish("prepare", "lint", "test")
    expected = (
        f"{at(0)} ready\n{at(1000)} lint | a\n{at(1500)} lint | b\n{at(1200)} test | 1\n{at(1200)} test | 2\n"
    ).encode()

    async def body() -> None:
        async with serving(scene) as site:
            url = f"{site.build}?timestamps=true"
            assert await site.get(url) == expected
            for offset in range(0, len(expected) + 1, 7):
                assert await site.get(f"{url}&offset={offset}") == expected[offset:]
            assert await site.get(f"{site.build}?since={at(1100)}&grep=[ab1]") == b"lint | b\ntest | 1\n"
            for count in range(6):
                rest = b"".join(expected.splitlines(True)[5 - count :])
                assert await site.get(f"{url}&tail={count}") == rest
                assert await site.get(f"{url}&tail={count}&grep=.") == rest
            assert await site.get(f"{site.build}?tail=2&grep=[a1]") == b"lint | a\ntest | 1\n"
            assert await site.get(f"{site.build}?tail=1&until={at(1000)}") == b"lint | a\n"

    within_deadline(body)


def test_times_are_those_of_a_supervisor_that_wrote_none(scene: TimedScene) -> None:
    run_id = scene.ended(b"one\ntwo\n")
    scene.write(run_id, b"three\n")
    (scene.runs / run_id / "started").write_bytes(b"")
    os.utime(scene.runs / run_id / "started", ns=(0, BEGAN_MS * 1_000_000))

    async def body() -> None:
        async with serving(scene) as site:
            expected = "".join(f"{at(0)} {word}\n" for word in ("one", "two", "three"))
            assert await site.get(f"{site.web}?timestamps=true") == expected.encode()
            assert await site.get(f"{site.web}?since=1h") == b"one\ntwo\nthree\n"
            assert await site.get(f"{site.web}?until={at(0)}") == b"one\ntwo\nthree\n"
            assert await site.get(f"{site.web}?until=2026-11-30T22:26:59Z") == b""

    within_deadline(body)


def test_prompt_comes_at_once_with_its_time(scene: TimedScene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?timestamps=true") as response:
            scene.print(run_id, 0, b"Password: ")
            assert await response.content.readany() == f"{at(0)} Password: ".encode()
            scene.print(run_id, 900, b"ok\nnext")
            assert await response.content.readany() == f"ok\n{at(900)} next".encode()
            scene.print(run_id, 1000, b" line\n")
            scene.service(live=False)
            assert await response.read() == b" line\n"

    within_deadline(body)


def test_lines_of_the_supervisor_have_times_too(scene: TimedScene) -> None:
    run_id = scene.four_lines()
    os.truncate(scene.log(run_id), 1 << 20)
    scene.print(run_id, 4000, b"after\n")

    async def body() -> None:
        async with serving(scene) as site:
            got = await site.get(f"{site.web}?timestamps=true&grep=f")
            first, note, last = got.splitlines(True)
            assert first == f"{at(3000)} four\n".encode()
            assert note.startswith(f"{at(4000)} [".encode())
            assert note.endswith(b"bytes were never written: the command left a hole in its log]\n")
            assert last == f"{at(4000)} after\n".encode()

    within_deadline(body)


def test_events_have_their_time(scene: TimedScene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(site.web, **SSE) as response:
            scene.print(run_id, 0, b"one\n")
            got = await read_until(response, b"data: \n\n")
            scene.print(run_id, 1000, b"two\n")
            got += await read_until(response, b"two\ndata: \n\n")
            assert re.findall(rb"time: (.*)\ndata: (.*)\n", got) == [
                (at(0).encode(), b"one"),
                (at(1000).encode(), b"two"),
            ]
            assert [event.data for event in events(got)] == ["one\n", "two\n"]

    within_deadline(body)


# Lines by their times -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (f"since={at(0)}", [0, 1, 2, 3]),
        (f"since={at(1)}", [1, 2, 3]),
        (f"since={at(1000)}", [1, 2, 3]),
        (f"since={at(1001)}", [2, 3]),  # the line that began before is not there, though its end is newer
        (f"since={at(3000)}", [3]),
        (f"since={at(3001)}", []),
        (f"until={at(3000)}", [0, 1, 2, 3]),
        (f"until={at(2999)}", [0, 1, 2]),
        (f"until={at(1000)}", [0, 1]),
        (f"until={at(999)}", [0]),
        ("until=2026-11-30T22:26:59.999Z", []),
        (f"since={at(1000)}&until={at(1500)}", [1, 2]),
        (f"since={at(2000)}&until={at(1000)}", []),
        (f"since={at(1000)}&tail=2", [2, 3]),
        (f"since={at(1000)}&tail=9", [1, 2, 3]),
        (f"until={at(1500)}&tail=2", [1, 2]),
        (f"until={at(1500)}&tail=0", []),
        (f"since={at(0)}&until={at(2000)}&grep=o&tail=1", [1]),
        ("grep=o", [0, 1, 3]),
        ("grep=^o|%5Ef", [0, 3]),
        ("grep=r$", [3]),
        ("grep=(%3Fi)TH%5Cw{3}", [2]),
        ("grep=e&tail=1", [2]),
        ("grep=e&offset=1", [2]),  # the rest of a line that passes
        ("grep=n&offset=1", []),
        ("grep=e&offset=5", [2]),
        ("offset=4&since=2026-11-30T23:27:00.000%2B01:00", [1, 2, 3]),
        ("offset=8&since=2026-11-30T23:27:00.000+01:00", [2, 3]),
        ("grep=nothing", []),
        ("since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:59:59-14:00", [0, 1, 2, 3]),
        ("since=9999-12-31T23:59:59-14:00", []),
        ("until=0001-01-01T00:00:00%2B14:00", []),
    ],
)
def test_lines_that_pass(scene: TimedScene, query: str, numbers: list[int]) -> None:
    run_id = scene.four_lines()
    stamped = STAMPED.splitlines(True)
    expected = [line.partition(b" ")[2] for line in stamped]
    if query == "grep=e&offset=1":
        expected[2] = b"ne\nthree\n"
        stamped[2] = b"ne\n" + stamped[2]
    if query == "grep=n&offset=1":
        numbers, expected[0], stamped[0] = [0], b"ne\n", b"ne\n"

    async def body() -> None:
        async with serving(scene) as site:
            url = f"{site.web}?{query}"
            assert await site.get(url) == b"".join(expected[number] for number in numbers)
            assert await site.get(url + "&follow=false") == b"".join(expected[number] for number in numbers)
            text = b"".join(stamped[number] for number in numbers)
            assert await site.get(url + "&timestamps=true") == text
            *parts, end = events(await site.encoded(url + "&timestamps=true", SSE["Accept"]))
            assert "".join(event.data for event in parts).encode() == text
            assert end.id == ("" if query.endswith("tail=0") else f"{run_id}:end")
            assert (
                b"".join(
                    data for _, data in parted(await site.encoded(url + "&timestamps=1", PARTS["Accept"]))
                )
                == text
            )

    within_deadline(body)


def parted(body: bytes) -> list[tuple[str, bytes]]:
    parts = []
    while body:
        head, _, body = body.partition(b"\n")
        cursor, _, length = head.decode().partition(" ")
        parts.append((cursor, body[: int(length)]))
        body = body[int(length) :]
    return parts


def test_since_says_where_the_response_begins(scene: TimedScene) -> None:
    run_id = scene.four_lines()

    async def body() -> None:
        async with serving(scene) as site:
            async with site.ask(f"{site.web}?since={at(1200)}") as response:
                assert response.headers["X-Log-Offset"] == "8"
                assert response.headers["X-Log-Cursor"] == f"{run_id}:8"
                assert await response.read() == b"three\nfour\n"
            async with site.ask(f"{site.web}?since=5s") as response:
                assert response.headers["X-Log-Offset"] == "19"
                assert await response.read() == b""

    within_deadline(body)


def test_clock_that_was_set_back(scene: TimedScene) -> None:
    run_id = scene.service(live=False)
    for ms, line in ((1000, b"a\n"), (2000, b"b\n"), (500, b"c\n"), (1500, b"d\n")):
        scene.print(run_id, ms, line)

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(f"{site.web}?since={at(1800)}") == b"b\nc\nd\n"
            assert await site.get(f"{site.web}?until={at(700)}") == b"a\nb\nc\n"
            assert await site.get(f"{site.web}?since={at(1200)}&until={at(1200)}") == b"b\nc\n"

    within_deadline(body)


def test_live_log_ends_at_a_time_that_has_passed(scene: TimedScene) -> None:
    scene.four_lines(live=True)

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(f"{site.web}?until={at(1500)}") == b"one\ntwo\nthree\n"
            assert await site.get(f"{site.web}?until=1s") == b"one\ntwo\nthree\nfour\n"
            scene.service(run=None)
            assert await site.get(f"{site.web}?until=1s") == b""

    within_deadline(body)


@pytest.mark.parametrize("encoding", [{}, SSE, PARTS])
def test_live_log_ends_when_the_time_comes(scene: TimedScene, encoding: dict[str, str]) -> None:
    run_id = scene.service()

    async def body() -> None:
        until_ms = time.time_ns() // 1_000_000 + 300
        async with serving(scene) as site:
            async with site.ask(f"{site.web}?until={rfc3339_ms(until_ms)}", **encoding) as response:
                scene.print(run_id, 0, b"early\n")
                await read_until(response, b"early\n")
                await response.read()
            assert 0 < time.time_ns() // 1_000_000 - until_ms < 1000

    within_deadline(body)


def test_live_log_ends_at_once_when_a_line_is_late(scene: TimedScene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?until={at_year(2100)}") as response:
            scene.print(run_id, 0, b"early\n")
            assert await response.content.readline() == b"early\n"
            scene.print(run_id, 100 * 366 * 86_400_000, b"late\n")
            assert await response.read() == b""

    within_deadline(body)


def at_year(year: int) -> str:
    return f"{year}-01-01T00:00:00Z"


def test_lines_before_their_time_are_waited_for(scene: TimedScene) -> None:
    """`since` in the future."""
    run_id = scene.service()
    scene.print(run_id, 0, b"early\nunfinished ")

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?since={at(5000)}") as response:
            scene.print(run_id, 5000, b"line\nlate\n")
            assert await response.content.readline() == b"late\n"
            scene.service(live=False)
            assert await response.read() == b""

    within_deadline(body)


# Lines by what stands in them -----------------------------------------------------------------------------------------


def test_line_is_searched_once_it_is_whole(scene: TimedScene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?grep=b.*c&timestamps=true") as response:
            scene.print(run_id, 0, b"no\na b")
            await asyncio.sleep(0.06)
            scene.print(run_id, 700, b" c\nand b")
            assert await response.content.readany() == f"{at(0)} a b c\n".encode()
            scene.print(run_id, 800, b" c")
            scene.service(live=False)
            assert await response.read() == f"{at(700)} and b c".encode()

    within_deadline(body)


def test_unfinished_line_is_searched_once_the_log_is_over(scene: TimedScene) -> None:
    scene.print(scene.service(), 0, b"one\ntw")

    async def body() -> None:
        async with serving(scene) as site:
            urls = [f"{site.web}?grep={word}&follow=false" for word in ("tw", ".&tail=1", "one")]
            assert [await site.get(url) for url in urls] == [b"", b"one\n", b"one\n"]
            scene.service(live=False)
            assert [await site.get(url) for url in urls] == [b"tw", b"tw", b"one\n"]

    within_deadline(body)


def test_long_line_passes_by_its_first_8_kib(scene: TimedScene) -> None:
    run_id = scene.service()
    long = b"x" * 8192

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?grep=key$") as response:
            scene.print(run_id, 0, long + b"key")
            scene.print(run_id, 10, b"key\nkey\n")
            assert await response.content.readline() == b"key\n"
            scene.print(run_id, 20, long[3:] + b"key" + long)
            await read_until(response, long[3:] + b"key" + long)
            scene.print(run_id, 30, 20 * long)
            await read_until(response, 20 * long)
            scene.print(run_id, 40, b"end\nno\n")
            scene.service(live=False)
            assert await response.read() == b"end\n"

    within_deadline(body)


def test_secret_is_not_found(scene: TimedScene) -> None:
    scene.secrets = {"hunter2", "two\nlines"}
    scene.print(scene.service(live=False), 0, b"hunter1\nhunter2\n*two\nlines*\nlast\n")

    async def body() -> None:
        async with serving(scene) as site:
            assert await site.get(f"{site.web}?grep=hunter") == b"hunter1\n"
            assert await site.get(f"{site.web}?grep=%5B*%5D%7B3%7D") == b"***\n*****\n"
            for tail, expected in enumerate((b"", b"last\n", b"*****\nlast\n", b"***\n*****\nlast\n")):
                assert await site.get(f"{site.web}?grep=[*l]&tail={tail}") == expected

    within_deadline(body)


def test_line_in_which_the_search_takes_too_long_passes(scene: TimedScene) -> None:
    word = b"x" * 8000 + b"\n"
    scene.print(scene.service(live=False), 0, b"an Error\n" + word + b"more\nan Error\n")

    async def body() -> None:
        async with serving(scene) as site:
            got = await site.get(f"{site.web}?grep={quote('[a-z]+[a-z]+Error|an Error')}")
            assert got == b"an Error\n" + word + b"an Error\n"

    within_deadline(body)


@pytest.mark.slow
def test_pattern_that_takes_too_long_ends_its_log_alone(
    scene: TimedScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_pattern, "MOST_SLOW_LINES", 3)
    run_id = scene.service()
    line = b"a" * 5000 + b"!\n"
    scene.print(run_id, 0, b"fine\n" + 4 * line + b"more\n")
    slow = f"grep={quote('(a+)+$|fine')}"
    ends = b"[the log ends here: the search for lines takes too long]\n"

    async def body() -> None:
        async with serving(scene) as site:
            waits: list[float] = []

            async def ask() -> None:
                loop = asyncio.get_running_loop()
                while True:
                    began = loop.time()
                    await site.get(f"{site.web}?tail=1&follow=false")
                    waits.append(loop.time() - began)

            asking = asyncio.create_task(ask())
            for query in (slow, f"{slow}&tail=1", f"{slow}&timestamps=true", f"{slow}&follow=false"):
                got = await asyncio.gather(*(site.get(f"{site.web}?{query}") for _ in range(2)))
                assert all(each.endswith(ends) for each in got)
            text = events(await site.encoded(f"{site.web}?{slow}", SSE["Accept"]))
            assert [event.type for event in text][-1] == "end"
            asking.cancel()
            assert len(waits) >= 3
            # A request takes several turns of the loop, each after a search of 20 ms; the machine may be busy.
            assert sorted(waits)[len(waits) // 2] < 0.25
            assert max(waits) < 2
            async with site.ask(f"{site.web}?{slow}&offset={5 + 4 * 5002 + 2}") as response:
                scene.print(run_id, 9, 4 * line)
                assert await response.read() == 3 * line + ends

    within_deadline(body)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("since=yesterday", "neither a time"),
        ("since=5", "neither a time"),
        ("until=2026-02-30T00:00:00Z", "neither a time"),
        ("until=2026-02-03T00:00:00", "neither a time"),
        ("until=-5m", "neither a time"),
        ("timestamps=yes", "neither true nor false"),
        ("grep=(", "not a regular expression"),
        ("grep=" + "x" * 1001, "1001 characters, and may have 1000"),
        ("grep=" + quote("(?i)" + "[\u0080-\U0010ffff]" * 190), "too complex"),
        ("grep=" + "(" * 999, "not a regular expression|too complex"),  # by how fast it is
    ],
)
def test_parameter_that_cannot_be_understood(scene: TimedScene, query: str, why: str) -> None:
    scene.ended(b"text\n")

    async def body() -> None:
        async with serving(scene) as site:
            assert re.search(why, json.loads(await site.get(f"{site.web}?{query}", 400))["message"])

    within_deadline(body)


# Together -------------------------------------------------------------------------------------------------------------


def test_cursors_of_parts_resume_to_the_byte(scene: TimedScene) -> None:
    run_id = scene.service(live=False)
    scene.secrets = {"hunter2"}
    for number in range(3000):
        scene.print(run_id, number * 20, b"%d hunter2 %s\n" % (number, b"x" * (number % 90)))

    async def body() -> None:
        async with serving(scene) as site:
            for query in ("timestamps=true", "grep=7", "timestamps=true&grep=[13]&since=" + at(1000)):
                parts = parted(await site.encoded(f"{site.web}?{query}", PARTS["Accept"]))
                whole = b"".join(data for _, data in parts)
                assert len(parts) >= 2
                seen = b""
                for cursor, data in parts:
                    seen += data
                    rest = parted(await site.encoded(f"{site.web}?{query}&cursor={cursor}", PARTS["Accept"]))
                    assert seen + b"".join(data for _, data in rest) == whole

    within_deadline(body)


def test_many_followers_get_lines_of_their_own(scene: TimedScene) -> None:
    run_id = scene.service()

    async def follow(site: Site, number: int) -> bytes:
        query = f"grep={number}$" if number % 2 else "timestamps=true"
        async with site.ask(f"{site.web}?{query}") as response:
            return bytes(await response.read())

    async def body() -> None:
        async with serving(scene) as site:
            followers = [asyncio.create_task(follow(site, number)) for number in range(40)]
            for number in range(2000):
                scene.print(run_id, number, b"%d\n" % number)
                if number % 50 == 0:
                    await asyncio.sleep(0.01)
            scene.service(live=False)
            for number, got in enumerate(await asyncio.gather(*followers)):
                if number % 2:
                    expected = b"".join(
                        b"%d\n" % each for each in range(2000) if str(each).endswith(str(number))
                    )
                else:
                    expected = b"".join(f"{at(each)} {each}\n".encode() for each in range(2000))
                assert got == expected

    within_deadline(body)


def test_log_that_its_command_truncates_is_read_from_its_new_start(scene: TimedScene) -> None:
    run_id = scene.service()
    scene.print(run_id, 0, b"old and older\nold\n")

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?offset=14&grep=.") as response:
            assert await response.content.readline() == b"old\n"
            os.truncate(scene.log(run_id), 0)
            scene.write(run_id, b"new\n")
            assert await response.content.readline() == b"[the command truncated its log: it begins anew]\n"
            assert await response.content.readline() == b"new\n"

    within_deadline(body)
