"""The ring of what changed last: what is kept, what is not, and how much memory that takes."""

from __future__ import annotations

import json
import time
import tracemalloc
from dataclasses import replace
from typing import Any

from supervisor.boot.recent_changes import KEPT, REASON_CHARACTERS, RecentChanges
from supervisor.hub import Change, Hub
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.model.ids import EnvironmentId, ExecutionId, OperationId, RunId, ServiceId, TaskId
from supervisor.model.moment import Now
from supervisor.model.operation_record import EndReason, Operation, OperationEnded
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import Environment, Execution, Record, Service, Source, Task, TaskRun
from supervisor.model.shared_sequence import EMPTY
from supervisor.model.states import AtRest, ProbeReport, ProbeRun, RunEnded, Starting
from tests.core import playbook

WEB = Service(ServiceId("s"), playbook.service("web"), Source.FILE, 0.0)
BUILD = Task(TaskId("t"), playbook.task("build"), Source.FILE, 0.0)


class Ring:
    """A hub with a ring that reads a clock which goes on by a second with each reading."""

    def __init__(self, kept: int = KEPT) -> None:
        self.hub = Hub()
        self.now_s = 100.0
        self.recent = RecentChanges(self.hub, self, kept)

    def now(self) -> Now:
        self.now_s += 1.0
        return Now(0.0, self.now_s)

    def changes(self, *changes: tuple[Record | None, Record | None]) -> list[dict[str, Any]]:
        """What the ring tells once these were published in one step."""
        self.hub.publish([Change(before, after) for before, after in changes])
        told: list[dict[str, Any]] = self.recent.as_json()["changes"]
        return told


def test_every_change_of_a_phase_is_told_in_order_also_within_one_step() -> None:
    starting = replace(WEB, state=Starting(playbook.SESSION, report=ProbeReport("waits for its probe")))
    told = Ring().changes((None, WEB), (WEB, starting), (starting, None))

    assert told == [
        {
            "time": 101.0, "kind": "service", "id": "s", "reference": "web",
            "before": None, "after": "stopped", "reason": "",
        },
        {
            "time": 102.0, "kind": "service", "id": "s", "reference": "web",
            "before": "stopped", "after": "starting", "reason": "waits for its probe",
        },
        {
            "time": 103.0, "kind": "service", "id": "s", "reference": "web",
            "before": "starting", "after": None, "reason": "waits for its probe",
        },
    ]  # fmt: skip


def test_each_kind_of_record_is_told() -> None:
    run = TaskRun(RunId("r"), TaskId("t"), "build", "f", BUILD.item.spec)
    ended = replace(run, state=RunEnded(ExitCode(7)))
    execution = Execution(ExecutionId("e"), TaskId("t"), "build", "manual", "f", EMPTY, 0.0)
    failed = replace(execution, phase=ExecutionPhase.FAILED, reason='step "build" exited 7')
    call = Operation(RunId("o"), OperationId("call 1"), "echo pl4nted", "", "", 0.0, 0.0)
    cancelled = replace(call, state=OperationEnded(ExitSignal(15), 5.0, EndReason.CANCEL))
    environment = Environment(EnvironmentId("n"), 0.0)
    broken = replace(environment, file_presence="DISCOVERED", file_failure="a: TOKEN=pl4nted")
    edited = replace(BUILD, spec_version=2)

    told = Ring().changes(
        (run, ended),
        (call, cancelled),
        (cancelled, None),
        (execution, failed),
        (environment, broken),
        (BUILD, edited),
        (edited, None),
    )

    assert [(each["kind"], each["before"], each["after"], each["reason"]) for each in told] == [
        ("run", "live", "ended", "exited 7"),
        ("operation", "live", "ended", "was killed by SIGTERM"),
        ("execution", "pending", "failed", 'step "build" exited 7'),
        ("environment", "absent", "discovered", "the automations file is refused"),
        ("task", "known", "known", "edited"),
        ("task", "known", None, ""),
    ]


def test_an_operation_goes_by_what_its_client_calls_it() -> None:
    call = Operation(RunId("o"), OperationId("call 1"), "echo pl4nted", "", "/pl4nted", 0.0, 0.0)
    (told,) = Ring().changes((None, call))

    assert (told["id"], told["reference"]) == ("o", "call 1")
    assert "pl4nted" not in json.dumps(told)


def test_what_nobody_would_look_for_is_not_kept() -> None:
    noisy = replace(playbook.SESSION, output={"A": "b"})
    waits = replace(WEB, state=Starting(playbook.SESSION))
    run = TaskRun(RunId("r"), TaskId("t"), "build", "f", BUILD.item.spec)

    assert (
        Ring().changes(
            (WEB, replace(WEB, state=AtRest(noisy, tail="pl4nted"))),
            (waits, replace(waits, state=Starting(playbook.SESSION, probe=ProbeRun(RunId("p"))))),
            (run, None),
        )
        == []
    )


def test_only_the_last_changes_are_kept_and_the_others_counted() -> None:
    ring = Ring(kept=3)
    told = ring.changes(*((None, replace(WEB, id=ServiceId(str(number)))) for number in range(10)))

    assert [each["id"] for each in told] == ["7", "8", "9"]
    assert ring.recent.as_json()["forgotten"] == 7


def test_ring_is_small_and_quick() -> None:
    ring = Ring()
    failed = [
        Change(WEB, replace(WEB, id=ServiceId(f"{number:036}"), state=AtRest(failure=f"{number}" * 10_000)))
        for number in range(4 * KEPT)
    ]
    tracemalloc.start()
    ring.hub.publish(failed)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    began = time.process_time()
    ring.hub.publish(failed)
    spent_s = time.process_time() - began

    assert kept_bytes < 300 * KEPT + 50_000, "worst case: every reason as long as it may be"
    assert spent_s / len(failed) < 100e-6
    assert len(json.dumps(ring.recent.as_json())) < KEPT * (250 + REASON_CHARACTERS)
