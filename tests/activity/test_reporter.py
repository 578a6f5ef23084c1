"""The reporter on a clock that the test turns, with real requests to a plane on loopback."""

from __future__ import annotations

import logging
import subprocess
from datetime import datetime

import anyio
import pytest

from supervisor.activity.activity_report import explanation
from supervisor.activity.plane import Delivered, SignalResult, Undelivered
from supervisor.core.records import Records
from supervisor.hub import Hub
from supervisor.model.fact import ActivitySeen
from tests.activity.fakes import Clock, Memory, Stage
from tests.activity.plane import never, plane, raw, status
from tests.connect_server.serving import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_session_is_told_at_once_and_every_five_minutes_as_of_now() -> None:
    async with plane() as there:
        stage = Stage(there.url)
        await stage.play(1000, {61: lambda: stage.log_in("ada")})
    assert stage.tried == [71, 371, 671, 971]  # a session is noticed within ten seconds
    told = [
        datetime.fromisoformat(told.body["activitySignal"]["timestamp"]).timestamp() for told in there.told
    ]
    assert told == [pytest.approx(stage.clock.wall_s - stage.now_s + at, abs=0.001) for at in stage.tried]
    assert {told.source for told in there.told} == {"SSH"}
    assert [seen.source for seen in stage.posted] == ["SSH"] * 4


async def test_report_is_told_with_its_name_and_its_moment() -> None:
    async with plane() as there:
        stage = Stage(there.url)
        await stage.play(
            700, {5: lambda: stage.sources.report("VS Code"), 290: lambda: stage.sources.report("VS Code")}
        )
    assert stage.tried == [5, 305]
    first, second = stage.posted
    assert first == ActivitySeen("VS Code", stage.clock.wall_s - 695)
    assert second.at_s == first.at_s + 285


async def test_process_is_told_while_it_lives(sleeper: subprocess.Popen[bytes]) -> None:
    async with plane() as there:
        stage = Stage(there.url)
        stage.sources.keep_alive(sleeper.pid, "Nightly build")
        await stage.play(650)
        sleeper.kill()
        sleeper.wait()
        await stage.play(2000)
    assert stage.tried == [0, 300, 600]
    assert {told.source for told in there.told} == {"Nightly build"}


async def test_new_token_is_noticed_and_used() -> None:
    async with plane() as there:
        stage = Stage(there.url)
        stage.log_in("ada")
        there.answer = status(401, "expired")

        def renew() -> None:
            stage.token = "second token"
            there.answer = None

        await stage.play(1000, {700: renew})
    assert stage.tried == [0, 700]
    assert [told.headers["authorization"] for told in there.told] == [
        "Bearer first token",
        "Bearer second token",
    ]
    assert [text for _, text in stage.notices] == [
        "the management plane refuses the environment's token (HTTP status 401: expired): activity is reported again "
        "once there is another token",
        "activity is reported to the management plane again",
    ]


async def test_token_that_is_missing_is_told_once_and_waited_for() -> None:
    async with plane() as there:
        stage = Stage(there.url)
        stage.log_in("ada")
        stage.token = None
        await stage.play(100)
        assert explanation([], None, stage.reporter, stage.clock.instant())["heartbeat"]["state"] == "refused"
        stage.token = "at last"
        await stage.play(200)
    assert stage.tried == [100]
    assert [text for _, text in stage.notices] == [
        "cannot use the environment's token in /token: there is no such file; activity is reported to the "
        "management plane once there is a token"
    ]


async def test_plane_in_trouble_is_a_matter_of_two_notices_however_long_it_takes() -> None:
    async with plane() as there:
        stage = Stage(there.url)
        stage.log_in("ada")
        there.answer = status(500, "oops")
        await stage.play(3600)
        there.answer = raw(b"<html>", "text/html")
        await stage.play(7200)
        there.answer = None
        await stage.play(8000)
    assert [text.split(" (")[0] for _, text in stage.notices] == [
        "activity cannot be reported to the management plane",
        "activity is reported to the management plane again",
    ]
    assert stage.notices[0][0] < 60
    assert (stage.reporter.delivered, stage.reporter.failed) == (3, len(stage.tried) - 3)


