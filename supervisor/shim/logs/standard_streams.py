"""What a command's output goes to: its log itself, or a FIFO that is pumped into it."""

from __future__ import annotations

import os

from supervisor.shim.logs.log_keeper import KeeperLink
from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.protocol import SpawnRequest
from supervisor.shim.regular_file import open_regular


class StandardStreams:
    """The open files of one command that is about to start. `close` in any case; `keep` if it has started."""

    def __init__(self, request: SpawnRequest) -> None:
        """Open them. Raises OSError, and leaves nothing behind then."""
        self._request = request
        self._pipe: LogPipe | None = None
        self._has_made_fifo = False
        self._fds: list[int] = []
        self.inode = 0
        """Of the log; 0: it is not open yet."""
        try:
            if request.fifo:
                self._open_pipe()
            else:
                self._open_log()
        except BaseException:
            self.close()
            self.discard()
            raise

    @property
    def out(self) -> int:
        """For standard output."""
        return self._fds[0]

    @property
    def err(self) -> int:
        """For standard error: an open file of its own, so that O_NONBLOCK on one leaves the other alone."""
        return self._fds[-1]

    def hold(self, keeper: KeeperLink) -> None:
        """The command is about to run: have its FIFO held, so that it has a reader if the shim is killed now."""
        if self._pipe is not None:
            keeper.hold(self._pipe.run_id, self._pipe.fd)

    def keep(self, pump: LogPump) -> None:
        """The command runs: have its FIFO pumped."""
        if self._pipe is not None:
            pump.add(self._pipe, has_main=True)

    def discard(self, keeper: KeeperLink | None = None) -> None:
        """The command does not run: close all, and remove what we have made, if it is empty.

        From a log the next supervisor concludes that something ran. The supervisor's FIFO stays: it has that open, and
        may ask again.
        """
        try:
            if self._pipe is not None:
                if keeper is not None:
                    keeper.drop(self._pipe.run_id)
                self._pipe.close()
            if self._has_made_fifo:
                os.unlink(self._request.fifo)
            status = os.stat(self._request.log, follow_symlinks=False)
            if (status.st_ino, status.st_size) == (self.inode, 0):
                os.unlink(self._request.log)
        except OSError:
            pass  # gone already

    def close(self) -> None:
        """Close our copies of what the command has."""
        while self._fds:
            os.close(self._fds.pop())

    def _open_log(self) -> None:
        fd = open_regular(self._request.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._fds.append(fd)
        os.set_blocking(fd, True)  # the command shares this open file
        self.inode = os.fstat(fd).st_ino
        if user := self._request.user:
            # A command that writes to /dev/stderr opens its log anew, as itself.
            os.fchown(fd, user.uid, user.gid)

    def _open_pipe(self) -> None:
        request = self._request
        try:
            os.mkfifo(request.fifo, 0o600)
            self._has_made_fifo = True
        except FileExistsError:
            pass  # the supervisor has made it, and holds it
        self._pipe = LogPipe(request.run_id, request.fifo, request.log, request.pumping)
        self.inode = self._pipe.inode
        if user := request.user:
            # A command that writes to /dev/stderr opens the FIFO anew, as itself. The log is ours alone.
            os.chown(self._pipe.fd, user.uid, user.gid)
        for _ in range(2):
            self._fds.append(os.open(request.fifo, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
