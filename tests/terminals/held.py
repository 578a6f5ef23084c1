"""A holder of a test's own, its client, and what a test says to a shell and sees of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from supervisor.host.proc import process_tree
from supervisor.host.runs import termination
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.work_place import MachinePlace
from supervisor.terminals.holder_client import HolderClient, TerminalStream
from supervisor.terminals.holder_protocol import Head, NewShell
from supervisor.terminals.terminal_maker import TerminalMaker

PATIENCE_S = 20.0
_LONGEST = 1000
"""Of a text that is waited for: to look at all that was printed each time would take minutes for a flood."""


class Scene:
    """A state directory, and what works on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = HolderClient(folder)
        base = {"PATH": os.environ["PATH"], "HOME": str(folder), "SHELL": "/bin/sh", "PS1": "$ "}
        base |= {name: value for name, value in os.environ.items() if name.startswith("SUPERVISOR_TEST")}
        self.maker = TerminalMaker(MachinePlace(CommandEnvironment(base, str(folder))), folder / "runs")

    async def made(self, shell: str = "sh", **fields: object) -> NewShell:
        """A terminal that runs."""
        new = self.maker.new_shell(shell, **fields)  # type: ignore[arg-type]
        self.pid = await self.client.create(new)
        return new

    async def end(self) -> None:
        """Nothing may be left."""
        holders = await self.client.drain()
        runs = str(self.maker.runs)
        await termination.kill_all(lambda: process_tree.strays(runs, (), [holder.pid for holder in holders]))
        for holder in holders:
            await holder.close(PATIENCE_S)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    it = Scene(folder)
    try:
        yield it
    finally:
        await it.end()


async def printed(stream: TerminalStream, until: Callable[[bytes], object]) -> bytes:
    """Read until the end of what was printed meets the condition; returns all of it."""
    found = bytearray()
    with anyio.fail_after(PATIENCE_S):
        async for head, body in stream:
            assert "data" in head, (head, bytes(found[-500:]))
            found += body
            if until(bytes(found[-len(body) - _LONGEST :])):
                break
    return bytes(found)


async def rest(stream: TerminalStream) -> tuple[bytes, Head]:
    """Read to the end; what was printed, and how it ended."""
    found, end = bytearray(), Head()
    with anyio.fail_after(PATIENCE_S):
        async for head, body in stream:
            found += body
            end = head
    stream.close()
    return bytes(found), end


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
