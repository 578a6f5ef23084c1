"""Drives a supervisor with gitpod-sdk 0.11: sdk_0_11.py SCENARIO ARGUMENTS. Prints one JSON object.

Runs in the client's own environment. Base URL and token are where the client looks for them, in the environment.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from gitpod import APIStatusError, AsyncGitpod
from gitpod.lib import run_command, run_service, wait_for_environment_running

Result = dict[str, Any]


class Watcher:
    """Collects events from the moment it is made; what they are about is looked at when it is asked for."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._came = asyncio.Event()
        self.events: list[tuple[str, str, str]] = []
        self._task = asyncio.create_task(self._collect())

    @classmethod
    async def start(cls, client: AsyncGitpod, environment_id: str) -> Watcher:
        return cls(await client.events.watch(environment_id=environment_id))

    async def until(self, look: Callable[[], Awaitable[Any]]) -> Any:
        """Look after every event until there is something to see."""
        while not (found := await look()):
            await self._came.wait()
            self._came.clear()
        return found

    async def deleted(self, *ids: str) -> None:
        """Wait until it was told of each that it is deleted."""

        async def look() -> bool:
            return set(ids) <= {id_ for operation, _, id_ in self.events if operation.endswith("DELETE")}

        await self.until(look)

    async def stop(self) -> list[list[str]]:
        """Stop watching. Returns the events as operation, type, id; without the prefixes of the enums."""
        self._task.cancel()
        await self._stream.http_response.aclose()
        return [
            [operation.removeprefix("RESOURCE_OPERATION_"), kind.removeprefix("RESOURCE_TYPE_"), id_]
            for operation, kind, id_ in self.events
        ]

    async def _collect(self) -> None:
        async for event in self._stream:
            self.events.append((event.operation, event.resource_type, event.resource_id))
            self._came.set()


async def commands(client: AsyncGitpod, environment_id: str, arguments: Result) -> Result:
    """`run_command` for one command after the other."""
    ran = []
    for command in arguments["commands"]:
        lines = [line async for line in await run_command(client, environment_id, command)]
        (execution, *_) = (await client.environments.automations.tasks.executions.list()).task_executions
        ran.append({"lines": lines, "phase": execution.status.phase, "why": execution.status.failure_message})
    tasks = (await client.environments.automations.tasks.list()).tasks
    executions = (await client.environments.automations.tasks.executions.list()).task_executions
    return {"ran": ran, "tasks": [dump(task) for task in tasks], "executions": len(executions)}


async def service(client: AsyncGitpod, environment_id: str, arguments: Result) -> Result:
    """`run_service` twice at the same time; then the service is stopped, which ends both streams."""

    async def start() -> AsyncIterator[str]:
        return await run_service(client, environment_id, arguments["metadata"], arguments["spec"])

    first, again = await start(), await start()
    head = [await anext(first) for _ in range(arguments["count"])]
    (found,) = (await client.environments.automations.services.list()).services
    await client.environments.automations.services.stop(id=found.id)
    rest = [line async for line in first]
    return {"head": head, "rest": rest, "again": [line async for line in again], "service": dump(found)}


async def services(client: AsyncGitpod, environment_id: str, arguments: Result) -> Result:
    """A service's life through every method."""
    api = client.environments.automations.services
    watcher = await Watcher.start(client, environment_id)
    created = (
        await api.create(
            environment_id=environment_id, metadata=arguments["metadata"], spec=arguments["spec"]
        )
    ).service
    id_ = created.id

    async def reached(phase: str) -> Any:
        async def look() -> Any:
            found = (await api.retrieve(id=id_)).service
            return found if found.status.phase == f"SERVICE_PHASE_{phase}" else None

        return await watcher.until(look)

    await api.update(id=id_, metadata=arguments["newMetadata"])
    await api.update(id=id_, spec=arguments["newSpec"])
    updated = (await api.retrieve(id=id_)).service
    by_reference = await api.list(filter={"references": [created.metadata.reference]})
    by_other = await api.list(filter={"references": ["other"], "environment_ids": [environment_id]})
    await api.start(id=id_)
    running = await reached("RUNNING")
    refused = await refusal(api.update(id=id_, spec=arguments["newSpec"]))
    await api.stop(id=id_)
    stopped = await reached("STOPPED")
    await api.delete(id=id_)

    await watcher.deleted(id_)
    return {
        "created": dump(created),
        "updated": dump(updated),
        "running": dump(running),
        "stopped": dump(stopped),
        "byReference": [found.id for found in by_reference.services or []],
        "byOther": [found.id for found in by_other.services or []],
        "refused": refused,
        "gone": await refusal(api.retrieve(id=id_)),
        "left": [found.id for found in (await api.list()).services or []],
        "events": await watcher.stop(),
    }


