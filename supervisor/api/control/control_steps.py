"""`GET /control/steps`: the tasks that ran last as a step of another task's execution.

The platform's API lists executions, each of a task of its own; a task that only ever ran as a dependency has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.model.record import Execution


def routes(records: Records) -> list[web.RouteDef]:
    """The route. Answers `{"steps": {task id: {"executionId", "stepId", "reference", "startedBy", "phase", ...}}}`.

    `reference`: of the task whose execution it was; `at`: when that ended or, while it runs, began.
    """

    async def handle(_request: web.Request) -> web.Response:
        return web.json_response({"steps": dict(_steps(records))})

    return [web.get("/control/steps", handle)]


def _steps(records: Records) -> Iterator[tuple[str, dict[str, Any]]]:
    for task_id, execution, step_id in queries.steps_run_for_others(records):
        yield task_id, _step(execution, step_id)


def _step(execution: Execution, step_id: str) -> dict[str, Any]:
    group, _ = queries.step(execution, step_id)
    state = execution.step(group, step_id)
    at_s = execution.ended_s or execution.started_s or execution.created_s
    return {
        "executionId": execution.id,
        "stepId": step_id,
        "reference": execution.reference,
        "startedBy": execution.started_by,
        "phase": state.phase.value,
        "reason": state.reason,
        "at": datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds"),
    }
