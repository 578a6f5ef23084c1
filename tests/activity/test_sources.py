"""Reports of editors, and task executions: what counts as activity, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.activity.sighting import Sighting, SourceKind
from supervisor.activity.sources import MOST_EDITORS, EditorReports, operations, running
from supervisor.core.records import Records
from supervisor.model.errors import InvalidActivity
from supervisor.model.exit import ExitCode
from supervisor.model.ids import ExecutionId, OperationId, RunId, ServiceId, TaskId
from supervisor.model.moment import Instant
from supervisor.model.operation_record import Operation, OperationEnded
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Execution, Service, Source
from supervisor.model.shared_sequence import EMPTY
from tests.core import playbook

NOW = Instant(1000.0, 50_000.0)
BUILD = Execution(
    ExecutionId("e1"),
    TaskId("t1"),
    "build",
    "manual",
    "f",
    EMPTY,
    49_000.0,
    phase=ExecutionPhase.RUNNING,
    started_s=49_100.0,
    born=1,
)


def only(reports: EditorReports, now_s: float) -> Sighting:
    (found,) = reports.sightings(now_s)
    return found


def test_report_counts_for_as_long_as_the_next_may_take() -> None:
    reports = EditorReports(300)
    reports.add("VS Code", 10)
    assert only(reports, 309).seen_s == 10
    assert list(reports.sightings(310)) == []


def test_reports_of_one_source_are_one_sighting() -> None:
    reports = EditorReports(300)
    for at in range(1000):
        reports.add("VS Code", at / 10)
    assert (only(reports, 100).since_s, only(reports, 100).seen_s) == (0, 99.9)


def test_report_that_comes_a_little_late_goes_on_with_what_was() -> None:
    reports = EditorReports(300)
    for at in (0, 301, 610):
        reports.add("VS Code", at)
    assert only(reports, 611).since_s == 0
    reports.add("VS Code", 2000)
    assert only(reports, 2000).since_s == 2000


def test_sources_of_clients_without_number_are_not_all_remembered() -> None:
    reports = EditorReports(300)
    for number in range(MOST_EDITORS + 5):
        reports.add(f"editor {number}", number / 10)
    names = [seen.source for seen in reports.sightings(20)]
    assert len(names) == MOST_EDITORS
    assert names[0] == "editor 5"


def test_report_that_no_signal_can_carry_is_refused() -> None:
    reports = EditorReports(300)
    with pytest.raises(InvalidActivity, match="3 to 80 characters"):
        reports.add("vi", 0)
    assert list(reports.sightings(0)) == []


def test_running_executions_are_one_sighting_since_the_eldest() -> None:
    test = replace(BUILD, id=ExecutionId("e2"), reference="test", started_s=49_900.0, born=2)
    assert list(running(Records([BUILD, test]), NOW)) == [
        Sighting(SourceKind.EXECUTION, "Automations", "tasks build, test", 100.0, 1000.0)
    ]


def test_many_are_named_in_part() -> None:
    executions = [
        replace(BUILD, id=ExecutionId(name), reference=name, born=n + 1) for n, name in enumerate("abcde")
    ]
    (seen,) = running(Records(executions), NOW)
    assert seen.detail == "tasks a, b, c and 2 more"


def test_what_waits_or_is_over_is_no_activity() -> None:
    for phase in ExecutionPhase:
        found = list(running(Records([replace(BUILD, phase=phase)]), NOW))
        assert bool(found) == (phase is ExecutionPhase.RUNNING)


def test_running_operations_are_one_sighting_that_names_no_command() -> None:
    first = Operation(RunId("r1"), OperationId("build-17"), "make secret", "d", "", 0.0, 49_100.0, born=1)
    second = replace(first, id=RunId("r2"), operation_id=OperationId("other"), created_s=49_900.0, born=2)
    ended = replace(
        first, id=RunId("r3"), operation_id=OperationId("old"), state=OperationEnded(ExitCode(0), 1.0), born=3
    )
    assert list(operations(Records([first, second, ended]), NOW)) == [
        Sighting(SourceKind.OPERATION, "Exec", "operation build-17 and 1 more", 100.0, 1000.0)
    ]
    assert list(operations(Records([ended]), NOW)) == []


def test_services_are_no_activity() -> None:
    for phase in ServicePhase:
        service = Service(
            ServiceId("s"), playbook.service("web"), Source.FILE, 0.0, state=playbook.STATES[phase]
        )
        assert list(running(Records([service]), NOW)) == []


def test_wall_clock_that_was_set_back_gives_no_age_below_zero() -> None:
    (seen,) = running(Records([replace(BUILD, started_s=99_000.0)]), NOW)
    assert seen.since_s == 1000.0
