"""What the relay makes of several calls: real workers, and a git that counts how often it is started."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from platform_wire import environmentopts_pb2 as pb
from supervisor.api.ops.large_answers import LargeAnswers
from supervisor.api.ops.workspace_calls import WorkspaceCalls
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.work_place import MachinePlace
from tests.connect_server.serving import eventually

pytestmark = pytest.mark.anyio
COUNTING_GIT = """#!/bin/sh
echo "$*" >>{folder}/started
until [ -e {folder}/go ]; do sleep 0.01; done
exec {git} "$@"
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Relay:
    """The calls of a workspace whose git waits until `let_go`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self.revision = 0
        subprocess.run(["git", "init", "-q", "-b", "trunk", self.workspace], check=True)
        git = folder / "git"
        real = next(
            path
            for path in (f"{part}/git" for part in os.environ["PATH"].split(":"))
            if os.access(path, os.X_OK)
        )
        git.write_text(COUNTING_GIT.format(folder=folder, git=real))
        git.chmod(0o755)
        environ = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}
        place = MachinePlace(CommandEnvironment(environ, str(self.workspace)))
        self.calls = WorkspaceCalls(place, LargeAnswers(), lambda: self.revision)

    async def ask(self, method: str, request: bytes = b"", form: str = "proto") -> bytes:
        carried = self.calls.carried(method, form)
        assert carried is not None
        async with carried.open(form) as call:
            await call.send(request)
            await call.finish()
            size, data = await call.answer()
            while len(data) < size:
                data += await call.more()
            return data

    def let_go(self) -> None:
        (self.folder / "go").touch()

    def started(self) -> list[str]:
        """The command lines of git, so far."""
        file = self.folder / "started"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    relay = Relay(tmp_path)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(relay.calls.run)
            yield relay
            tasks.cancel_scope.cancel()


async def begun(relay: Relay, count: int, form: str = "proto") -> list[asyncio.Task[bytes]]:
    """So many equal calls that wait for one git."""
    before = len(relay.started())
    request = b"{}" if form == "json" else b""
    calls = [asyncio.create_task(relay.ask("GetGitStatus", request, form)) for _ in range(count)]
    await eventually(lambda: len(relay.started()) > before)
    return calls


async def test_equal_calls_at_one_time_start_git_once_and_later_ones_again(relay: Relay) -> None:
    calls = await begun(relay, 20)
    assert len(relay.started()) == 1
    relay.let_go()
    answers = await asyncio.gather(*calls)
    once = len(relay.started())

    assert len(set(answers)) == 1
    assert pb.GetGitStatusResponse.FromString(answers[0]).status.branch == "trunk"
    await relay.ask("GetGitStatus")
    assert len(relay.started()) == 2 * once


async def test_who_leaves_takes_the_answer_from_nobody_else(relay: Relay) -> None:
    first, second = await begun(relay, 2)
    first.cancel()
    await asyncio.wait([first])
    relay.let_go()

    assert pb.GetGitStatusResponse.FromString(await second).status.branch == "trunk"


async def test_when_all_leave_git_is_killed(relay: Relay) -> None:
    calls = await begun(relay, 3)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    relay.let_go()

    assert pb.GetGitStatusResponse.FromString(await relay.ask("GetGitStatus")).status.branch == "trunk"


@pytest.mark.parametrize("change", ["a write", "a record"])
async def test_what_a_client_knows_to_have_changed_is_asked_anew(relay: Relay, change: str) -> None:
    calls = await begun(relay, 1)
    if change == "a write":
        await relay.ask("WriteFile", pb.WriteFileRequest(path="new", content=b"x").SerializeToString())
    else:
        (relay.workspace / "new").touch()
        relay.revision += 1
    calls += await begun(relay, 1)
    assert len(relay.started()) == 2
    relay.let_go()

    later = pb.GetGitStatusResponse.FromString((await asyncio.gather(*calls))[1])
    assert [file.path for file in later.status.changed_files] == ["new"]


@pytest.mark.parametrize("form", ["proto", "json"])
async def test_the_last_status_is_known(relay: Relay, form: str) -> None:
    assert relay.calls.last_git_status() is None
    relay.let_go()
    await relay.ask("GetGitStatus", b"{}" if form == "json" else b"", form)

    status = relay.calls.last_git_status()
    assert status is not None
    assert status.branch == "trunk"
