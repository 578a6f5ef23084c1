"""The control routes over a real socket, with an engine whose machine starts everything at once and ends nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from connect_server.http.access import Access
from connect_server.http.server import Server
from connect_server.http.tokens import Tokens
from supervisor import __version__
from supervisor.activity.activity import Activity
from supervisor.api.control.control_routes import Control
from supervisor.api.control.control_status import status_json
from supervisor.api.http.access_policy import PROGRAM, AccessPolicy, Scope, TokenMint, host_policy, issuer
from supervisor.api.http.sockets import Sockets
from supervisor.api.supervisor_handle import Endpoints
from supervisor.boot.automations.automations_file import Automations
from supervisor.boot.run_settings import Settings
from supervisor.boot.service_manager import ServiceManager
from supervisor.config import Loaded, load_bytes
from supervisor.core.items.diff import Changes
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.proc import clock
from supervisor.host.proc.notify import Notifier
from supervisor.host.proc.process import find
from supervisor.hub import Hub
from supervisor.model.action import Action, Spawn
from supervisor.model.command import ApplyFile, StartService, StartTask, StopExecution
from supervisor.model.exit import Exit, ExitCode, ExitSignal, NotStarted
from supervisor.model.fact import EnvironmentStarted, Exited, Started
from supervisor.model.ids import EnvironmentId, ExecutionId, ServiceId, TaskId, fresh
from supervisor.model.record import Record, Service, Task
from supervisor.model.spec import Trigger
from tests.activity.fakes import Memory
from tests.api.idle_supervisor import IdleSupervisor
from tests.clocks import HandClock
from tests.core.playbook import SEED

FILE = """
services:
  web: {name: Web, triggeredBy: [postMachineStart], commands: {start: serve}}
  api: {name: Api, commands: {start: serve, ready: probe}}
tasks:
  build: {name: Build, command: make, triggeredBy: [postMachineStart, prebuild]}
