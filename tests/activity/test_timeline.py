"""Half an hour of an environment's life, printed: `bin/test tests/activity/test_timeline.py -s`.

The clock is turned by the test; the processes, the requests and the plane that gets them are real.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import pairwise

import pytest

from supervisor.activity.plane import Delivered
from tests.activity.fakes import Stage
from tests.activity.plane import plane, status

MINUTE_S = 60.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Timeline:
    """What happens and what follows, a line each, in the order of the clock."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []
        self.script: dict[float, Callable[[], None]] = {}

    def at(self, minute: float, text: str, *happens: Callable[[], object]) -> None:
        """Something happens."""
        self.lines.append((minute * MINUTE_S, text))

        def happen() -> None:
            for each in happens:
                each()

        self.script[minute * MINUTE_S] = happen

    def note(self, at_s: float, text: str) -> None:
        """Something followed."""
        self.lines.append((at_s, f"    {text}"))

    def __str__(self) -> str:
        lines = sorted(self.lines, key=lambda line: line[0])
        return "\n".join(f"{int(at // 60):02}:{at % 60:04.1f}  {text}" for at, text in lines)


@pytest.mark.anyio
async def test_half_an_hour_of_activity(sleeper: subprocess.Popen[bytes]) -> None:
    time = Timeline()
    async with plane("/api") as there:
        stage = Stage(there.url)
        reporting, clock = stage.sources, stage.clock

        def answers(answer: object) -> Callable[[], None]:
            return lambda: setattr(there, "answer", answer)

        time.at(0, "the environment starts; nothing is active")
        time.at(2, "task build starts", stage.execute("build"))
        time.at(4, "task build ends", stage.finish)
        for minute in (5, 6.5):
            time.at(minute, "VS Code reports activity", lambda: reporting.report("VS Code"))
        time.at(14, "ada logs in by SSH", lambda: stage.log_in("ada on pts/0"))
        time.at(18.5, "the management plane goes away", answers(status(503, "draining")))
        time.at(20.5, "the management plane is back", answers(None))
        time.at(22, "ada logs out", stage.sessions.clear)
        time.at(23, "supervisor keep-alive --pid", lambda: reporting.keep_alive(sleeper.pid, "Nightly"))
        time.at(24, "the token is revoked", answers(status(401, "revoked")))
        time.at(27, "there is a new token", lambda: setattr(stage, "token", "second"), answers(None))
        time.at(28, "the wall clock is set back by two hours", lambda: clock.set_wall(-2 * 3600))
        time.at(29, "that process ends", sleeper.kill, sleeper.wait)
        await stage.play(30 * MINUTE_S, time.script)

    for at_s, sent in zip(stage.tried, stage.reporter.signals, strict=True):
        why = "delivered" if isinstance(sent.result, Delivered) else sent.result.why
        time.note(at_s, f"MarkEnvironmentActive {sent.signal.source}: {why}")
    for at_s, text in stage.notices:
        time.note(at_s, f"notice: {text}")
    print(f"\n{time}")

    minutes = [at_s / 60 for at_s in stage.tried]
    sources = [sent.signal.source for sent in stage.reporter.signals]
    # At once; five minutes later, though what began it is over; not while nothing is active; at once again.
    assert list(zip(minutes, sources, strict=True))[:3] == [(2, "Automations"), (7, "VS Code"), (14, "SSH")]
    away = [minute for minute in minutes if 18.5 < minute < 20.5]
    assert away[0] == 19
    assert all(gap < later for gap, later in pairwise(b - a for a, b in pairwise(away)))
    back, revoked, renewed = minutes[3 + len(away) :]
    assert 20.5 <= back <= 21.5
    assert revoked == pytest.approx(back + 5)
    assert renewed == pytest.approx(27, abs=1 / 6)
    assert sources[-2:] == ["Nightly", "Nightly"]
    assert [type(sent.result) for sent in stage.reporter.signals].count(Delivered) == 5