async def test_plane_that_gives_no_answer_holds_up_nothing() -> None:
    async with plane() as there:
        stage = Stage(there.url, timeout_s=0.05)
        stage.log_in("ada")
        there.answer = never
        await stage.play(20)
        stage.sources.report("VS Code")
        there.answer = None
        await stage.play(60)
    assert [type(sent.result) for sent in stage.reporter.signals] == [
        Undelivered,
        Undelivered,
        Undelivered,
        Delivered,
    ]
    assert there.told[-1].source == "SSH"


async def test_error_of_our_own_is_one_more_failure(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Stage):
        async def send(self, source: str, seen_wall_s: float, token: str) -> SignalResult:
            raise RuntimeError("a bug")

    stage = Broken("http://127.0.0.1:1")
    stage.log_in("ada")
    with caplog.at_level(logging.CRITICAL, logger="supervisor.activity.reporter"):
        await stage.play(20)
    assert stage.reporter.failed >= 2
    assert stage.reporter.signals[0].result == Undelivered(
        "an error inside the supervisor: RuntimeError('a bug')"
    )


async def test_bug_in_a_look_is_logged_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    async with plane() as there:
        stage = Stage(there.url, interval_s=0.1)
        broken = [True]

        class BrokenOnce:
            @property
            def records(self) -> Records:
                if broken:
                    broken.clear()
                    raise RuntimeError("a bug")
                return stage.records

        stage.sources._world = BrokenOnce()
        with caplog.at_level(logging.CRITICAL, logger="supervisor.activity.reporter"):
            async with anyio.create_task_group() as group:
                group.start_soon(stage.reporter.run, Hub())
                await eventually(lambda: not broken)
                stage.sources.report("VS Code")
                await eventually(lambda: there.told)
                group.cancel_scope.cancel()


async def test_explanation_tells_sources_since_when_and_the_last_signals() -> None:
    async with plane() as there:
        stage = Stage(there.url)
        await stage.play(
            130, {10: lambda: stage.log_in("ada on pts/0"), 70: lambda: stage.sources.report("VS Code")}
        )
        found = explanation(stage.sources.known(), None, stage.reporter, stage.clock.instant())
    start = datetime.fromtimestamp(stage.clock.wall_s - stage.now_s).astimezone()
    at = {name: (datetime.fromisoformat(found[name]) - start).total_seconds() for name in ("since",)}
    assert at == {"since": pytest.approx(10, abs=0.01)}
    assert found["awake"] is True
    assert [(seen["kind"], seen["source"], seen["detail"]) for seen in found["sources"]] == [
        ("ssh", "SSH", "ada on pts/0"),
        ("reported", "VS Code", "reported by a client"),
    ]
    beat = found["heartbeat"]
    assert (beat["state"], beat["url"], beat["delivered"], beat["failures"]) == ("waiting", there.url, 1, 0)
    assert (datetime.fromisoformat(beat["due"]) - start).total_seconds() == pytest.approx(310, abs=0.01)
    assert [(sent["source"], sent["outcome"], sent["why"]) for sent in beat["signals"]] == [
        ("SSH", "delivered", "")
    ]


async def test_supervisor_that_is_started_again_and_again_makes_no_burst() -> None:
    memory, tried = Memory(), []
    async with plane() as there:
        clock = Clock()
        for _ in range(60):
            stage = Stage(there.url, memory=memory, clock=clock)
            stage.log_in("ada")
            begun_s = clock.boot_s
            await stage.play(10)
            tried += [begun_s + at for at in stage.tried]
    assert [at - tried[0] for at in tried] == [0, 300]


@pytest.mark.parametrize("kept", ['"soon"', "1e300", "-1e300", "null", "[1]"])
async def test_due_time_that_makes_no_sense_silences_nobody(kept: str) -> None:
    memory = Memory()
    memory.texts["heartbeat_due"] = f'{{"boot": "a boot", "value": {kept}}}'
    async with plane() as there:
        stage = Stage(there.url, memory=memory)
        stage.log_in("ada")
        await stage.play(301)
    assert stage.tried
