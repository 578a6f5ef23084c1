"""A worker of a test's own, as the supervisor has it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import anyio
from google.protobuf.message import Message

from platform_wire import environmentopts_pb2 as pb
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.work_place import MachinePlace
from supervisor.workspace.worker_client import Room, WorkerClient

PATIENCE_S = 30.0


class WorkerBench:
    """Calls a worker."""

    def __init__(self, client: WorkerClient) -> None:
        self.client = client

    async def call(self, method: str, **fields: Any) -> Any:
        """The answer. Raises OpsError."""
        request: Message = getattr(pb, f"{method}Request")(**fields)
        kind = getattr(pb, f"{method}Response")
        async with self.client.call(method, "proto") as call:
            await call.send(request.SerializeToString())
            await call.finish()
            size, data = await call.answer()
            while len(data) < size:
                data += await call.more()
        return kind.FromString(data)

    async def workers(self) -> list[int]:
        """The pids of the workers that live, as children of this process."""
        return [pid for pid in children(os.getpid()) if b"worker_start.py" in command_line(pid)]


@asynccontextmanager
async def working(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    idle_s: float = 60.0,
    room: Room = nullcontext,
) -> AsyncIterator[WorkerBench]:
    """A client of a worker for the time of a test."""
    place = MachinePlace(CommandEnvironment(dict(os.environ) if environ is None else environ, str(folder)))
    client = WorkerClient(place, room, idle_s)
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.run)
            yield WorkerBench(client)
            tasks.cancel_scope.cancel()


def children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        except OSError:
            continue
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def with_slow_git(folder: Path, path: str) -> dict[str, str]:
    """Variables with which git sleeps, with a child that does so, too. `path`: where programs are looked for."""
    programs = folder / "bin"
    programs.mkdir()
    git = programs / "git"
    git.write_text('#!/bin/sh\nsleep 600 &\ntouch "$0.runs"\nwait\n')
    git.chmod(0o755)
    (folder / ".git").mkdir()
    return {"PATH": f"{programs}:{path}"}
