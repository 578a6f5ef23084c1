"""Real commands, whose output the pump moves into their logs, behind a real server."""

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from supervisor.model.timestamp import rfc3339_ms
from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.logs.log_times import RESOLUTION_NS, LogTimes
from supervisor.shim.protocol import Pumping
from tests.api.logs.logscene import Scene, read_until, serving, within_deadline

LINE = re.compile(rb"(?m)^(\S+Z) (\d+) (.*)$")
EARLY_MS = RESOLUTION_NS // 1_000_000 + 1
LATE_MS = 500
"""How long a busy machine may take to pump a line."""


class PumpedScene(Scene):
    """A scene with a pump."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.woken, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._times = LogTimes(str(state))
        self._pump = LogPump(self._times, wakeup)
        self._fds = [self.woken, wakeup]

    async def run(self, run_id: str, script: str) -> None:
        """Run a command, to the end of its output."""
        fifo = self.log(run_id).with_name("fifo")
        os.mkfifo(fifo)
        pipe = LogPipe(run_id, str(fifo), str(self.log(run_id)), Pumping(1 << 40))
        self._pump.start()
        self._pump.add(pipe)
        out = os.open(fifo, os.O_WRONLY)
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", script, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        os.close(out)
        assert await process.wait() == 0
        closed: list[str] = []
        while run_id not in closed:
            await asyncio.sleep(0.005)
            closed += self._pump.take_closed()

    def close(self) -> None:
        for name in self._pump.streams():
            self._pump.remove(name)
        self._pump.close()
        self._times.close()
        for fd in self._fds:
            os.close(fd)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[PumpedScene]:
    it = PumpedScene(tmp_path)
    yield it
    it.close()


def differences_ms(body: bytes) -> list[int]:
    """How much later than its own word of the time each line is stamped."""
    found = LINE.findall(body)
    assert len(found) == body.count(b"\n")
    stamped_ms = [datetime.fromisoformat(stamp.decode()).timestamp() * 1000 for stamp, _, _ in found]
    return [round(ms) - int(said) for ms, (_, said, _) in zip(stamped_ms, found, strict=True)]


def test_lines_are_stamped_when_they_are_printed(scene: PumpedScene) -> None:
    run_id = scene.service()
    now_ms = "$((${EPOCHREALTIME/./} / 1000))"
    script = f"for i in $(seq 40); do echo {now_ms} $i; [ $((i % 10)) != 0 ] || sleep 0.05; done"

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?timestamps=true") as response:
            reading = asyncio.create_task(response.read())
            await scene.run(run_id, script)
            scene.service(live=False)
            followed = await reading
            assert await site.get(f"{site.web}?timestamps=true") == followed
            late = differences_ms(followed)
            assert len(late) == 40
            assert min(late) >= -EARLY_MS
            assert max(late) < LATE_MS
            for _, said, _ in LINE.findall(followed)[::7]:
                since = rfc3339_ms(int(said) + LATE_MS)
                assert int((await site.get(f"{site.web}?since={since}") or said).split()[0]) >= int(said)

    within_deadline(body)


def test_stamped_flood_without_its_stamps_is_the_log(scene: PumpedScene) -> None:
    run_id = scene.service()

    async def body() -> None:
        async with serving(scene) as site:
            urls = [f"{site.web}?timestamps=true", f"{site.web}?grep=77$", f"{site.web}"]
            reading = [asyncio.create_task(site.get(url)) for url in urls]
            await scene.run(run_id, "seq 200000; echo -n end > /dev/stderr")
            scene.service(live=False)
            stamped, found, plain = await asyncio.gather(*reading)
            log = scene.log(run_id).read_bytes()
            assert plain == log
            assert log.endswith(b"200000\nend")
            assert b"\n".join(line[25:] for line in stamped.split(b"\n")) == log
            stamps = [line[:24] for line in stamped.splitlines()]
            assert stamps == sorted(stamps)
            assert found == b"".join(b"%d\n" % number for number in range(77, 200_001, 100))

    within_deadline(body)


def test_prompt_of_a_command_appears_while_it_waits(scene: PumpedScene, tmp_path: Path) -> None:
    run_id = scene.service()
    answer = tmp_path / "answer"

    async def body() -> None:
        async with serving(scene) as site, site.ask(f"{site.web}?timestamps=true") as response:
            running = asyncio.create_task(
                scene.run(run_id, f"printf 'Password: '; until [ -e {answer} ]; do sleep 0.01; done; echo ok")
            )
            await read_until(response, b"Z Password: ")
            answer.touch()
            await running
            scene.service(live=False)
            assert await response.read() == b"ok\n"

    within_deadline(body)
