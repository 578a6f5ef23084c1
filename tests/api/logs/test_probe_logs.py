"""The log of the last probe, which is in a record and in no file."""

import os
from pathlib import Path

from aiohttp import ClientSession

from supervisor.lean.frozen import replace
from supervisor.model.exit import ExitCode
from supervisor.model.ids import RunId, ServiceId
from supervisor.model.record import LastProbe
from supervisor.model.states import ProbeRun, Starting
from tests.api.logs.logscene import WEB, Scene, serving, within_deadline

PROBE = RunId(f"{WEB}.2")
ENDED_S = 1_796_077_620.25
"""2026-11-30T22:27:00.250Z."""
SSE = {"Accept": "text/event-stream"}


def probed(scene: Scene, output: str, live: bool = True) -> None:
    """A service starts, and its last probe printed this."""
    scene.service()
    service = scene.records.services[ServiceId(WEB)]
    session = service.live_session
    assert session is not None
    state = Starting(session, probe=ProbeRun(PROBE)) if live else service.state
    last = LastProbe(PROBE, ExitCode(1), output, ENDED_S)
    scene.put(replace(service, state=state, last_probe=PROBE, probed=last))


def read(scene: Scene, query: str = "", headers: dict[str, str] | None = None) -> bytes:
    async def body() -> bytes:
        async with serving(scene) as site:
            return await get(site.session, f"{site.base}/logs/runs/{PROBE}{query}", headers)

    return within_deadline(body)


async def get(session: ClientSession, path: str, headers: dict[str, str] | None) -> bytes:
    async with session.get(path, headers=headers) as response:
        assert response.status in (200, 206), await response.read()
        return await response.read()


def test_last_probe_is_read_from_its_record_while_there_will_be_others(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    probed(scene, "one\ntwo\nbytes \udcff\n")
    assert read(scene) == b"one\ntwo\nbytes \xff\n"
    assert read(scene, "?follow=true") == b"one\ntwo\nbytes \xff\n"
    assert os.listdir(scene.runs) == []


def test_parts_of_it_can_be_asked_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    probed(scene, "one\ntwo\nthree\n", live=False)
    assert read(scene, "?tail=1") == b"three\n"
    assert read(scene, "?grep=t") == b"two\nthree\n"
    assert read(scene, "?offset=4") == b"two\nthree\n"
    assert read(scene, headers={"Range": "bytes=-6"}) == b"three\n"
    assert read(scene, "?timestamps=true&tail=1") == b"2026-11-30T22:27:00.250Z three\n"
    assert read(scene, "?since=2026-11-30T22:27:00Z") == b"one\ntwo\nthree\n"
    assert read(scene, "?since=2026-11-30T22:28:00Z") == b""
    assert b"2026-11-30T22:27:00.250Z" in read(scene, headers=SSE)


def test_secrets_are_hidden_in_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.secrets = {"hunter2"}
    probed(scene, "password hunter2\n")
    assert read(scene) == b"password ***\n"


def test_probe_of_an_earlier_version_is_read_from_its_file(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    probed(scene, "", live=False)
    service = scene.records.services[ServiceId(WEB)]
    scene.put(replace(service, probed=None))
    scene.write(PROBE, b"old words\n")
    assert read(scene) == b"old words\n"
