"""The supervisor's own routes below /control: what the command line needs and the platform's API has no method for.

    GET  /control/status            what this supervisor is, and what it waits for
    GET  /control/executions/{id}   how an execution ended, as an exit status
    POST /control/trigger           {"name"}: fire a trigger
    POST /control/restart           {"id"}: restart a service
    POST /control/update            {"content", "dryRun"}: an edit of the file: its text; null: what the workspace has
                                    {"content", "dryRun", "source": "api", "replace"}: add and change items
    POST /control/token             {"scope", "ttlSeconds"}
    POST /control/shutdown          {"detach", "graceSeconds"}

JSON in and out, errors as everywhere. They are for whoever may do everything: the Unix socket, or a token of scope
environment; `Access` lets a token of scope logs read logs alone. No promise is made to other programs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from supervisor.api.control.control_body import Body, read
from supervisor.api.control.control_status import execution_json
from supervisor.api.http.access_policy import LIFETIMES_S, Scope
from supervisor.api.http.early_status import Status
from supervisor.config import Loaded, load_bytes
from supervisor.core import queries
from supervisor.core.items.diff import Changes, upsert
from supervisor.core.plans.triggers import may_fire, started_by
from supervisor.engine import Engine
from supervisor.host.proc import worker_threads
from supervisor.lean.frozen import dataclass
from supervisor.model.command import Drain, FireTrigger, RestartService, UpsertFile
from supervisor.model.errors import Precondition
from supervisor.model.ids import fresh
from supervisor.model.record import Source
from supervisor.model.spec import Trigger

LONGEST_TTL_S = 366 * 24 * 3600.0
LONGEST_GRACE_S = 24 * 3600.0


UpdateFile = Callable[[bytes | None, bool], Awaitable[tuple[str, Loaded, Changes | None]]]
"""From a text, or None, and whether it is a dry run, to the file's path, the verdict on it, and what changes."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What the routes do beside commanding the engine."""

    mint: Callable[[Scope, float], str]
    """Makes a token that lives so many seconds."""
    update_file: UpdateFile
    """Carries out the workspace's automations file, or a text in its place, unless this is a dry run."""
    end: Callable[[float, bool], None]
    """Ends the supervisor: stops everything with so many seconds of grace first, or, if true, leaves it running."""
    grace_s: float = 30.0
    """What a shutdown has that does not say."""


class Control:
    """The handlers."""

    def __init__(self, engine: Engine, status: Status, hands: Hands) -> None:
        self._engine = engine
        self._tell = status
        self._hands = hands

    def routes(self) -> list[web.RouteDef]:
        """The routes, for `Server`."""
        return [
            web.get("/control/status", self._status),
            web.get("/control/executions/{id}", self._execution),
            web.post("/control/trigger", handler(self._trigger, "name")),
            web.post("/control/restart", handler(self._restart, "id")),
            web.post("/control/update", handler(self._update, "content", "dryRun", "source", "replace")),
            web.post("/control/token", handler(self._token, "scope", "ttlSeconds")),
            web.post("/control/shutdown", handler(self._shutdown, "detach", "graceSeconds")),
        ]

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._tell())

    async def _execution(self, request: web.Request) -> web.Response:
        execution = queries.execution(self._engine.world.records, request.match_info["id"])
        return web.json_response(execution_json(execution))

    async def _trigger(self, body: Body) -> dict[str, Any]:
        """Fire a trigger; tells what it started, not what ran already."""
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
        self._engine.submit(RestartService(body.text("id"), fresh()))
        return {}

    async def _update(self, body: Body) -> dict[str, Any]:
        content, dry_run = body.bytes_or_null("content"), body.flag("dryRun")
        source = Source(body.word("source", [source.value for source in Source], Source.FILE.value))
        replace = body.flag("replace")
        if replace and source is not Source.API:
            raise ConnectError(Code.INVALID_ARGUMENT, 'field "replace" needs "source" to be "api"')
        if source is Source.API:
            body.text("content")  # must be there: with "replace" nothing would mean to remove all
            path, loaded, changes = await self._upsert(content or b"", replace, dry_run)
        else:
            path, loaded, changes = await self._hands.update_file(content, dry_run)
        return {
            "path": path,
            "dryRun": dry_run,
            "changes": None if changes is None else _lists(changes),
            "problems": [
                {
                    "severity": problem.severity.value,
                    "line": problem.line,
                    "column": problem.column,
                    "path": problem.path,
                    "message": problem.message,
                    "hint": problem.hint,
                }
                for problem in loaded.problems
            ],
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
        return {"token": self._hands.mint(scope, ttl_s), "scope": scope.value, "ttlSeconds": ttl_s}

    async def _shutdown(self, body: Body) -> dict[str, Any]:
        detach = body.flag("detach")
        grace_s = body.number("graceSeconds", 0.0, LONGEST_GRACE_S, self._hands.grace_s)
        if self._engine.world.records.draining and not detach:
            self._engine.submit(Drain(grace_s))  # who asks again with less grace is in a hurry
        self._hands.end(grace_s, detach)
        return {}


def routes(engine: Engine, status: Status, hands: Hands) -> list[web.RouteDef]:
    """The routes below /control; see `Control`."""
    return Control(engine, status, hands).routes()


def handler(
    method: Callable[[Body], Awaitable[dict[str, Any]]], *fields: str
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A route's handler from a method that takes a body of these fields and gives the answer's."""

    async def handle(request: web.Request) -> web.Response:
        body = await read(request)
        body.only(*fields)
        return web.json_response(await method(body))

    return handle


def _lists(changes: Changes) -> dict[str, list[str]]:
    names = ("added", "removed", "restarted", "updated", "unchanged")
    return {name: list(getattr(changes, name)) for name in names}
