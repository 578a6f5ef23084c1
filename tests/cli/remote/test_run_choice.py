"""Which runs the logs of some items are."""

from __future__ import annotations

import pytest

from supervisor.cli.remote.log_request import LogRequest
from supervisor.cli.remote.responses import Json
from supervisor.cli.remote.run_choice import RunChoice
from supervisor.model.errors import NotFound
from supervisor.model.timestamp import rfc3339

NOW_S = 1_796_000_000.0


def run(number: int, began_s: float, ended_s: float | None, kind: str = "start") -> Json:
    ended = None if ended_s is None else rfc3339(NOW_S + ended_s)
    began = rfc3339(NOW_S + began_s)
    return {"id": f"web.{number}", "itemId": "web", "kind": kind, "startedAt": began, "endedAt": ended}


RUNS = [run(4, -20, None), run(3, -22, -21, "ready"), run(2, -60, -25), run(1, -100, -80)]


def chosen(**options: object) -> list[str]:
    request = LogRequest(**options)  # type: ignore[arg-type]
    return [one["id"] for one in RunChoice(request, None).past(RUNS)]


def test_last_run_is_chosen_or_the_one_before() -> None:
    assert chosen() == ["web.4"]
    assert chosen(previous=True) == ["web.2"]
    assert chosen(kinds=("ready",)) == ["web.3"]


def test_runs_of_some_time_are_those_that_may_have_printed_then() -> None:
    assert chosen(since_s=NOW_S - 18) == ["web.2", "web.4"], "what a run left behind may print after its end"
    assert chosen(since_s=NOW_S - 10) == ["web.4"]
    assert chosen(since_s=NOW_S - 85, until_s=NOW_S - 30) == ["web.1", "web.2"]


def test_a_run_is_named_by_its_id_its_beginning_or_its_number() -> None:
    assert chosen(run="3") == chosen(run="web.3") == ["web.3"]
    with pytest.raises(NotFound, match="may be one of 4 runs"):
        chosen(run="web.")
    with pytest.raises(NotFound, match='there is no run "web"'):
        chosen(run="web")