"""
RECENT = {"forgotten": 1, "changes": [{"kind": "service", "before": None, "after": "stopped"}]}
Answer = tuple[int, Any]


class Silent:
    """Tells nobody."""

    def loaded(self, name: str, loaded: Loaded) -> None:
        pass

    def applied(self, changes: Changes) -> None:
        pass

    def notice(self, text: str) -> None:
        pass


class Bench(IdleSupervisor):
    """What the routes need, and a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spawned: list[Spawn] = []
        self.ended: list[tuple[float, bool]] = []
        self.clock = HandClock(1.0, 1_700_000_000.0)
        self.engine = Engine(World(), self, Hub(), self.clock)
        self.engine.performer = self
        self.engine.post(EnvironmentStarted(EnvironmentId(SEED)))
        self.engine.turn()
        self.activity = Activity(self.engine.world, Memory(), "a boot", clock)
        self.tokens = Tokens(b"k" * 32, issuer(SEED))
        self.automations = Automations(
            Settings(folder),
            self.engine,
            Silent(),
            None,
            ServiceManager(Notifier(), self.engine),
            begins=True,
        )

    def perform(self, action: Action) -> None:
        if isinstance(action, Spawn):
            self.spawned.append(action)
            self.engine.post(Started(action.run_id, 1))

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        pass

    def apply(self, text: str = FILE) -> None:
        loaded = load_bytes(text.encode()).file
        assert loaded is not None
        self.engine.submit(ApplyFile(loaded, fresh()))

    def id(self, reference: str) -> str:
        records = self.engine.world.records
        items: list[Service | Task] = [*records.services.values(), *records.tasks.values()]
        return next(item.id for item in items if item.item.reference == reference)

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, b"", {})

    def post(self, path: str, **fields: Any) -> Answer:
        return self.send(path, json.dumps(fields).encode())

    def send(self, path: str, body: bytes, **headers: str) -> Answer:
        return self._ask("POST", path, body, headers)

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        return anyio.run(partial(self._serve, method, path, body, headers))

    async def status(self) -> dict[str, Any]:
        socket = str(self.folder / "api.sock")
        endpoints = Endpoints(SEED, str(self.folder), socket, "", self.clock.mono_s - 60.0)
        return status_json(self.engine, endpoints) | {"activity": await self.activity.explain()}

    async def update_file(self, content: bytes | None, dry_run: bool) -> tuple[str, Loaded, Changes | None]:
        return await self.automations.update(content, dry_run)

    def end(self, grace_s: float, detach: bool) -> None:
        self.ended.append((grace_s, detach))

    def recent_changes(self) -> dict[str, Any]:
        return RECENT

    async def _serve(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        socket = self.folder / "api.sock"
        control = Control(self.engine, self.activity, self, TokenMint(self.tokens), 30.0, self.folder)
        server = Server(
            PROGRAM,
            Sockets(socket, None),
            Access(PROGRAM, self.tokens, AccessPolicy(SEED), host_policy()),
            control.routes(),
        )
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            connector = aiohttp.UnixConnector(path=str(socket))
            async with (
                aiohttp.ClientSession("http://localhost", connector=connector) as session,
                session.request(method, path, data=body or None, headers=headers) as response,
            ):
                answer = response.status, await response.json()
            group.cancel_scope.cancel()
        return answer


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_status_tells_what_there_is_and_what_is_waited_for(bench: Bench) -> None:
    bench.apply()
    bench.engine.submit(StartService(ServiceId(bench.id("web")), fresh()))
    bench.engine.submit(StartService(ServiceId(bench.id("api")), fresh()))
    bench.engine.submit(StartTask(TaskId(bench.id("build")), fresh()))
    bench.clock.mono_s, bench.clock.wall_s = 6.0, bench.clock.wall_s + 5.0

    status, answer = bench.get("/control/status")

    assert status == 200
    assert answer["pid"] == os.getpid()
    assert answer["environmentId"] == SEED
    assert answer["workspace"] == str(bench.folder)
    assert answer["uptimeSeconds"] == 60
    assert answer["services"] == {"running": 1, "starting": 1}
    assert answer["executions"] == {"running": 1}
    assert answer["tasks"] == 1
    assert answer["draining"] is False
    assert {(item["kind"], item["reference"], item["seconds"]) for item in answer["waitingFor"]} == {
        ("service", "api", 5.0),
        ("task", "build", 5.0),
    }


def test_status_names_what_has_failed(bench: Bench) -> None:
    bench.apply()
    bench.engine.submit(StartTask(TaskId(bench.id("build")), fresh()))
    bench.engine.post(Exited(bench.spawned[-1].run_id, ExitCode(7)))
    bench.engine.turn()

    _, answer = bench.get("/control/status")

    assert [(item["kind"], item["reference"]) for item in answer["failed"]] == [("task", "build")]
    assert "exited 7" in answer["failed"][0]["why"]


@pytest.mark.parametrize(
    ("end", "status", "phase"),
    [
        (ExitCode(0), 0, "succeeded"),
        (ExitCode(7), 7, "failed"),
        (ExitSignal(9), 137, "failed"),
        (NotStarted("no such image"), 126, "failed"),
    ],
    ids=repr,
)
def test_execution_tells_its_exit_status(bench: Bench, end: Exit, status: int, phase: str) -> None:
    bench.apply()
    execution = fresh()
    bench.engine.submit(StartTask(TaskId(bench.id("build")), execution))

    assert bench.get(f"/control/executions/{execution}")[1]["exitStatus"] is None
    bench.engine.post(Exited(bench.spawned[-1].run_id, end))
    bench.engine.turn()

    _, answer = bench.get(f"/control/executions/{execution}")
    assert (answer["exitStatus"], answer["phase"], answer["reference"]) == (status, phase, "build")


def test_execution_that_was_stopped_has_the_status_of_ctrl_c(bench: Bench) -> None:
    bench.apply()
    execution = fresh()
    bench.engine.submit(StartTask(TaskId(bench.id("build")), execution))
    bench.engine.submit(StopExecution(ExecutionId(execution)))
    bench.engine.post(Exited(bench.spawned[-1].run_id, ExitSignal(15)))
    bench.engine.turn()

    _, answer = bench.get(f"/control/executions/{execution}")

    assert (answer["exitStatus"], answer["phase"]) == (130, "stopped")


def test_execution_that_there_is_not_is_not_found(bench: Bench) -> None:
    status, answer = bench.get("/control/executions/nonsense")

    assert (status, answer["code"]) == (404, "not_found")
    assert 'cannot find task execution "nonsense"' in answer["message"]


def test_trigger_that_the_filter_does_not_let_fire_is_refused(bench: Bench) -> None:
    bench.apply()
    bench.engine.post(EnvironmentStarted(EnvironmentId(SEED), (Trigger.POST_ENVIRONMENT_START,)))
    bench.engine.turn()

    status, answer = bench.post("/control/trigger", name="postMachineStart")

    assert (status, answer["code"]) == (400, "failed_precondition")
    assert "--trigger-filter" in answer["message"]
    assert bench.spawned == []


def test_trigger_starts_items_and_tells_which(bench: Bench) -> None:
    bench.apply()

    status, answer = bench.post("/control/trigger", name="postMachineStart")

    assert status == 200
    assert answer["services"] == [{"id": bench.id("web"), "reference": "web"}]
    (execution,) = answer["executions"]
    assert execution["reference"] == "build"
    record = bench.engine.world.records.executions[execution["id"]]
    assert record.started_by == "postMachineStart"

    _, again = bench.post("/control/trigger", name="postMachineStart")
    assert again["services"] == []  # it runs
    assert [item["reference"] for item in again["executions"]] == ["build"]


def test_restart_gives_a_service_a_new_session(bench: Bench) -> None:
    bench.apply()
    bench.engine.submit(StartService(ServiceId(bench.id("web")), fresh()))
    before = bench.engine.world.records.services[ServiceId(bench.id("web"))].session

    assert bench.post("/control/restart", id=bench.id("web")) == (200, {})

    assert bench.engine.world.records.services[ServiceId(bench.id("web"))].session != before


def test_update_with_a_text_applies_it(bench: Bench) -> None:
    bench.apply()
    text = "services: {web: {name: Web, commands: {start: other}}, new: {name: New, commands: {start: x}}}"

    status, dry = bench.post("/control/update", content=text, dryRun=True)

    assert status == 200
    assert dry["changes"] == {
        "added": ["new"],
        "removed": ["api", "build"],
        "restarted": [],
        "updated": ["web"],
        "unchanged": [],
    }
    assert len(bench.engine.world.records.services) == 2  # nothing was done

    _, done = bench.post("/control/update", content=text)
    assert done["changes"] == dry["changes"]
    assert {s.item.reference for s in bench.engine.world.records.services.values()} == {"web", "new"}


def test_update_with_a_bad_text_names_the_problems_and_changes_nothing(bench: Bench) -> None:
    bench.apply()

    status, answer = bench.post("/control/update", content="tasks: {a: {name: A, comand: x}}")

    assert (status, answer["changes"]) == (200, None)
    assert any('"comand"' in problem["message"] for problem in answer["problems"])
    assert len(bench.engine.world.records.tasks) == 1


def test_update_takes_any_bytes_as_python_writes_them_in_json(bench: Bench) -> None:
    _, answer = bench.post("/control/update", content=b"tasks: \xff".decode("utf-8", "surrogateescape"))

    assert answer["changes"] is None
    assert "UTF-8" in answer["problems"][0]["message"]


def test_update_with_half_a_surrogate_pair_is_refused(bench: Bench) -> None:
    status, answer = bench.post("/control/update", content="tasks: \ud800")

    assert (status, answer["code"]) == (400, "invalid_argument")
    assert "half a surrogate pair" in answer["message"]


def test_update_without_a_text_reads_the_workspaces_file(bench: Bench) -> None:
    assert bench.post("/control/update")[0] == 404

    (bench.folder / "automations.yaml").write_text(FILE)
    _, first = bench.post("/control/update", content=None)
    assert first["changes"]["added"] == ["web", "api", "build"]
    assert first["path"] == str(bench.folder / "automations.yaml")

    # What the API made of it meanwhile stays: the file says what it said.
    bench.post("/control/update", content="tasks: {build: {name: B, command: other}}", source="api")
    _, nothing = bench.post("/control/update")
    assert nothing["changes"]["unchanged"] == ["web", "api", "build"]
    assert bench.engine.world.records.tasks[TaskId(bench.id("build"))].item.spec.command == "other"


def test_update_for_the_api_adds_and_changes_and_removes_only_if_it_replaces(bench: Bench) -> None:
    bench.apply()
    one, two = (f"tasks: {{{name}: {{name: New, command: x}}}}" for name in ("one", "two"))

    _, first = bench.post("/control/update", content=one, source="api")
    assert (first["changes"]["added"], first["changes"]["removed"]) == (["one"], [])
    _, tried = bench.post("/control/update", content=two, source="api", replace=True, dryRun=True)
    _, second = bench.post("/control/update", content=two, source="api", replace=True)
    assert tried["changes"] == second["changes"]
    assert (second["changes"]["added"], second["changes"]["removed"]) == (["two"], ["one"])
    assert sorted(t.item.reference for t in bench.engine.world.records.tasks.values()) == ["build", "two"]

    status, answer = bench.post("/control/update", content=two, replace=True)
    assert (status, answer["message"]) == (400, 'field "replace" needs "source" to be "api"')
    status, answer = bench.post("/control/update", source="api", replace=True)
    assert (status, answer["message"]) == (400, 'field "content" is missing')
    assert len(bench.engine.world.records.tasks) == 2


def test_token_has_scope_and_life(bench: Bench) -> None:
    _, answer = bench.post("/control/token", scope="logs", ttlSeconds=60)
    assert bench.tokens.check(answer["token"]).scope == Scope.LOGS

    _, answer = bench.post("/control/token")
    assert bench.tokens.check(answer["token"]).scope == Scope.ENVIRONMENT
    assert answer["ttlSeconds"] == 24 * 3600


def test_shutdown_ends_the_supervisor(bench: Bench) -> None:
    assert bench.post("/control/shutdown") == (200, {})
    assert bench.post("/control/shutdown", graceSeconds=2)[0] == 200
    assert bench.post("/control/shutdown", detach=True)[0] == 200

    assert bench.ended == [(30.0, False), (2.0, False), (30.0, True)]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("trigger", b"{}", '"name" is missing'),
        ("trigger", b'{"name": "manual"}', '"name" must be one of postMachineStart'),
        ("trigger", b'{"name": 1}', '"name" must be a string'),
        ("trigger", b'{"name": "prebuild", "x": 1}', '"x" is unknown here; known are name'),
        ("restart", b"{}", '"id" is missing'),
        ("restart", b'{"\\ud800": 1}', '"?" is unknown here'),
        ("update", b'{"content": 7}', '"content" must be a string'),
        ("update", b'{"dryRun": "yes"}', '"dryRun" must be true or false'),
        ("token", b'{"scope": "all"}', '"scope" must be one of environment, logs'),
        ("token", b'{"ttlSeconds": true}', '"ttlSeconds" must be a number'),
        ("token", b'{"ttlSeconds": 0}', '"ttlSeconds" must be between'),
        ("token", b'{"ttlSeconds": NaN}', '"ttlSeconds" must be between'),
        ("token", b'{"ttlSeconds": 1%s}' % (b"0" * 400), '"ttlSeconds" must be between'),
        ("shutdown", b'{"graceSeconds": -1}', '"graceSeconds" must be between'),
        ("shutdown", b'{"detach": 1}', '"detach" must be true or false'),
        ("shutdown", b"[]", "must be a JSON object"),
        ("shutdown", b"{", "cannot read the body as JSON"),
        ("shutdown", b"\xff", "cannot read the body as JSON"),
        ("shutdown", b"[" * 100_000, "cannot read the body as JSON"),
    ],
)
def test_bad_body_is_refused_by_name(bench: Bench, path: str, body: bytes, named: str) -> None:
    status, answer = bench.send(f"/control/{path}", body)

    assert (status, answer["code"]) == (400, "invalid_argument")
    assert named in answer["message"]
    assert bench.ended == []


