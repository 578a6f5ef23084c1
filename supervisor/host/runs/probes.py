"""The probes of services, as the machine knows them: what the shim's prober is asked for, and what it reports.

A run of the kind `ready` is all probes of a session. It is asked for once; the shim runs the command again and again
(`shim/prober` has the theory of operation), so one that fails as before costs the supervisor nothing. There is no run
directory: the end of the output is in the record.

| what happens | then |
|---|---|
| a report | `ProbeEnded`; `Exited` after the last one |
| one may have left a process behind | what carries the run's marker is killed, then the shim is asked to go on |
| no probe can be asked for: no shell, no shim | `ProbeEnded`, if that is new, and another attempt a second later |
| a shell does not find its script (126, 127) | the script is looked at, and made anew if somebody removed it |
| the shim is lost | what carries the marker is killed, and another shim is asked |
| `Kill` | the shim is asked to end them; a shim that does not answer is not waited for |
| a supervisor takes over | its shim is asked for the same again, and goes on; without it, as if it was lost |
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from supervisor.host.proc import process_tree
from supervisor.host.runs import exits, termination
from supervisor.host.runs.exits import TAIL_BYTES, TAIL_LINES
from supervisor.host.runs.outlets import FactBuffer, LoopWork
from supervisor.host.runs.spawn import command_line
from supervisor.host.runs.spawn.run_starter import Preparation
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.runs.spawn.shim_pool import ShimPool
from supervisor.lean.late import anyio
from supervisor.lean.typing import Protocol
from supervisor.model.action import PROBE_INTERVAL_S, PROBE_TIMEOUT_S, Inherited, Spawn
from supervisor.model.errors import SupervisorError
from supervisor.model.exit import SUCCESS, Exit, ExitCode, ExitUnknown, NotStarted
from supervisor.model.fact import Exited, ProbeEnded, Survivor
from supervisor.model.ids import RunId
from supervisor.model.spec import Docker
from supervisor.shim.probe_protocol import ProbeExited, ProbeRequest
from supervisor.shim.protocol import ExitStatus, SpawnFailed

_ANSWER_S = 2.0
"""How long the shim may take to end probes, before that is done without it."""
_NO_SCRIPT = (ExitCode(126), ExitCode(127))


class ShimAttendant(Protocol):
    """Sees to the shims after one was asked for something: the machine does."""

    def after_asking(self) -> None:
        """A new shim may have been started, and not all may be sent."""


class _Probes:
    """The probes of one session."""

    def __init__(self, spawn: Spawn) -> None:
        self.spawn = spawn
        self.client: ShimClient | None = None
        """The shim that was asked for them; None: none is."""
        self.request: ProbeRequest | None = None
        """What it was asked for."""
        self.refused = ""
        """Why none could be asked for, as last reported."""
        self.is_killed = False
        self.is_cleared = False
        """Whether what one left behind is being ended."""

    @property
    def in_container(self) -> bool:
        """Whether they run in a container, which outlives the client that started it."""
        return isinstance(self.spawn.runs_on, Docker)


class Probes:
    """The probes that are not over. All methods are called on the machine's thread."""

    def __init__(
        self,
        preparation: Preparation,
        shims: ShimPool,
        facts: FactBuffer,
        work: LoopWork,
        attendant: ShimAttendant,
    ) -> None:
        self._preparation = preparation
        self._shims = shims
        self._facts = facts
        self._work = work
        self._attendant = attendant
        self._live: dict[str, _Probes] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._live

    def start(self, spawn: Spawn) -> None:
        """Have a ready command run until it exits 0."""
        self._ask(self._noted(spawn))

    def adopt(self, inherited: Sequence[Inherited]) -> None:
        """Go on with the probes of an earlier supervisor, or end them."""
        held_by = self._shims.held_by
        for one in inherited:
            probes = self._noted(one.spawn)
            probes.is_killed = not one.wanted
            if held_by is None or not self._shims.is_current(held_by):
                self._work.soon(self._ask_when_cleared, probes)
                continue
            probes.client = held_by
            if probes.is_killed:
                self._end(probes)
            else:
                self._ask(probes)

    def kill(self, run_id: str) -> None:
        """End probes, also the one that runs. `Exited` follows."""
        probes = self._live.get(run_id)
        if probes is not None and not probes.is_killed:
            probes.is_killed = True
            if not probes.is_cleared:
                self._end(probes)

    def take(self, report: ProbeExited) -> None:
        """Take what a shim reports."""
        probes = self._live.get(report.run_id)
        if probes is None or probes.client is None:
            return
        end = _exit(report, probes.request)
        if report.end is not None:
            self._facts.post(_fact(report, end))
        if report.left or (probes.is_killed and probes.in_container):
            probes.is_cleared = True
            self._work.soon(self._clear, probes, report.over, end)
        elif report.over:
            self._over(probes, end)
        elif end in _NO_SCRIPT:
            self._ask(probes)

    def lose(self, client: ShimClient) -> None:
        """A shim is gone."""
        for probes in self._live.values():
            if probes.client is client:
                probes.client = None
                if not probes.is_cleared:
                    self._work.soon(self._ask_when_cleared, probes)

    # One session ---------------------------------------------------------------------------------------------------

    def _noted(self, spawn: Spawn) -> _Probes:
        probes = self._live[spawn.run_id] = _Probes(spawn)
        self._preparation.probed[spawn.run_id] = spawn.script
        return probes

    def _ask(self, probes: _Probes) -> None:
        """Ask for probes, or to go on with them."""
        try:
            request = self._request(probes.spawn)
            client = self._shims.current()
        except SupervisorError as error:
            self._note_refusal(probes, str(error))
            return
        probes.client, probes.request, probes.refused = client, request, ""
        client.probe(request)
        self._attendant.after_asking()

    def _request(self, spawn: Spawn) -> ProbeRequest:
        """Raises SupervisorError."""
        # A probe has no outputs; a command that writes some finds a file all the same.
        line = self._preparation.command_line(spawn, os.devnull)
        return ProbeRequest(
            spawn.run_id,
            line.argv,
            line.env,
            self._preparation.workspace,
            self._preparation.user,
            PROBE_INTERVAL_S,
            PROBE_TIMEOUT_S,
            TAIL_BYTES,
            line.program,
            line.words,
        )

    def _note_refusal(self, probes: _Probes, why: str) -> None:
        if why != probes.refused:
            probes.refused = why
            self._facts.post(ProbeEnded(probes.spawn.run_id, NotStarted(why)))
        self._work.soon(self._ask_later, probes)

    def _end(self, probes: _Probes) -> None:
        """Have the shim end probes."""
        if probes.client is None or probes.client.lost:
            self._work.soon(self._end_alone, probes, 0.0)
        else:
            probes.client.end_probes(probes.spawn.run_id)
            self._attendant.after_asking()
            self._work.soon(self._end_alone, probes, _ANSWER_S)

    def _over(self, probes: _Probes, end: Exit, survivors: tuple[Survivor, ...] = ()) -> None:
        if self._lives(probes):
            del self._live[probes.spawn.run_id]
            self._preparation.probed.pop(probes.spawn.run_id, None)
            self._facts.post(Exited(probes.spawn.run_id, end, survivors=survivors))

    def _lives(self, probes: _Probes) -> bool:
        return self._live.get(probes.spawn.run_id) is probes

    # In the event loop ---------------------------------------------------------------------------------------------

    async def _ask_later(self, probes: _Probes) -> None:
        await anyio.sleep(PROBE_INTERVAL_S)
        if self._lives(probes) and not probes.is_killed:
            self._ask(probes)

    async def _clear(self, probes: _Probes, is_over: bool, end: Exit) -> None:
        """End what one of them left behind, then go on."""
        survivors = await self._kill_rest(probes)
        probes.is_cleared = False
        if is_over:
            self._over(probes, end, survivors)
        elif probes.is_killed:
            self._end(probes)
        elif self._lives(probes):
            self._ask(probes)

    async def _ask_when_cleared(self, probes: _Probes) -> None:
        """The shim that ran them is gone: end what it left, and have another go on."""
        await self._clear(probes, False, ExitUnknown())

    async def _end_alone(self, probes: _Probes, after_s: float) -> None:
        """End probes without the shim, unless it has done so after a while."""
        await anyio.sleep(after_s)
        if self._lives(probes) and not probes.is_cleared:
            self._over(probes, ExitUnknown(), await self._kill_rest(probes))

    async def _kill_rest(self, probes: _Probes) -> tuple[Survivor, ...]:
        """Kill all that carries the run's marker, and its container; returns what SIGKILL did not end."""
        run_id = probes.spawn.run_id
        survivors = await termination.kill_all(lambda: process_tree.census({run_id: None})[run_id])
        if probes.in_container:
            await termination.remove_container(run_id)
        return survivors


def _exit(report: ProbeExited, request: ProbeRequest | None) -> Exit:
    match report.end:
        case ExitStatus():
            return exits.exit_of(report.end)
        case SpawnFailed() if request is not None:
            return NotStarted(command_line.why_failed(report.end, request))
        case _:
            return ExitUnknown()


def _fact(report: ProbeExited, end: Exit) -> ProbeEnded:
    return ProbeEnded(
        RunId(report.run_id),
        end,
        "" if end == SUCCESS else _last_lines(report.output),
        report.output,
        report.count,
        report.took_s,
        report.late,
    )


def _last_lines(output: str) -> str:
    """The last lines; what is not UTF-8 is replaced."""
    text = output.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    lines = text.split("\n")
    return "\n".join(lines[-TAIL_LINES - (not lines[-1]) :])
