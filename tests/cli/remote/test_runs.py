"""The runs of a running supervisor, and their logs by run id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.responses import Json, RequestRefused
from tests.cli.running import Running
from tests.e2e.harness import until


def log(client: Client, run: Json) -> bytes:
    with client.log(f"runs/{run['id']}", follow=True) as pieces:
        return b"".join(pieces)


def item_id(running: Running, kind: str, reference: str) -> str:
    rows = [row.get("task", row) for row in running.json(kind, "list")]
    (found,) = (row["id"] for row in rows if row["metadata"]["reference"] == reference)
    return str(found)


def test_runs_of_a_task_have_times_an_end_and_a_log(running: Running) -> None:
    running.cli("run-task", "seven")
    running.cli("run-task", "seven")
    client = Client(str(running.socket))

    newer, older = client.runs(item_id(running, "task", "seven"))

    for run in (newer, older):
        assert (run["reference"], run["kind"]) == ("seven", "task")
        assert (run["end"], run["exitStatus"]) == ("exited 7", 7)
        assert run["sizeBytes"] == run["keptBytes"] == len("will fail\n")
        began, ended = (datetime.fromisoformat(run[name]) for name in ("startedAt", "endedAt"))
        assert run["startedAt"].endswith("Z")
        assert began <= ended <= datetime.now(UTC) + timedelta(seconds=1)
        assert log(client, run) == b"will fail\n"
    assert newer["startedAt"] >= older["startedAt"]
    assert [run["reference"] for run in client.runs()] == ["seven", "build", "seven", "build"]


def test_run_of_a_service_that_lives_has_no_end_and_an_earlier_one_has(running: Running) -> None:
    running.ready()
    running.out("service", "start", "web", "--wait")
    running.out("service", "restart", "web", "--wait")
    client = Client(str(running.socket))

    newer, older = [run for run in client.runs(item_id(running, "service", "web")) if run["kind"] == "start"]

    assert (newer["end"], newer["endedAt"], newer["exitStatus"]) == ("", None, None)
    assert (older["end"], older["exitStatus"]) == ("was killed by SIGTERM", 143)
    assert log(client, older) == b"hello\n"
    follower = running.project.program("service", "stop", "web", "--wait")
    assert log(client, newer) == b"hello\n"  # followed to its end
    assert follower.wait() == 0


def test_what_the_last_probe_and_stop_command_printed_is_kept(running: Running) -> None:
    running.edit("""
services:
  db:
    name: Db
    commands:
      start: exec sleep 1000
      ready: "echo looking; [ -e ready ] || { echo no socket; exit 1; }"
      stop: "echo asking; echo refused; exit 3"
""")
    client = Client(str(running.socket))
    running.out("service", "start", "db")
    db = item_id(running, "service", "db")
    until(lambda: [run for run in client.runs(db) if run["end"] == "exited 1"], "a probe that fails")
    (probe,) = [run for run in client.runs(db) if run["kind"] == "ready"]
    assert log(client, probe) == b"looking\nno socket\n"
    running.ready()
    running.out("service", "start", "db", "--wait")
    assert running.cli("service", "stop", "db", "--wait").err.endswith("stop command exited 3: refused\n")

    stop, probe, start = client.runs(db)

    assert [run["kind"] for run in (stop, probe, start)] == ["stop", "ready", "start"]
    assert (probe["end"], log(client, probe)) == ("exited 0", b"looking\n")
    assert (stop["end"], log(client, stop)) == ("exited 3", b"asking\nrefused\n")
    notes = b"supervisor: asking\nsupervisor: stop command exited 3: refused\n"
    assert log(client, start).endswith(notes)
    folders = sorted(path.name for path in (running.project.state / "runs").glob(f"{db}.*"))
    assert folders == sorted(run["id"] for run in (stop, start))


def test_what_there_is_not_is_not_found(running: Running) -> None:
    client = Client(str(running.socket))

    with pytest.raises(RequestRefused, match='cannot find run "x": there is none with this id') as refused:
        log(client, {"id": "x"})
    assert refused.value.code == "not_found"
    with pytest.raises(RequestRefused, match='cannot find service or task "x"') as refused:
        client.runs("x")
    assert refused.value.code == "not_found"
