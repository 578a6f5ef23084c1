"""Logs behind a real server on loopback. Records are put as a test wants them, files are written as commands do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientResponse, ClientSession, TCPConnector, web

from supervisor.api.logs.log_routes import routes
from supervisor.core.records import Records
from supervisor.hub import Change, Hub
from supervisor.model.ids import ExecutionId, RunId, ServiceId, StepId, TaskId
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import (
    Execution,
    Passed,
    PlanStep,
    Record,
    Service,
    ServiceStep,
    Source,
    TaskStep,
    plan_of,
)
from supervisor.model.shared_sequence import EMPTY
from supervisor.model.spec import ServiceItem, ServiceSpec, TaskSpec
from supervisor.model.states import AtRest, Running, ServiceSession
from supervisor.model.step_states import NO_STEPS, StepState, StepStates

T = TypeVar("T")
DEADLINE_S = 30.0
WEB = "11111111-1111-4111-8111-111111111111"
BUILD = "22222222-2222-4222-8222-222222222222"


def within_deadline(body: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test's body on a loop of its own."""

    async def run() -> T:
        async with asyncio.timeout(DEADLINE_S):
            return await body()

    return asyncio.run(run())


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - of descriptors and tasks nobody tells
        await asyncio.sleep(0.002)


class Scene:
    """A world with logs."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.runs = state / "runs"
        self.runs.mkdir()
        self.hub = Hub()
        self.records = Records()
        self.secrets: set[str] = set()

    def values(self) -> set[str]:
        return self.secrets

    def put(self, record: Service | Execution) -> None:
        before: Record | None
        if isinstance(record, Service):
            before = self.records.services.get(record.id)
            self.records.services[record.id] = record
        else:
            before = self.records.executions.get(record.id)
            self.records.executions[record.id] = record
        self.hub.publish([Change(before, record)])

    def log(self, run_id: str) -> Path:
        (self.runs / run_id).mkdir(exist_ok=True)
        return self.runs / run_id / "log"

    def write(self, run_id: str, data: bytes) -> None:
        fd = os.open(self.log(run_id), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def service(self, run: int | None = 1, live: bool = True, kept: tuple[int, ...] = (1,)) -> str:
        """A service whose newest run is number `run`; returns that run's id."""
        run_id = f"{WEB}.{run}" if run is not None else None
        item = ServiceItem("web", "web", ServiceSpec("serve"))
        kept_runs = tuple(RunId(f"{WEB}.{number}") for number in kept) if run is not None else ()
        session = None if run_id is None else ServiceSession("session", item.spec, RunId(run_id))
        state = Running(session) if session is not None and live else AtRest(session)
        self.put(Service(ServiceId(WEB), item, Source.API, 0.0, state=state, kept_runs=kept_runs))
        return run_id or ""

    def ended(self, data: bytes) -> str:
        """A service whose only run has ended."""
        run_id = self.service(live=False)
        self.write(run_id, data)
        return run_id

    def execution(self, *groups: str) -> None:
        """An execution with a group for each word list, `a b` is two tasks side by side, `@db` a service."""
        plan = plan_of(tuple(_step(word) for word in group.split()) for group in groups)
        phase = ExecutionPhase.RUNNING
        self.put(
            Execution(ExecutionId(BUILD), TaskId("task"), "task", "manual", "firing", plan, 0.0, phase=phase)
        )

    def begin(self, *references: str) -> None:
        self._set(references, ExecutionPhase.RUNNING)

    def finish(self, *references: str) -> None:
        self._set(references, ExecutionPhase.SUCCEEDED)

    def over(self, phase: ExecutionPhase = ExecutionPhase.FAILED) -> None:
        """The execution ends; what has not run never will."""
        self.put(replace(self.records.executions[ExecutionId(BUILD)], phase=phase))

    def _set(self, references: tuple[str, ...], phase: ExecutionPhase) -> None:
        execution = self.records.executions[ExecutionId(BUILD)]
        steps = execution.steps
        for reference in references:
            steps[StepId(f"step-{reference}")] = StepState(phase, RunId(f"run-{reference}"))
        named = {f"step-{reference}" for reference in references}
        last = max(at for at, group in enumerate(execution.plan) if named & {step.id for step in group})
        for step in [step for group in execution.plan.cut(last) for step in group]:
            if steps[step.id].phase is ExecutionPhase.PENDING:
                steps[step.id] = StepState(ExecutionPhase.SUCCEEDED)
        passed: Passed = EMPTY
        for group in execution.plan:
            states = tuple(steps[step.id] for step in group)
            if any(state.phase is not ExecutionPhase.SUCCEEDED for state in states):
                break
            passed = passed.grown(states, f"{BUILD}/{passed.size}")
        now = execution.plan[passed.size] if passed.size < len(execution.plan) else ()
        current = StepStates((step.id, steps[step.id]) for step in now)
        if all(state.phase is ExecutionPhase.PENDING for state in current.values()):
            current = NO_STEPS
        self.put(replace(execution, group=passed.size, passed=passed, current=current))


def _step(word: str) -> PlanStep:
    if word.startswith("@"):
        return ServiceStep(StepId(f"step-{word[1:]}"), word[1:], (), ServiceId(WEB))
    return TaskStep(StepId(f"step-{word}"), word, (), TaskId(f"task-{word}"), TaskSpec("work"))


@dataclass
class Site:
    """The server's address, and a client of it."""

    scene: Scene
    session: ClientSession
    port: int
    base: str = field(init=False)

    def __post_init__(self) -> None:
        self.base = f"http://127.0.0.1:{self.port}"
        self.web = f"/logs/services/{WEB}"
        self.build = f"/logs/executions/{BUILD}"

    async def get(self, path: str, status: int = 200, **headers: str) -> bytes:
        """The whole body."""
        async with self.ask(path, **headers) as response:
            assert response.status == status, await response.text()
            return await response.read()

    async def encoded(self, path: str, media_type: str) -> bytes:
        """The whole body, in another encoding."""
        return await self.get(path, Accept=media_type)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Any:
        return self.session.request(
            method,
            self.base + path,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    async def connect(self, path: str, **options: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection, its request sent. `limit`: how much the client keeps unread."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return reader, writer


@asynccontextmanager
async def serving(scene: Scene) -> AsyncIterator[Site]:
    app = web.Application()
    app.add_routes(routes(scene.records, scene.hub, scene.runs, scene))
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            yield Site(scene, session, runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def read_until(response: ClientResponse, end: bytes) -> bytes:
    """What comes until `end` has come."""
    got = b""
    while end not in got:
        data = await response.content.readany()
        assert data, f"the stream ended after {got[-200:]!r}"
        got += data
    return got


@dataclass
class Event:
    """A server-sent event, as a browser gets it."""

    data: str
    id: str
    type: str = "message"


def events(body: bytes) -> list[Event]:
    """Parse a stream as the HTML standard says."""
    found, last_id = [], ""
    for block in body.decode().split("\n\n")[:-1]:
        data, kind = [], "message"
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name == "id":
                last_id = value
            elif name == "event":
                kind = value
        if data:
            found.append(Event("\n".join(data), last_id, kind))
    return found
