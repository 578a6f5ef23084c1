"""Commands that a shim was asked to start, until it is known whether they did.

Nobody waits for the shim's answer: while it starts one command the supervisor prepares the next, and the first are
asked for before there is an event loop. What comes of a request:

| the shim | then |
|---|---|
| says started | the run lives |
| says failed: there is no process, memory or descriptor to be had | it is asked again, for 20 s at most |
| says failed otherwise | the run did not start, for the reason that it gives |
| is gone | a note of the start, a process with the run's marker, or a log means that it began; else another is asked |
| does not answer in time | the run did not start: by then the shim itself refuses a request so old |
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from supervisor.host.proc.process_tree import ProcRef
from supervisor.host.runs import command_line, shim_client
from supervisor.host.runs.adoption import began_nevertheless
from supervisor.host.runs.run import Asked, Run
from supervisor.host.runs.shim_client import ShimLink, ShimStuck
from supervisor.host.runs.shims import NoShimNow, Shims
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.errors import MachineError
from supervisor.shim.stream import Message

if TYPE_CHECKING:
    from anyio import CancelScope, Event

    from supervisor.host.users.account import Account

_ATTEMPTS = 3
"""How many shims may be lost in the attempt to start one command."""
_PATIENCE_S = 20.0
"""How long a command waits for what the machine lacks."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class _Request:
    """What a shim was asked for, to ask another one for the same."""

    def __init__(self, run: Run, argv: list[str], env: dict[str, str]) -> None:
        self.run = run
        self.argv = argv
        self.env = env
        self.attempts = 0
        self.answer_by = 0.0
        """On the monotonic clock."""
        self.pause_s = _FIRST_PAUSE_S
        self.patient_until = time.monotonic() + _PATIENCE_S