async def tasks(client: AsyncGitpod, environment_id: str, arguments: Result) -> Result:
    """A task, one that depends on it, and their executions, through every method."""
    api = client.environments.automations.tasks
    watcher = await Watcher.start(client, environment_id)
    first = (
        await api.create(
            environment_id=environment_id,
            metadata={"reference": "first", "name": "First", "triggered_by": [{"manual": True}]},
            spec={"command": "echo before"},
        )
    ).task
    second = (
        await api.create(
            environment_id=environment_id,
            depends_on=[first.id],
            metadata={"reference": "second", "name": "Second", "description": "comes later"},
            spec={"command": "echo second", "env": [{"name": "NAME", "value": "value"}]},
        )
    ).task
    await api.update(id=first.id, metadata={"name": "Primero"}, spec={"command": "echo first"})

    async def reached(execution_id: str, phase: str) -> Any:
        async def look() -> Any:
            found = (await api.executions.retrieve(id=execution_id)).task_execution
            return found if found.status.phase == f"TASK_EXECUTION_PHASE_{phase}" else None

        return await watcher.until(look)

    started = (await api.start(id=second.id)).task_execution
    succeeded = await reached(started.id, "SUCCEEDED")
    await api.update(id=second.id, spec={"command": "sleep 1000"})
    endless = (await api.start(id=second.id)).task_execution
    await reached(endless.id, "RUNNING")
    running = await api.executions.list(filter={"phases": ["TASK_EXECUTION_PHASE_RUNNING"]})
    await api.executions.stop(id=endless.id)
    stopped = await reached(endless.id, "STOPPED")
    of_second = await api.executions.list(filter={"task_references": ["second"]})
    refused = await refusal(api.delete(id=first.id))
    await api.delete(id=second.id)
    await api.delete(id=first.id)
    await watcher.deleted(first.id, second.id)
    return {
        "first": dump(first),
        "second": dump(second),
        "succeeded": dump(succeeded),
        "stopped": dump(stopped),
        "running": [found.id for found in running.task_executions],
        "ofSecond": [found.id for found in of_second.task_executions],
        "refused": refused,
        "gone": await refusal(api.retrieve(id=first.id)),
        "left": [found.id for found in (await api.list()).tasks or []],
        "events": await watcher.stop(),
    }


async def pages(client: AsyncGitpod, environment_id: str, arguments: Result) -> Result:
    """More tasks than one page holds: page by page, and as the client pages by itself."""
    api = client.environments.automations.tasks
    for number in range(arguments["count"]):
        metadata = {"reference": f"task-{number}", "name": f"Task {number}"}
        await api.create(environment_id=environment_id, metadata=metadata, spec={"command": "true"})
    by_hand, token = [], ""
    while True:
        page = await api.list(pagination={"page_size": 10, "token": token})
        by_hand.append([task.metadata.reference for task in page.tasks])
        token = page.pagination.next_token if page.pagination else ""
        if not token:
            break
    by_itself = []
    async for task in api.list():
        by_itself.append(task.metadata.reference)
        if len(by_itself) > 2 * arguments["count"]:
            break  # it would go on for ever
    in_query = await api.list(page_size=7)
    return {
        "byHand": by_hand,
        "byItself": by_itself,
        "inQuery": [task.metadata.reference for task in in_query.tasks],
    }


async def environment(client: AsyncGitpod, environment_id: str, arguments: Result) -> Result:
    """What is not automations: the environment, its tokens, who one is."""
    api = client.environments
    await wait_for_environment_running(client, environment_id)
    watcher = await Watcher.start(client, environment_id)
    await api.update(environment_id=environment_id, metadata={"name": "named by a client"})
    seen = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    await api.mark_active(
        environment_id=environment_id, activity_signal={"source": "editor", "timestamp": seen}
    )

    async def active() -> Any:
        found = (await api.retrieve(environment_id=environment_id)).environment
        return found if found.status.activity_signal else None

    found = await watcher.until(active)
    upserted = await api.automations.upsert(environment_id=environment_id, automations_file=arguments["file"])
    logs = AsyncGitpod(bearer_token=(await api.create_logs_token(environment_id=environment_id)).access_token)
    return {
        "environment": dump(found),
        "upserted": dump(upserted),
        "services": [dump(s) for s in (await api.automations.services.list()).services],
        "tasks": [dump(t) for t in (await api.automations.tasks.list()).tasks],
        "identity": dump(await client.identity.get_authenticated_identity()),
        "withLogsToken": await refusal(logs.environments.automations.tasks.list()),
        "events": await watcher.stop(),
    }


async def errors(client: AsyncGitpod, environment_id: str, arguments: Result) -> Result:
    """What the client makes of refusals."""
    client = client.with_options(max_retries=0)
    api = client.environments.automations.tasks
    metadata = {"reference": "one", "name": "One"}
    await api.create(environment_id=environment_id, metadata=metadata, spec={"command": "true"})
    nobody = client.with_options(bearer_token="nonsense")
    return {
        "not_found": await refusal(api.retrieve(id=environment_id)),
        "already_exists": await refusal(
            api.create(environment_id=environment_id, metadata=metadata, spec={"command": "true"})
        ),
        "invalid_argument": await refusal(api.retrieve(id="no-uuid")),
        "unauthenticated": await refusal(nobody.environments.automations.tasks.list()),
        "unimplemented": await refusal(client.environments.delete(environment_id=environment_id)),
        "not_found of a stream": await refusal(client.events.watch(environment_id="nowhere")),
    }


async def refusal(call: Awaitable[Any]) -> Result | None:
    """How a call was refused; None if it was not."""
    try:
        await call
    except APIStatusError as error:
        body = error.body if isinstance(error.body, dict) else {"code": None, "message": str(error.body)}
        return {"status": error.status_code, "class": type(error).__name__, **body}
    return None


def dump(model: Any) -> Any:
    """A model as JSON has it, by the wire's names."""
    return model.to_dict(mode="json")


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (commands, service, services, tasks, pages, environment, errors)
}


async def main() -> None:
    scenario, arguments = sys.argv[1], json.loads(sys.argv[2])
    async with AsyncGitpod() as client:
        found = await asyncio.wait_for(SCENARIOS[scenario](client, arguments["environmentId"], arguments), 25)
    print(json.dumps(found))


asyncio.run(main())
