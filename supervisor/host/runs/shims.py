"""Which shims there are: the one that takes new commands, and earlier ones that still hold some."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from supervisor.host.proc import errnos
from supervisor.host.runs import command_line
from supervisor.host.runs.shim_client import Listing, ShimLink
from supervisor.model.errors import MachineError
from supervisor.shim.shim import VERSION


class NoShimNow(MachineError):
    """The machine is short of what a shim takes."""


class Shims:
    """Links to shims. A new one is started when there is none that could take a command."""

    def __init__(
        self, socket: str, fresh: ShimLink, hear: Callable[[ShimLink], None], cgroup: str = ""
    ) -> None:
        """A shim that listens at `socket` is used further, if it understands us, and the new one let go.

        `hear` is called for every link whose messages have to be heard. `cgroup`: the control group of shims; empty:
        there is none.
        """
        self._socket = socket
        self._cgroup = cgroup
        self._hear = hear
        self._links: list[ShimLink] = []
        self._inode: int | None = None
        """Of the socket's file, once it was seen."""
        self.held = Listing({}, {}, VERSION)
        """What the shim of an earlier supervisor held when we met it."""
        self.held_by = self._met()
        self._current: ShimLink | None = None
        if self.held_by and self.held.version == VERSION:
            self._current = self.held_by
            self._links.append(fresh)
            self._hear(fresh)  # it is of no use, so hearing it means to let it go
        else:
            self._use(fresh)

    def is_current(self, link: ShimLink) -> bool:
        """Whether new commands go to this shim."""
        return link is self._current

    def current(self) -> ShimLink:
        """The shim for new commands. Raises MachineError if there can be none, NoShimNow for now."""
        if self._current is None or self._current.lost:
            try:
                link = ShimLink.start()
            except OSError as error:
                why = f"cannot start the process that holds commands: {command_line.reason(error.errno)}"
                raise (NoShimNow if error.errno in errnos.PASSING else MachineError)(why) from error
            self._use(link)
            return link
        return self._current

    def links(self) -> tuple[ShimLink, ...]:
        """All links, of use or not."""
        return tuple(self._links)

    def can_be_met(self) -> bool:
        """Whether the next supervisor would find the shim at its socket. Raises OSError."""
        if self._current is None or self._current.lost:
            return True  # the next one will listen
        try:
            status = os.lstat(self._socket)
        except FileNotFoundError:
            return False
        self._inode = self._inode or status.st_ino
        return stat.S_ISSOCK(status.st_mode) and status.st_ino == self._inode

    def listen_again(self) -> None:
        """Have the shim bind its socket anew. Raises MachineError where it cannot."""
        if os.path.isdir(self._socket):
            raise MachineError(f"there is a folder at {self._socket}; remove it")
        if self._current is not None:
            self._inode = None
            self._current.listen(self._socket)

    def pids(self) -> list[int]:
        """The processes that hold commands, and take what these leave behind."""
        return [link.shim_pid for link in self._links if not link.lost]

    def pass_over(self) -> None:
        """Have another shim take the next command; this one keeps what it holds."""
        self._current = None

    async def leave(self, link: ShimLink) -> None:
        """Close a link; its shim ends if it holds no live command. Its answer is waited for in a thread."""
        from supervisor.host.proc import worker_threads

        self._links.remove(link)
        await worker_threads.run(link.close)

    def close(self) -> int:
        """Close all links; returns how many commands live on."""
        live = sum(link.close() for link in self._links)
        self._links.clear()
        return live

    def _met(self) -> ShimLink | None:
        old = ShimLink.reconnect(self._socket)
        if old is None:
            return None
        try:
            self.held = old.listing()
        except MachineError:
            old.abandon()  # its commands are found without it
            return None
        self._links.append(old)
        self._hear(old)
        return old

    def _use(self, link: ShimLink) -> None:
        self._inode = None
        link.listen(self._socket)
        if self._cgroup:
            link.join(self._cgroup)
        self._current = link
        self._links.append(link)
        self._hear(link)