class Spawner:
    """Asks shims to start commands, and hears what came of it."""

    def __init__(
        self,
        shims: Shims,
        workspace: str,
        account: Account | None,
        began: Callable[[Run], None],
        failed: Callable[[Run, str], None],
        soon: Callable[..., None],
        met: Callable[[str], None],
    ) -> None:
        """Each run that was asked for ends in one call: `began`, or `failed` with a sentence.

        `account`: the user that commands run as; None: ours. `soon`: has the loop do something. `met`: told why
        commands have to wait, and with an empty text once none does.
        """
        self._shims = shims
        self._workspace = workspace
        self._account = account
        self._tell_began = began
        self._tell_failed = failed
        self._soon = soon
        self._met = met
        self._pending: dict[str, _Request] = {}
        self._waiting: dict[str, _Request] = {}
        """Those that are asked for again after a pause."""
        self._looked_for: dict[str, _Request] = {}
        """Those whose shim is gone, while it is found out whether it had started them."""
        self._sending: dict[ShimLink, tuple[CancelScope, Event]] = {}
        """The shims that do not take all at once, until they have."""
        self._short: set[str] = set()
        """The ids of the runs that the machine lacked something for, until it is known what becomes of them."""

    def __contains__(self, run_id: str) -> bool:
        """Whether it is not known yet if this run starts."""
        return run_id in self._pending or run_id in self._waiting or run_id in self._looked_for

    def start(self, run: Run, argv: list[str], env: dict[str, str]) -> None:
        """Ask for a command to be started. Never waits."""
        self._ask(_Request(run, argv, env))

    def answered(self, message: Message) -> None:
        """Take a shim's answer."""
        request = self._pending.pop(message.get("started") or message["failed"], None)
        if request is None:
            return  # it was given up
        run = request.run
        if "failed" in message:
            why = command_line.why_failed(message, request.argv[0], self._workspace, run.dir.log)
            if command_line.is_passing(message) and time.monotonic() < request.patient_until:
                self._wait(request, why)
                return
            self._failed(run, why)
        else:
            run.main = ProcRef(message["pid"], message["start_ticks"])
            run.cgroup = message["cgroup"]
            run.log_inode = message.get("log_inode", 0)  # an older shim does not tell
            self._began(run)

    def _wait(self, request: _Request, why: str) -> None:
        self._waiting[request.run.run_id] = request
        request.run.link = None
        self._short.add(request.run.run_id)
        self._met(why)
        self._soon(self._ask_later, request, why)

    def _began(self, run: Run) -> None:
        self._tell_began(run)
        self._no_longer_short(run.run_id)

    def _failed(self, run: Run, why: str) -> None:
        self._tell_failed(run, why)
        self._no_longer_short(run.run_id)

    def _no_longer_short(self, run_id: str) -> None:
        if run_id in self._short:
            self._short.discard(run_id)
            if not self._short:
                self._met("")

    async def _ask_later(self, request: _Request, why: str) -> None:
        import anyio

        await anyio.sleep(request.pause_s)
        request.pause_s = min(request.pause_s * 2, _LONGEST_PAUSE_S)
        del self._waiting[request.run.run_id]
        if request.run.asked is Asked.NOTHING:
            request.attempts = 0
            self._ask(request)
        else:
            self._failed(request.run, f"{why}; it was to stop before it could start")

    async def lost(self, link: ShimLink) -> None:
        """A shim is gone: see which commands it started without saying so, ask another one for the rest."""
        if (sending := self._sending.get(link)) is not None:
            scope, ended = sending
            scope.cancel()
            await ended.wait()
        requests = self._withdraw(request for request in self._pending.values() if request.run.link is link)
        if not requests:
            return
        from supervisor.host.runs.termination import looked

        for request in requests:
            request.run.link = None
            self._looked_for[request.run.run_id] = request
        began = await looked(partial(began_nevertheless, [request.run for request in requests]))
        for request in requests:
            del self._looked_for[request.run.run_id]
            if request.run in began:
                self._began(request.run)
            elif request.attempts < _ATTEMPTS:
                self._ask(request)
            else:
                self._failed(request.run, "the process that holds commands has ended")

    def overdue(self) -> set[ShimLink]:
        """The shims that have not answered in time, as far as their messages were heard."""
        now = time.monotonic()
        late = (request.run.link for request in self._pending.values() if request.answer_by < now)
        return {link for link in late if link is not None}

    def give_up(self, link: ShimLink) -> None:
        """Report what a shim does not answer for as not started, and have another one take the next command."""
        now = time.monotonic()
        for request in self._withdraw(
            request
            for request in self._pending.values()
            if request.run.link is link and request.answer_by < now
        ):
            self._stuck(request)

    def _ask(self, request: _Request) -> None:
        run = request.run
        request.attempts += 1
        request.answer_by = time.monotonic() + shim_client.ANSWER_S
        self._pending[run.run_id] = request
        try:
            run.link = self._shims.current()
            run.link.spawn(
                run.run_id,
                request.argv,
                request.env,
                self._workspace,
                run.dir.log,
                run.dir.path,
                self._account,
                run.cgroup,
            )
            if run.link.unsent and run.link not in self._sending:
                self._soon(self._send_on, run.link)
        except MachineError as error:
            self._withdraw([request])
            if isinstance(error, NoShimNow) and time.monotonic() < request.patient_until:
                self._wait(request, str(error))
            else:
                self._failed(run, str(error))

    async def _send_on(self, link: ShimLink) -> None:
        """Send what a shim does not take at once as it reads on."""
        import anyio

        if link in self._sending:
            return
        with anyio.CancelScope() as scope:
            _, ended = self._sending[link] = scope, anyio.Event()
            try:
                while link.unsent:
                    await anyio.wait_writable(link.fileno())
                    link.flush()
            finally:
                del self._sending[link]
                ended.set()

    def _stuck(self, request: _Request) -> None:
        link = request.run.link
        if link is not None and self._shims.is_current(link):
            self._shims.pass_over()
        self._failed(request.run, str(ShimStuck()))

    def _withdraw(self, requests: Iterable[_Request]) -> list[_Request]:
        withdrawn = list(requests)
        for request in withdrawn:
            del self._pending[request.run.run_id]
        return withdrawn
