"""How the machine learns how a command has ended.

| the run | is told by |
|---|---|
| is held by a shim | that shim |
| was held by a shim that is gone | a pidfd of its main process, then its run directory: the shim wrote it there |
| ended while no supervisor was there | its run directory, or a shim that could not write there |

A shim is heard in the event loop, and before there is one whenever `attend` is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from supervisor.host.runs.run import Run
from supervisor.host.runs.shim_client import ShimLink
from supervisor.host.runs.shims import Shims
from supervisor.host.runs.spawner import Spawner
from supervisor.model.exit import Exit, ExitCode, ExitSignal, ExitUnknown
from supervisor.shim.stream import Message


class Hearing:
    """Hears shims, and watches runs that none tells of."""

    def __init__(
        self,
        runs: Mapping[str, Run],
        shims: Shims,
        spawner: Spawner,
        ended: Callable[[Run, Exit], None],
        fold: Callable[[Callable[[], None]], None],
        soon: Callable[..., None],
    ) -> None:
        """Hear of `runs`, those that there are at the time, by id.

        `ended`: called once or more with how a run's main process has ended. `fold`: has what is posted meanwhile be
        folded. `soon`: has the loop do something. What a spawn has come to is the `spawner`'s.
        """
        self._runs = runs
        self._shims = shims
        self._spawner = spawner
        self._ended = ended
        self._fold = fold
        self._soon = soon

    def attend(self) -> None:
        """Hear what the shims have told by now. For the time before the loop; never waits."""
        for link in self._shims.links():
            if not link.lost:
                self._fold(partial(self.heed, link))

    async def hear(self, link: ShimLink) -> None:
        """Hear a shim until it is gone, or another took its place and it holds nothing more."""
        from supervisor.host.proc.readable import while_readable

        def is_of_use() -> bool:
            return not link.lost and (self._shims.is_current(link) or bool(self._held_by(link)))

        def hear() -> bool:
            self._fold(partial(self.heed, link))
            return is_of_use()

        if is_of_use():
            await while_readable(link.fileno(), hear)
        await self._spawner.lost(link)
        for run in self._held_by(link):
            run.link = None
            self.watch(run)
        await self._shims.leave(link)

    def heed(self, link: ShimLink) -> None:
        """Do what a shim's messages call for."""
        for message in link.receive():
            if "started" in message or "failed" in message:
                self._spawner.answered(message)
            elif (run := self._runs.get(message.get("exited", ""))) is not None:
                # Before it is told to have started, it is the end of one that nobody knew and `clear` ended: where
                # records were lost, the same firing gives the same id again.
                if run.run_id not in self._spawner:
                    self._ended(run, _exit(message))
            elif "trouble" in message:
                # In the loop, where somebody listens to complaints.
                self._soon(_warn, f"the process that holds commands had trouble: {message['trouble']}")

    def watch(self, run: Run) -> None:
        """Learn without a shim how a run ends; at once if it has ended."""
        end = run.dir.exit()
        if end is None and run.run_id in self._shims.held.ended:
            end = _exit(self._shims.held.ended[run.run_id])
        if end is None and run.main is not None:
            self._soon(self._wait_for_main, run)
        else:
            self._ended(run, end or ExitUnknown())

    def _held_by(self, link: ShimLink) -> list[Run]:
        return [run for run in self._runs.values() if run.link is link and run.exit is None]

    async def _wait_for_main(self, run: Run) -> None:
        from supervisor.host.runs import termination

        self._ended(run, await termination.exit_without_link(run))


def _exit(status: Message) -> Exit:
    return ExitCode(status["code"]) if "code" in status else ExitSignal(status["signal"])


async def _warn(sentence: str) -> None:
    import logging

    logging.getLogger(__name__).warning(sentence)
