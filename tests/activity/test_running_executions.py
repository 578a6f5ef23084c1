"""Task executions are activity while they run, and nothing else in the records is."""

from __future__ import annotations

from supervisor.activity.running_executions import running
from supervisor.activity.sighting import Kind, Sighting
from supervisor.core.records import Records
from supervisor.lean.frozen import replace
from supervisor.model.moment import Instant
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Execution, Service, Source
from supervisor.model.shared_sequence import EMPTY
from tests.core import playbook

NOW = Instant(1000.0, 50_000.0)
BUILD = Execution(
    "e1",
    "t1",
    "build",
    "manual",
    "f",
    EMPTY,
    49_000.0,
    phase=ExecutionPhase.RUNNING,
    started_s=49_100.0,
    born=1,
)


def test_running_executions_are_one_sighting_since_the_eldest() -> None:
    test = replace(BUILD, id="e2", reference="test", started_s=49_900.0, born=2)
    assert list(running(Records([BUILD, test]), NOW)) == [
        Sighting(Kind.EXECUTION, "Automations", "tasks build, test", 100.0, 1000.0)
    ]


def test_many_are_named_in_part() -> None:
    executions = [replace(BUILD, id=name, reference=name, born=n + 1) for n, name in enumerate("abcde")]
    (seen,) = running(Records(executions), NOW)
    assert seen.detail == "tasks a, b, c and 2 more"


def test_what_waits_or_is_over_is_no_activity() -> None:
    for phase in ExecutionPhase:
        found = list(running(Records([replace(BUILD, phase=phase)]), NOW))
        assert bool(found) == (phase is ExecutionPhase.RUNNING)


def test_services_are_no_activity() -> None:
    for phase in ServicePhase:
        service = Service("s", playbook.service("web"), Source.FILE, 0.0, state=playbook.STATES[phase])
        assert list(running(Records([service]), NOW)) == []


def test_wall_clock_that_was_set_back_gives_no_age_below_zero() -> None:
    (seen,) = running(Records([replace(BUILD, started_s=99_000.0)]), NOW)
    assert seen.since_s == 1000.0
