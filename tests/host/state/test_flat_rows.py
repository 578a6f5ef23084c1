"""Services and task runs as version 2 of the database kept them are read as what they were.

The fixture has rows that the landed version 04e4ae5 wrote in random histories, and what it itself said of each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.core.recovery import inherited
from supervisor.core.state_machines.service import deadline
from supervisor.core.world import World
from supervisor.host.state.codec import to_json
from supervisor.host.state.database import MIGRATIONS
from supervisor.host.state.flat_rows import with_state
from supervisor.host.state.record_reader import from_plain
from supervisor.host.state.store import Store
from supervisor.lean.sqlite import sqlite
from supervisor.model.exit import ExitCode, ExitSignal, ExitUnknown
from supervisor.model.fact import Exited
from supervisor.model.ids import RunId, TaskId
from supervisor.model.moment import Now
from supervisor.model.phase import ServicePhase
from supervisor.model.record import Service, TaskRun
from supervisor.model.spec import TaskSpec
from supervisor.model.states import RunEnded, RunLive, RunState, RunStopping, Starting

ROOT = Path(__file__).resolve().parents[3]
ROWS: list[dict[str, Any]] = json.loads((ROOT / "fixtures/state/services-of-version-2.json").read_text())


def test_every_phase_has_rows() -> None:
    assert {row["phase"] for row in ROWS} == {phase.value for phase in ServicePhase} - {"deleted"}


@pytest.mark.parametrize("known", ROWS, ids=lambda known: f"{known['phase']}-{known['row']['revision']}")
def test_row_is_read_as_what_it_was(known: dict[str, Any]) -> None:
    service = from_plain(Service, with_state("Service", known["row"]))

    assert (service.phase.value, service.want.value) == (known["phase"], known["want"])
    assert service.reason == known["reason"]
    assert (service.ran_session, service.log_run) == (known["ranSession"], known["logRun"])
    assert dict(service.output) == known["output"]
    paused = [service.probe] if known["row"].get("probe_at") is not None else []
    assert list(service.live_runs) == [*known["live"], *paused]
    # The shim keeps the times of probes, which a supervisor did then.
    if not isinstance(service.state, Starting):
        assert deadline(service) == known["deadline"]
    assert service.revision == known["row"]["revision"]
    found = inherited(Records([service]))
    told = [None if one.ending is None else type(one.ending).__name__ for one in found]
    assert [
        [one.spawn.run_id, one.spawn.script, one.wanted, told] for one, told in zip(found, told, strict=True)
    ] == [*known["inherited"], *([run_id, "probe", True, None] for run_id in paused)]


@pytest.mark.parametrize("known", ROWS, ids=lambda known: f"{known['phase']}-{known['row']['revision']}")
def test_service_of_such_a_row_goes_on_until_nothing_of_it_lives(known: dict[str, Any]) -> None:
    world = World([from_plain(Service, with_state("Service", known["row"]))], 10**6)
    (id_,) = world.records.services
    for _ in range(9):
        service = world.records.services.get(id_)
        if service is None or service.at_rest:
            break
        world.step([Exited(run_id, ExitUnknown()) for run_id in service.live_runs], Now(0.0, 0.0))

    assert known["want"] != "gone" or id_ not in world.records.services
    assert known["want"] == "up" or queries.is_at_rest(world.records)


def test_database_of_version_2_is_read_and_gone_on_with(tmp_path: Path) -> None:
    connection = sqlite.connect(tmp_path / "db")
    connection.executescript("".join(MIGRATIONS[:2]) + "; PRAGMA user_version = 2")
    rows = {known["row"]["id"]: known["row"] for known in ROWS}
    for id_, row in rows.items():
        values = (id_, "Service", row["revision"], json.dumps(row))
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?)", values)
    connection.commit()
    connection.close()
    store = Store(tmp_path / "db")
    loaded, _ = store.load()

    assert {service.id: service.phase.value for service in loaded if isinstance(service, Service)} == {
        id_: row["phase"] for id_, row in rows.items()
    }
    store.save(loaded, [])
    assert sorted(store.load()[0], key=to_json) == sorted(loaded, key=to_json)
    store.close()


def test_row_of_now_says_phase_and_reason_to_who_reads_it_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    failed = next(known for known in ROWS if known["phase"] == "failed")
    service = from_plain(Service, with_state("Service", failed["row"]))
    store.save([service], [])
    (body,) = store._connection.execute("SELECT body FROM records").fetchone()
    store.close()

    assert (json.loads(body)["phase"], json.loads(body)["reason"]) == ("failed", service.reason)
    assert set(type(service).__match_args__) < json.loads(body).keys()


RUN = {"id": "r", "task_id": "t", "reference": "build", "firing": "f", "output": {"A": "b"}, "revision": 3}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"phase": "live", "kill_at": None, "exit": None}, RunLive()),
        ({"phase": "stopping", "kill_at": 7.5, "stopped": True}, RunStopping(7.5)),
        ({"phase": "stopping", "kill_at": None, "stopped": True, "killed": True}, RunStopping(None)),
        (
            {
                "phase": "ended",
                "exit": {"_": "ExitCode", "code": 7},
                "tail": "no\n",
                "stopped": False,
                "killed": False,
            },
            RunEnded(ExitCode(7), "no\n"),
        ),
        (
            {"phase": "ended", "exit": {"_": "ExitSignal", "number": 9}, "stopped": True, "killed": True},
            RunEnded(ExitSignal(9), "", stopped=True, killed=True),
        ),
    ],
)
def test_row_of_a_task_run_is_read_as_what_it_was(fields: dict[str, Any], state: RunState) -> None:
    row = {**RUN, "spec": {"_": "TaskSpec", "command": "make"}, **fields}

    run = from_plain(TaskRun, with_state("TaskRun", row))

    assert run == TaskRun(
        RunId("r"), TaskId("t"), "build", "f", TaskSpec("make"), state, {"A": "b"}, revision=3
    )


@pytest.mark.parametrize(
    ("state", "probe", "stop"),
    [
        ({"_": "Starting", "probe": {"_": "ProbeRun", "id": "web.2", "kill_at": 1.0}}, "web.2", None),
        ({"_": "Starting", "probe": {"_": "ProbePause", "until": 1.0}}, "web.3", None),
        ({"_": "Stopping", "kill_at": 1.0, "probe": "web.2", "stop": "web.3"}, "web.2", "web.3"),
        ({"_": "Running"}, None, None),
    ],
    ids=["a probe runs", "between two probes", "both", "neither"],
)
def test_row_that_is_older_than_the_last_probe_and_stop_names_those_that_live(
    state: dict[str, Any], probe: str | None, stop: str | None
) -> None:
    item = {"reference": "web", "name": "web", "spec": {"start": "serve", "ready": "probe", "stop": "halt"}}
    session = {"_": "ServiceSession", "id": "s", "spec": item["spec"], "run": "web.1"}
    row = {"id": "web", "item": item, "source": "api", "created_s": 0.0, "runs": 3, "want": "up"}
    row |= {"session": "s", "state": {**state, "session": session}, "kept_runs": ["web.1", "web.3"]}

    service = from_plain(Service, with_state("Service", row))

    assert (service.last_probe, service.last_stop) == (probe, stop)
    assert service.probe == probe
    assert service.kept_runs == (("web.1",) if stop else ("web.1", "web.3"))
    assert set(service.live_runs) <= set(service.directories)
    assert from_plain(Service, with_state("Service", json.loads(to_json(service)))) == service


def test_pause_between_two_probes_with_run_ids_of_their_own_goes_on_as_the_probes_of_the_last_one() -> None:
    item = {"reference": "web", "name": "web", "spec": {"start": "serve", "ready": "probe"}}
    session = {"_": "ServiceSession", "id": "s", "spec": item["spec"], "run": "web.1"}
    state = {"_": "Starting", "session": session, "probe": {"_": "ProbePause", "until": 1.0}}
    row = {"id": "web", "item": item, "source": "api", "created_s": 0.0, "runs": 3, "want": "up"}
    row |= {"session": "s", "state": state, "kept_runs": ["web.1"], "last_probe": "web.3", "last_stop": None}

    service = from_plain(Service, with_state("Service", row))

    assert (service.probe, service.last_probe) == ("web.3", "web.3")
