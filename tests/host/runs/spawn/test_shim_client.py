"""The supervisor's end of the connection, with a shim that is played by the test."""

from collections.abc import Iterator

import pytest

from supervisor.host.runs.spawn.shim_client import ShimLost
from supervisor.shim.protocol import (
    Bye,
    CommandExited,
    CommandStarted,
    ExitStatus,
    ListRequest,
    RunsListed,
    ShimTrouble,
    SpawnRequest,
)
from tests.host.runs.scripted_shim import ScriptedShim

REQUEST = SpawnRequest("r", ("/bin/sh",), {}, "/w", "/r/log", "/r", 7.5)
STARTED = CommandStarted("r", 12, 345, "")
EXITED = CommandExited("r", ExitStatus(3))


@pytest.fixture
def shim() -> Iterator[ScriptedShim]:
    shim = ScriptedShim()
    yield shim
    shim.die()
    shim.client.abandon()


def test_events_are_received_in_order_and_once(shim: ScriptedShim) -> None:
    shim.tell(STARTED)
    shim.tell(EXITED)
    assert shim.client.receive() == [STARTED, EXITED]
    assert shim.client.receive() == []
    assert not shim.client.lost


def test_what_arrives_before_an_answer_is_kept_for_later(shim: ScriptedShim) -> None:
    held = RunsListed({"r": (12, 345)}, {}, 3)
    shim.tell(STARTED)
    shim.tell(held)
    shim.tell(EXITED)
    assert shim.client.runs() == held
    assert shim.requests() == [ListRequest()]
    assert shim.client.receive() == [STARTED, EXITED]


def test_what_cannot_be_understood_becomes_a_sentence(shim: ScriptedShim) -> None:
    shim.write({"began": "r"})
    assert shim.client.receive() == [ShimTrouble("unknown event with the fields began")]


def test_the_last_events_of_a_shim_that_died_are_received_although_a_request_could_not_be_sent(
    shim: ScriptedShim,
) -> None:
    """It was killed with requests unread: then the kernel refuses the next one at once."""
    shim.client.spawn(REQUEST)
    shim.tell(STARTED)
    shim.tell(EXITED)
    shim.die()
    shim.client.spawn(REQUEST)
    assert shim.client.lost
    assert not shim.client.unsent
    assert shim.client.receive() == [STARTED, EXITED]


def test_a_shim_that_dies_instead_of_an_answer_is_lost(shim: ScriptedShim) -> None:
    shim.die()
    with pytest.raises(ShimLost):
        shim.client.runs()


def test_closing_tells_how_many_commands_live_on(shim: ScriptedShim) -> None:
    shim.tell(Bye(2))
    assert shim.client.close() == 2
