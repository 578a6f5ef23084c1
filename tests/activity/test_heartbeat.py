"""When signals go: histories of activity, answers and tokens on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.activity.heartbeat import Heartbeat, HeartbeatPace, Send, Wait, backoff, conclude, decide
from supervisor.activity.plane import Declined, Delivered, SignalResult, TokenRefused, Undelivered
from supervisor.activity.sighting import Signal
from tests.activity.fakes import Scene, always

DAY_S = 24 * 3600
SSH = Signal("SSH", 0.0)


def between(*spans: tuple[float, float]) -> Callable[[float], bool]:
    return lambda now_s: any(begin <= now_s < end for begin, end in spans)


def away(begin_s: float, end_s: float, result: SignalResult) -> Callable[[float], SignalResult]:
    return lambda now_s: result if begin_s <= now_s < end_s else Delivered()


def test_first_signal_goes_at_once_and_one_every_five_minutes_after_it() -> None:
    scene = Scene(between((7, 2000))).run(2000)
    assert scene.tried == [7, 307, 607, 907, 1207, 1507, 1807]


def test_without_activity_there_is_no_signal() -> None:
    assert Scene(lambda _now_s: False).run(DAY_S, 10).tried == []


def test_activity_that_ends_is_not_told_of_any_more() -> None:
    assert Scene(between((0, 420))).run(3000).tried == [0, 300]


def test_activity_after_a_quiet_time_is_told_at_once() -> None:
    assert Scene(between((0, 10), (1000, 1001))).run(3000).tried == [0, 1000]


def test_activity_that_comes_and_goes_makes_no_burst() -> None:
    scene = Scene(lambda now_s: now_s % 20 < 10).run(1000)
    assert scene.tried == [0, 300, 600, 900]


def test_slow_plane_does_not_shift_the_beat_nor_get_two_signals_at_once() -> None:
    scene = Scene(always, takes_s=29).run(1000)
    assert scene.tried == [0, 300, 600, 900]
    assert scene.got_through == [29, 329, 629, 929]


def test_what_fails_is_tried_again_inside_the_interval_with_what_is_true_then() -> None:
    scene = Scene(always, away(0, 20, Undelivered("no route")), jitter=0.0).run(700)
    assert scene.tried == [0, 3, 8, 18, 38, 338, 638]
    assert [signal.seen_s for signal in scene.told] == scene.tried


def test_plane_that_is_away_for_a_day_is_tried_once_in_an_interval_and_told_once_when_it_is_back() -> None:
    scene = Scene(always, away(600, DAY_S, Undelivered("no route")), jitter=0.9).run(DAY_S + 1200)
    while_away = [at for at in scene.tried if 2000 <= at < DAY_S]
    assert all(285 <= later - earlier <= 300 for earlier, later in pairwise(while_away))
    back = [at for at in scene.got_through if at >= DAY_S]
    assert len(back) == 5
    assert back[0] <= DAY_S + 300
    assert all(later - earlier == 300 for earlier, later in pairwise(back))


def test_machine_that_was_asleep_sends_one_signal_when_it_wakes() -> None:
    scene = Scene(always, asleep=(450, 8 * 3600)).run(8 * 3600 + 700)
    assert scene.tried == [0, 300, 8 * 3600, 8 * 3600 + 300, 8 * 3600 + 600]


def test_report_of_before_the_sleep_is_no_activity_after_it() -> None:
    scene = Scene(between((0, 500)), asleep=(450, 8 * 3600)).run(9 * 3600)
    assert scene.tried == [0, 300]


def test_refused_token_stops_signals_until_there_is_another() -> None:
    tokens = {0: "old", 5000: "new"}

    def token(now_s: float) -> str:
        return tokens[max(at for at in tokens if at <= now_s)]

    scene = Scene(always, away(900, 5000, TokenRefused("HTTP status 401")), token).run(6000)
    assert scene.tried == [0, 300, 600, 900, 5000, 5300, 5600, 5900]


def test_token_that_changes_every_second_and_is_always_refused_makes_no_burst() -> None:
    refused = TokenRefused("HTTP status 401")
    scene = Scene(always, lambda _now_s: refused, str, jitter=0.0).run(3600)
    assert len(scene.tried) < 30


def test_token_that_is_missing_is_waited_for() -> None:
    scene = Scene(always, token=lambda now_s: "token" if now_s >= 50 else None).run(400)
    assert scene.tried == [50, 350]


def test_plane_that_declines_is_asked_again_an_interval_later() -> None:
    assert Scene(always, away(0, 500, Declined("HTTP status 403"))).run(1000).tried == [0, 300, 600, 900]


@pytest.mark.parametrize(
    ("asked_s", "tried"),
    [(60.0, [0, 60, 120, 420]), (1.0, [0, 3, 8, 18]), (3600.0, [0, 300, 600]), (None, [0, 3, 8, 18])],
)
def test_plane_that_asks_for_patience_gets_it_up_to_an_interval(
    asked_s: float | None, tried: list[float]
) -> None:
    scene = Scene(always, away(0, 100, Undelivered("HTTP status 429", asked_s)), jitter=0.0).run(700)
    assert scene.tried[: len(tried)] == tried


def test_backoff_doubles_up_to_the_interval_and_chance_takes_at_most_half_of_it() -> None:
    pace = HeartbeatPace()
    assert [backoff(failures, pace, 0.0) for failures in range(1, 9)] == [2.5, 5, 10, 20, 40, 80, 150, 150]
    assert backoff(3, pace, 0.5) == 15
    assert backoff(10_000, pace, 0.0) == 150
    assert backoff(1, HeartbeatPace(interval_s=0.5), 0.0) == 0.25


def test_every_state_waits_for_what_its_table_says() -> None:
    sending, sent = decide(Heartbeat(), SSH, "t", 10.0)
    assert (sending.begun_s, sent) == (10.0, Send(SSH, "t"))
    assert decide(sending, SSH, "t", 99.0) == (sending, Wait(why="a signal is under way"))
    assert isinstance(sent, Send)
    ready = conclude(sending, sent, Delivered(), HeartbeatPace(), 0.5, 11.0)
    assert decide(ready, SSH, "t", 11.0) == (ready, Wait(310.0))
    assert decide(ready, None, "t", 400.0) == (ready, Wait(why="nothing is active"))
    refused = conclude(sending, sent, TokenRefused("no"), HeartbeatPace(), 0.0, 11.0)
    assert refused.refused == "t"
    for token in ("t", None):
        assert decide(refused, SSH, token, 1e6)[0] == refused
    assert decide(refused, SSH, "u", 1e6) == (Heartbeat(13.5, 1, 1e6), Send(SSH, "u"))


@given(
    st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=1, max_size=12),
    st.lists(
        st.sampled_from([Delivered(), Undelivered("x"), Undelivered("x", 30.0), Declined("x")]),
        min_size=1,
        max_size=40,
    ),
    st.floats(0.0, 0.999),
    st.integers(0, 30),
)
def test_any_history_keeps_the_promises(
    spans: list[tuple[int, bool]], answers: list[SignalResult], jitter: float, takes_s: int
) -> None:
    """No signal while idle, no two within an interval, at most eight tries in one; a plane that answers is told."""
    moments = [active for length, active in spans for _ in range(length)]
    given = iter(answers)
    scene = Scene(
        lambda now_s: moments[int(now_s)] if now_s < len(moments) else False,
        lambda _now_s: next(given, Delivered()),
        jitter=jitter,
        takes_s=takes_s,
    ).run(len(moments))
    assert all(moments[int(at)] for at in scene.tried)
    begun = [at - takes_s for at in scene.got_through]
    assert all(later - earlier >= 300 for earlier, later in pairwise(begun))
    for at in scene.tried:
        assert sum(at <= other < at + 300 for other in scene.tried) <= 8
    if all(isinstance(answer, Delivered) for answer in answers):
        for second in range(len(moments) - 301 - takes_s):
            if all(moments[second : second + 301]):
                assert any(second <= at <= second + 300 for at in scene.tried)
