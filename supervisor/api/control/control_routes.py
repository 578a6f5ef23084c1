"""The supervisor's own routes below /control: what the command line needs and the platform's API has no method for.

    GET  /control/status            what this supervisor is, and what it waits for
    GET  /control/executions/{id}   how an execution ended, as an exit status
    GET  /control/steps             {"steps"}: the tasks that ran last as a step of another task's execution
    GET  /control/runs?id=ITEM_ID   {"runs"}: the runs of a service or task that are kept, without an id those of all
    GET  /control/operations        see `control_operations`, which has two more
    GET  /control/recent            what changed last in this supervisor, for a support bundle
    GET  /control/activity          what keeps the environment awake, and the last signals
    POST /control/trigger           {"name"}: fire a trigger
    POST /control/restart           {"id"}: restart a service
    POST /control/update            {"content", "dryRun"}: an edit of the file: its text; null: the workspace's file
                                    {"content", "dryRun", "source": "api", "replace"}: add and change items
    POST /control/token             {"scope", "ttlSeconds"}
    POST /control/keep-alive        {"pid", "startTicks", "source"}: stay awake while that process lives
    POST /control/resumed           {}: the runner reports that the machine was resumed
    POST /control/upgrade           {}: the program on the disk takes the place of this one, in the same process
    POST /control/shutdown          {"detach", "graceSeconds"}

JSON in and out, errors as everywhere. They are for callers that may do everything: the Unix socket, or a token of scope
environment; a token of scope logs reads logs alone (`access_policy`). An upgrade is for the owner of the process. No
promise is made to other programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from connect_server.connect_errors import Code, ConnectError
from connect_server.http.access import caller
from supervisor import __version__
from supervisor.activity.activity import Activity
from supervisor.activity.keep_alive import SOURCE
from supervisor.api.control.control_body import Body, handler
from supervisor.api.control.control_runs import runs_json
from supervisor.api.control.control_status import execution_json, steps_json
from supervisor.api.http.access_policy import LIFETIMES_S, Scope, TokenMint
from supervisor.api.supervisor_handle import SupervisorHandle
from supervisor.config import Loaded, load_bytes
from supervisor.core import queries
from supervisor.core.items.diff import Changes, upsert
from supervisor.core.kept_runs import records_of_runs
from supervisor.core.plans.triggers import may_fire, started_by
from supervisor.engine import Engine
from supervisor.host.proc import worker_threads
from supervisor.model.command import Drain, FireTrigger, RestartService, UpsertFile
from supervisor.model.errors import Precondition
from supervisor.model.ids import ExecutionId, ServiceId, fresh
from supervisor.model.record import Source
from supervisor.model.spec import Trigger

LONGEST_TTL_S = 366 * 24 * 3600.0
LONGEST_GRACE_S = 24 * 3600.0


class Control:
    """The handlers."""

    def __init__(
        self,
        engine: Engine,
        activity: Activity,
        supervisor: SupervisorHandle,
        mint: TokenMint,
        grace_s: float,
        run_folder: Path,
    ) -> None:
        """`grace_s`: of a shutdown that names none; `run_folder`: the one that holds the run directories."""
        self._engine = engine
        self._activity = activity
        self._supervisor = supervisor
        self._mint = mint
        self._grace_s = grace_s
        self._run_folder = run_folder

    def routes(self) -> list[web.RouteDef]:
        """The routes, for `Server`."""
        return [
            web.get("/control/status", self._status),
            web.get("/control/executions/{id}", self._execution),
            web.get("/control/steps", self._steps),
            web.get("/control/runs", self._runs),
            web.get("/control/recent", self._recent),
            web.get("/control/activity", self._explain_activity),
            web.post("/control/trigger", handler(self._trigger, "name")),
            web.post("/control/restart", handler(self._restart, "id")),
            web.post("/control/update", handler(self._update, "content", "dryRun", "source", "replace")),
            web.post("/control/token", handler(self._token, "scope", "ttlSeconds")),
            web.post("/control/keep-alive", handler(self._keep_alive, "pid", "startTicks", "source")),
            web.post("/control/resumed", handler(self._resumed)),
            web.post("/control/upgrade", handler(self._upgrade)),
            web.post("/control/shutdown", handler(self._shutdown, "detach", "graceSeconds")),
        ]

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._supervisor.status())

    async def _execution(self, request: web.Request) -> web.Response:
        execution = queries.execution(self._engine.world.records, ExecutionId(request.match_info["id"]))
        return web.json_response(execution_json(execution))

    async def _trigger(self, body: Body) -> dict[str, Any]:
        """Fire a trigger. Answers what it started, not what ran already."""
        names = [trigger.value for trigger in Trigger if trigger is not Trigger.MANUAL]
        trigger = Trigger(body.word("name", names))
        records = self._engine.world.records
        if not may_fire(records, trigger):
            raise Precondition(
                f'cannot fire "{trigger.value}": the filter of this environment (--trigger-filter) does not let it'
            )
        executions = set(records.executions)
        service_ids, _ = started_by(records, trigger)
        sessions = {id_: records.services[id_].session for id_ in service_ids}
        self._engine.submit(FireTrigger(trigger, fresh()))
        made = [execution for id_, execution in records.executions.items() if id_ not in executions]
        started = [records.services[id_] for id_ in service_ids if id_ in records.services]
        return {
            "executions": [{"id": execution.id, "reference": execution.reference} for execution in made],
            "services": [
                {"id": service.id, "reference": service.item.reference}
                for service in started
                if service.session != sessions[service.id]
            ],
        }

    async def _restart(self, body: Body) -> dict[str, Any]:
        self._engine.submit(RestartService(ServiceId(body.text("id")), fresh()))
        return {}

    async def _update(self, body: Body) -> dict[str, Any]:
        content, dry_run = body.bytes_or_null("content"), body.flag("dryRun")
        source = Source(body.word("source", [source.value for source in Source], Source.FILE.value))
        replace = body.flag("replace")
        if replace and source is not Source.API:
            raise ConnectError(Code.INVALID_ARGUMENT, 'field "replace" needs "source" to be "api"')
        if source is Source.API:
            body.text("content")  # must be there: without it "replace" would remove everything
            path, loaded, changes = await self._upsert(content or b"", replace, dry_run)
        else:
            path, loaded, changes = await self._supervisor.update_file(content, dry_run)
        return {
            "path": path,
            "dryRun": dry_run,
            "changes": None if changes is None else _lists(changes),
            "problems": [problem.as_json() for problem in loaded.problems],
        }

    async def _upsert(
        self, content: bytes, replace: bool, dry_run: bool
    ) -> tuple[str, Loaded, Changes | None]:
        loaded = await worker_threads.run(load_bytes, content)
        if loaded.file is None:
            return "", loaded, None
        records = self._engine.world.records
        changes = upsert(loaded.file, records, replace)
        if not dry_run:
            self._engine.submit(UpsertFile(loaded.file, fresh(), replace))
        return "", loaded, changes

    async def _token(self, body: Body) -> dict[str, Any]:
        scope = Scope(body.word("scope", [scope.value for scope in Scope], Scope.ENVIRONMENT.value))
        ttl_s = body.number("ttlSeconds", 1.0, LONGEST_TTL_S, LIFETIMES_S[scope])
        return {"token": self._mint.mint(scope, ttl_s), "scope": scope.value, "ttlSeconds": ttl_s}

    async def _shutdown(self, body: Body) -> dict[str, Any]:
        detach = body.flag("detach")
        grace_s = body.number("graceSeconds", 0.0, LONGEST_GRACE_S, self._grace_s)
        if self._engine.world.records.draining and not detach:
            self._engine.submit(Drain(grace_s))  # a second request with less grace is in a hurry
        self._supervisor.end(grace_s, detach)
        return {}

    async def _steps(self, _request: web.Request) -> web.Response:
        return web.json_response({"steps": steps_json(self._engine.world.records)})

    async def _runs(self, request: web.Request) -> web.Response:
        item_id = request.query.get("id", "")
        found = records_of_runs(self._engine.world.records, item_id)
        body = await worker_threads.run(lambda: runs_json(self._run_folder, found.runs(item_id)))
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    async def _recent(self, _request: web.Request) -> web.Response:
        return web.json_response(self._supervisor.recent_changes())

    async def _explain_activity(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._activity.explain())

    async def _keep_alive(self, body: Body) -> dict[str, Any]:
        """`startTicks`: when the process began, as the caller sees it; null: it did not look."""
        pid, source = body.whole("pid"), body.text_or_null("source")
        start_ticks = None if body.absent("startTicks") else body.whole("startTicks")
        made = self._activity.keep_alive(pid, SOURCE if source is None else source, start_ticks)
        return {"pid": made.process.pid, "startTicks": made.process.start_ticks, "source": made.source}

    async def _resumed(self, _body: Body) -> dict[str, Any]:
        """Answers whether postEnvironmentStart was fired."""
        return {"fired": self._supervisor.on_resume_report()}

    async def _upgrade(self, _body: Body) -> dict[str, Any]:
        """For the owner of the process alone: it executes whatever stands on the disk then.

        Answered once that program has passed its self-check. To see how the rest goes a client asks for the status
        until another `instance` answers.
        """
        if not caller().owns_process:
            raise ConnectError(
                Code.PERMISSION_DENIED,
                "an upgrade is for root and the supervisor's own user, on its Unix socket and without a token",
            )
        return {"from": __version__, "to": await self._supervisor.upgrade()}


def _lists(changes: Changes) -> dict[str, list[str]]:
    names = ("added", "removed", "restarted", "updated", "unchanged")
    return {name: list(getattr(changes, name)) for name in names}
