"""What a command's output goes to: its log itself, or a FIFO that is pumped into it.

Standard error goes where standard output goes, or has a log and a FIFO of its own.
"""

from __future__ import annotations

import os
import struct

from supervisor.shim.logs.log_keeper import KeeperLink
from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.protocol import SpawnRequest, UserIds
from supervisor.shim.regular_file import open_regular
from supervisor.shim.stream_name import names

_ACL = "system.posix_acl_access"
_ACL_VERSION = 2  # linux/posix_acl_xattr.h, as all that follows
_OWNER, _USER, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_READ, _WRITE, _NO_ID = 4, 2, 0xFFFFFFFF


class StandardStreams:
    """The open files of one command that is about to start. `close` in any case; `keep` if it has started."""

    def __init__(self, request: SpawnRequest) -> None:
        """Open them. Raises OSError, and leaves nothing behind then."""
        whole, out, err = names(request.run_id)
        self._parts: list[_Part] = []
        try:
            if not request.err_log:
                self._open(_Part(request, whole, request.log, request.fifo), writers=2)
            else:
                self._open(_Part(request, out, request.log, request.fifo), writers=1)
                self._open(_Part(request, err, request.err_log, request.err_fifo), writers=1)
                if request.user:
                    self._show(request.user)
        except BaseException:
            self.close()
            self.discard()
            raise

    @property
    def inode(self) -> int:
        """Of the log that standard output goes to."""
        return self._parts[0].inode

    @property
    def out(self) -> int:
        """For standard output."""
        return self._parts[0].fds[0]

    @property
    def err(self) -> int:
        """For standard error: an open file of its own, so that O_NONBLOCK on one leaves the other alone."""
        return self._parts[-1].fds[-1]

    def hold(self, keeper: KeeperLink) -> None:
        """The command is about to run: have its FIFOs held, so that they have a reader if the shim is killed now."""
        for part in self._parts:
            if part.pipe is not None:
                keeper.hold(part.pipe.name, part.pipe.fd)

    def keep(self, pump: LogPump) -> None:
        """The command runs: have its FIFOs pumped."""
        for part in self._parts:
            if part.pipe is not None:
                pump.add(part.pipe, has_main=True)

    def discard(self, keeper: KeeperLink | None = None) -> None:
        """The command does not run: close all, and remove what we have made, if it is empty.

        From a log the next supervisor concludes that something ran. The supervisor's FIFO stays: it has that open, and
        may ask again.
        """
        for part in self._parts:
            part.discard(keeper)

    def close(self) -> None:
        """Close our copies of what the command has."""
        for part in self._parts:
            part.close()

    def _open(self, part: _Part, writers: int) -> None:
        self._parts.append(part)  # before it is open: what it has made so far is to be discarded
        part.open(writers)

    def _show(self, user: UserIds) -> None:
        """Let the user that the command runs as read the results; they stay ours, so that no command changes them."""
        for part in self._parts:
            if part.pipe is not None:
                _let_read(part.pipe.log, user.uid)


class _Part:
    """One stream: its log, or its FIFO and its log."""

    def __init__(self, request: SpawnRequest, name: str, log: str, fifo: str) -> None:
        self._request = request
        self._name, self._log, self._fifo = name, log, fifo
        self.pipe: LogPipe | None = None
        self._has_made_fifo = False
        self.fds: list[int] = []
        """What the command gets."""
        self.inode = 0
        """Of the log; 0: it is not open yet."""

    def open(self, writers: int) -> None:
        """Open all, with so many descriptors for the command. Raises OSError."""
        if self._fifo:
            self._open_pipe(writers)
        else:
            self._open_log()

    def discard(self, keeper: KeeperLink | None) -> None:
        """See `StandardStreams`."""
        try:
            if self.pipe is not None:
                if keeper is not None:
                    keeper.drop(self.pipe.name)
                self.pipe.close()
            if self._has_made_fifo:
                os.unlink(self._fifo)
            status = os.stat(self._log, follow_symlinks=False)
            if (status.st_ino, status.st_size) == (self.inode, 0):
                os.unlink(self._log)
        except OSError:
            pass  # gone already

    def close(self) -> None:
        """See `StandardStreams`."""
        while self.fds:
            os.close(self.fds.pop())

    def _open_log(self) -> None:
        fd = open_regular(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.fds.append(fd)
        os.set_blocking(fd, True)  # the command shares this open file
        self.inode = os.fstat(fd).st_ino
        if user := self._request.user:
            # A command that writes to /dev/stderr opens its log anew, as itself.
            os.fchown(fd, user.uid, user.gid)

    def _open_pipe(self, writers: int) -> None:
        try:
            os.mkfifo(self._fifo, 0o600)
            self._has_made_fifo = True
        except FileExistsError:
            pass  # the supervisor has made it, and holds it
        self.pipe = LogPipe(self._name, self._fifo, self._log, self._request.pumping)
        self.inode = self.pipe.inode
        if user := self._request.user:
            # A command that writes to /dev/stderr opens the FIFO anew, as itself. The log is ours alone.
            os.chown(self.pipe.fd, user.uid, user.gid)
        for _ in range(writers):
            self.fds.append(os.open(self._fifo, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC))


def _let_read(fd: int, uid: int) -> None:
    """Let a user read a file of ours, and nobody else. Without effect where the filesystem has no such lists."""
    entries = (
        (_OWNER, _READ | _WRITE, _NO_ID),
        (_USER, _READ, uid),
        (_GROUP, 0, _NO_ID),
        (_MASK, _READ, _NO_ID),
        (_OTHERS, 0, _NO_ID),
    )
    data = struct.pack("<I", _ACL_VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(fd, _ACL, data)
    except OSError:
        pass  # the result can be had from the supervisor all the same