def test_id_that_is_no_unicode_is_not_found(bench: Bench) -> None:
    assert bench.send("/control/restart", b'{"id": "\\ud800"}')[0] == 404


def test_token_of_scope_logs_controls_nothing(bench: Bench) -> None:
    token = bench.tokens.mint(Scope.LOGS, 60.0)

    status, _ = bench.send("/control/shutdown", b"{}", Authorization=f"Bearer {token}")

    assert (status, bench.ended) == (403, [])


def test_recent_changes_are_for_whoever_may_do_everything(bench: Bench) -> None:
    token = bench.tokens.mint(Scope.LOGS, 60.0)

    assert bench.get("/control/recent") == (200, RECENT)
    assert bench.send("/control/recent", b"", Authorization=f"Bearer {token}")[0] == 403
    assert bench._ask("GET", "/control/recent", b"", {"Authorization": f"Bearer {token}"})[0] == 403


def test_activity_is_explained(bench: Bench) -> None:
    bench.apply()
    bench.activity.report("VS Code")
    bench.engine.submit(StartTask(TaskId(bench.id("build")), fresh()))

    status, answer = bench.get("/control/activity")

    assert status == 200
    assert [(seen["kind"], seen["source"]) for seen in answer["sources"] if seen["kind"] != "ssh"] == [
        ("execution", "Automations"),
        ("reported", "VS Code"),
    ]
    assert (answer["awake"], answer["heartbeat"]) == (True, None)
    assert bench.get("/control/status")[1]["activity"]["awake"] is True


