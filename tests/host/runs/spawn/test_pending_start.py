"""What follows from each answer to the request for a command: values in, a value out."""

import errno
import math

import pytest

from supervisor.host.runs.spawn import pending_start as subject
from supervisor.host.runs.spawn.pending_start import Began, GaveUp, PendingStart, RetryAt, pending_start
from supervisor.host.runs.spawn.shim_client import ANSWER_S, LATE_S
from supervisor.host.runs.spawn.shim_pool import NoShimNow
from supervisor.model.errors import MachineError
from supervisor.shim.protocol import CommandStarted, SpawnFailed, SpawnRequest

REQUEST = SpawnRequest("r", ("/bin/sh",), {}, "/w", "/r/log", "/r", math.inf)
NOW_S = 100.0
SHORT = SpawnFailed("r", "fork", errno.EAGAIN)
LACKING = (
    "cannot run /bin/sh: resource temporarily unavailable; there are too many processes or too little memory"
)


def asked(now_s: float = NOW_S) -> PendingStart:
    return pending_start(REQUEST, now_s).ask(now_s)


def test_a_shim_drops_a_request_before_it_is_given_up_here() -> None:
    start = asked()
    assert start.answer_by_s == NOW_S + ANSWER_S
    assert start.request.before == start.answer_by_s - LATE_S


def test_started_means_began() -> None:
    started = CommandStarted("r", 12, 345, "")
    assert asked().answer(started, NOW_S) == Began(started)


@pytest.mark.parametrize(
    ("stage", "number", "text", "why"),
    [
        ("chdir", errno.ENOENT, "", "cannot enter the workspace /w: no such file or directory"),
        ("user", errno.EPERM, "", "cannot become the user that commands run as: operation not permitted"),
        ("log", errno.EACCES, "", "cannot write the log /r/log: permission denied"),
        ("exec", errno.ENOEXEC, "", "cannot run /bin/sh: exec format error"),
        ("late", errno.ETIMEDOUT, "", "cannot run /bin/sh: connection timed out"),
        ("request", errno.EINVAL, "TypeError()", "cannot run /bin/sh: TypeError()"),
    ],
)
def test_a_failure_that_will_not_pass_is_given_up_with_its_reason(
    stage: str, number: int, text: str, why: str
) -> None:
    told = {"chdir": number, "late": errno.ESRCH}.get(stage, 0)
    assert asked().answer(SpawnFailed("r", stage, number, text), NOW_S) == GaveUp(why, told)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_is_told(number: int) -> None:
    outcome = asked().answer(SpawnFailed("r", "log", number), NOW_S)
    assert isinstance(outcome, GaveUp)
    assert outcome.errno == number


def test_what_the_machine_lacks_is_waited_for_with_ever_longer_pauses() -> None:
    start, now_s, pauses = asked(), NOW_S, []
    while isinstance(outcome := start.answer(SHORT, now_s), RetryAt):
        assert outcome.lacking == LACKING
        pauses.append(round(outcome.at_s - now_s, 3))
        start = start.wait(outcome)
        assert not start.is_asked
        now_s = outcome.at_s
        start = start.ask(now_s)
    assert outcome == GaveUp(LACKING, errno.EAGAIN)
    assert pauses[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert subject._PATIENCE_S <= now_s - NOW_S < subject._PATIENCE_S + 2.0


def test_no_shim_for_now_is_waited_for_and_no_shim_at_all_is_not() -> None:
    assert asked().refuse(NoShimNow("no memory"), NOW_S) == RetryAt(NOW_S + 0.1, "no memory")
    assert asked().refuse(NoShimNow("no memory"), NOW_S + 20) == GaveUp("no memory", errno.EAGAIN)
    assert asked().refuse(MachineError("no python"), NOW_S) == GaveUp("no python", errno.ESRCH)


def test_a_command_that_a_lost_shim_began_is_not_asked_for_again() -> None:
    assert asked().lose(began=True, now_s=NOW_S) == Began(None)


def test_three_shims_may_be_lost_over_one_command() -> None:
    start, outcomes = pending_start(REQUEST, NOW_S), []
    for _ in range(3):
        start = start.ask(NOW_S)
        outcomes.append(start.lose(began=False, now_s=NOW_S))
    assert outcomes == [
        RetryAt(NOW_S, ""),
        RetryAt(NOW_S, ""),
        GaveUp("the process that holds commands has ended", errno.ESRCH),
    ]


def test_a_pause_makes_the_lost_shims_forgotten() -> None:
    start = asked().ask(NOW_S).ask(NOW_S).wait(RetryAt(NOW_S + 1, "no memory")).ask(NOW_S + 1)
    assert start.lose(began=False, now_s=NOW_S) == RetryAt(NOW_S, "")


def test_a_shim_has_ten_seconds_to_answer() -> None:
    assert asked().overdue(NOW_S + ANSWER_S) is None
    late = asked().overdue(NOW_S + ANSWER_S + 0.1)
    assert late == GaveUp("the process that holds commands does not answer for 10 s", errno.ESRCH)
    assert asked().search().overdue(math.inf) is None, "no answer can come while /proc is searched"


def test_a_shim_that_has_many_starts_to_do_first_has_longer() -> None:
    start = pending_start(REQUEST, NOW_S).ask(NOW_S, 1000)
    assert start.answer_by_s == NOW_S + ANSWER_S + 1000 * subject._EACH_S
    assert start.request.before == start.answer_by_s - LATE_S
    assert start.overdue(NOW_S + 10 * ANSWER_S) is None


def test_a_command_that_is_to_stop_while_it_waits_is_not_started() -> None:
    waiting = asked().wait(RetryAt(NOW_S + 1, "no memory"))
    assert waiting.stop() == GaveUp("no memory; it was to stop before it could start")
