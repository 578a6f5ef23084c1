"""What is done about what goes away: the table of `state_watch`, with lines of its own."""

import threading
from collections.abc import Awaitable, Callable

import pytest

from supervisor.boot.conditions import Conditions
from supervisor.boot.serve import state_watch
from supervisor.boot.serve.state_watch import StateWatch, Watched
from supervisor.host.proc.worker_threads import Workers
from supervisor.model.errors import MachineError
from tests.boot.notices import Notices

pytestmark = pytest.mark.anyio


class Line:
    """Something that can be taken away."""

    def __init__(self) -> None:
        self.whole = True
        self.wrong = ""

    def is_whole(self) -> bool:
        return self.whole

    async def restore(self) -> None:
        if self.wrong:
            raise MachineError(self.wrong)
        self.whole = True


class Told(Notices, Conditions):
    """A report and conditions that remember."""

    def on_problem(self, kind: str, reason: str) -> None:
        assert kind == "state"
        self.texts.append(f"wrong: {reason}")


def watch(
    *lines: tuple[str, Callable[[], bool], Callable[[], Awaitable[None]]],
) -> tuple[StateWatch, list[str]]:
    told = Told()
    return StateWatch([Watched(*line) for line in lines], told, told), told.texts


async def test_what_is_gone_is_restored_and_that_is_said() -> None:
    line = Line()
    it, told = watch(("the lock", line.is_whole, line.restore))
    await it.look()
    line.whole = False
    await it.look()

    assert line.whole
    assert told == [
        "wrong: ",
        "the lock was removed or replaced while the supervisor ran: it is there again",
        "wrong: ",
    ]


async def test_what_cannot_be_restored_is_told_until_it_can() -> None:
    line, other = Line(), Line()
    line.whole, line.wrong = False, "another supervisor has it"
    it, _ = watch(("the lock", line.is_whole, line.restore), ("the other", other.is_whole, other.restore))
    other.whole = False
    await it.look()

    assert it.wrong == "the lock: another supervisor has it"
    assert other.whole, "one that cannot be restored keeps no other from it"
    line.wrong = ""
    await it.look()
    assert it.wrong == ""


async def test_filesystem_that_does_not_answer_is_told_and_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_watch, "ANSWER_S", 0.05)
    answer, asked = threading.Event(), []

    def hangs() -> bool:
        asked.append(1)
        answer.wait(20)
        return True

    line = Line()
    it, told = watch(("the lock", hangs, line.restore))
    await it.look()
    await it.look()
    assert told == ["wrong: its filesystem does not answer for 0.05 s"] * 2
    assert asked == [1]

    answer.set()
    while it._looking:
        await statewatch_turn()
    await it.look()
    assert it.wrong == ""


async def test_look_that_found_no_thread_in_time_keeps_no_later_one_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_watch, "ANSWER_S", 0.05)
    over, line = threading.Event(), Line()
    it, _ = watch(("the lock", line.is_whole, line.restore))
    with Workers(Told(), fixed=1, most=1) as workers:
        held = workers.submit(over.wait, 20)
        await it.look()
        over.set()
        await held
        monkeypatch.setattr(state_watch, "ANSWER_S", 20.0)
        await it.look()
    assert it.wrong == ""


async def statewatch_turn() -> None:
    import anyio

    await anyio.sleep(0.01)