def test_process_keeps_awake(bench: Bench) -> None:
    own = find(os.getpid())
    assert own is not None

    status, answer = bench.post(
        "/control/keep-alive", pid=own.pid, startTicks=own.start_ticks, source="Nightly"
    )

    assert (status, answer) == (200, {"pid": own.pid, "startTicks": own.start_ticks, "source": "Nightly"})
    assert bench.post("/control/keep-alive", pid=own.pid)[1]["source"] == "Keep-alive"
    sources = bench.get("/control/activity")[1]["sources"]
    assert [seen["source"] for seen in sources if seen["kind"] == "keep-alive"] == ["Keep-alive"]


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({}, 400, "invalid_argument", 'field "pid" is missing'),
        ({"pid": "1"}, 400, "invalid_argument", 'field "pid" must be a whole number'),
        ({"pid": 1.5}, 400, "invalid_argument", 'field "pid" must be a whole number'),
        ({"pid": True}, 400, "invalid_argument", 'field "pid" must be a whole number'),
        ({"pid": 0}, 404, "not_found", "cannot stay awake for process 0: there is none with this id"),
        ({"pid": -(10**40)}, 404, "not_found", "there is none with this id"),
        ({"pid": 1, "startTicks": -5}, 404, "not_found", "sees another one by this id"),
        (
            {"pid": 1, "startTicks": "now"},
            400,
            "invalid_argument",
            'field "startTicks" must be a whole number',
        ),
        (
            {"pid": 1, "source": "ab"},
            400,
            "invalid_argument",
            "a source has 3 to 80 characters, and this one has 2",
        ),
        ({"pid": 1, "source": "x" * 81}, 400, "invalid_argument", "and this one has 81"),
        ({"pid": 1, "source": ""}, 400, "invalid_argument", "and this one has 0"),
        ({"pid": 1, "name": "abc"}, 400, "invalid_argument", 'field "name" is unknown here'),
    ],
)
def test_keep_alive_that_cannot_be_is_refused_with_a_sentence(
    bench: Bench, fields: dict[str, Any], status: int, code: str, message: str
) -> None:
    answer = bench.post("/control/keep-alive", **fields)

    assert (answer[0], answer[1]["code"]) == (status, code)
    assert message in answer[1]["message"]


def test_resume_that_the_runner_reports_may_fire(bench: Bench) -> None:
    assert bench.post("/control/resumed") == (200, {"fired": True})
    assert bench.post("/control/resumed", when=1)[0] == 400


def test_upgrade_is_for_the_owner_of_the_process(bench: Bench) -> None:
    assert bench.post("/control/upgrade") == (200, {"from": __version__, "to": "2.0"})
    token = bench.tokens.mint(Scope.ENVIRONMENT, 60.0)
    status, answer = bench.send("/control/upgrade", b"{}", Authorization=f"Bearer {token}")
    assert (status, answer["code"]) == (403, "permission_denied")
