"""The shim: one small process that is the parent of every command, and that outlives the supervisor.

It runs as a script of its own (`python -I -S shim.py FD [WHAT=BEFORE ...]`). Of the package it imports a few small
modules, which need nothing but the standard library, and those at its start: it outlives the files that it came from.
It keeps three promises:

- It never ends while a command lives. The supervisor may die or be replaced; commands go on, their exits are written
  into their run directories, and the next supervisor connects to the socket that this one asked for.
- It never loses a status. A child is looked at (WNOWAIT), its end is told, then its `exit` file is written, then it is
  reaped: whoever sees that the process is gone finds the file, unless the disk was full, and then the shim knows.
- It never falls. What goes wrong with one request is the answer to that request.

Messages are those of `stream`.

| the supervisor asks | the shim answers |
|---|---|
| spawn: run_id, argv, env, ... (`ShimLink.spawn`) | started: run_id, pid, start_ticks; failed: run_id, stage, errno |
| list | runs: {run id: [pid, start_ticks]} of live ones; ended: {run id: status} without an exit file; version |
| listen: path | nothing |
| join: cgroup | nothing; the control group that it is in while it spawns nothing. It gets ready for the first spawn |
| (closes its side) | bye: how many commands live; the shim ends once none does |

Of what it was asked for by a supervisor that has died meanwhile, nothing is done.

Unasked, when a command has ended: exited: run_id, and code or signal. One thread, so that a spawn may change folders
and may change what a child inherits. In `spawn`, `as` is the user that the command runs as (uid, gid, groups), and
`cgroup` the folder of its control group, beside which ours is; either may be missing. `started` has the group that the
command is in, if any, and the log's inode. The stages at which a spawn may fail: log, user, chdir, exec, fork, late,
request.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

if __name__ == "__main__":
    sys.path.append(os.path.abspath(__file__).rpartition("/supervisor/shim/")[0])

from supervisor.shim.cgroup_move import enter, join, leave
from supervisor.shim.execute import Failed, execute
from supervisor.shim.keyring import leave_inherited
from supervisor.shim.oom_score import OomScore
from supervisor.shim.regular_file import atomic_write, open_regular
from supervisor.shim.stream import Message, Stream
from supervisor.shim.unix_socket import bind, peer_credentials

VERSION = 3
RETRY_S = 1.0
"""How long to wait before a facts file that could not be written is tried again."""
_MOVED_S = 0.008
"""How long after one move between control groups another one still takes no time: the kernel's grace period for it."""
_READY_S = 0.5
"""How long the first spawn is expected."""
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_PR_SET_CHILD_SUBREAPER = 36
_NS_PER_TICK = 10**9 // os.sysconf("SC_CLK_TCK")


class Shim:
    """Holds the commands. `serve` returns when there is nobody left to serve: no supervisor and no command."""

    def __init__(self, supervisor: socket.socket) -> None:
        self._supervisor: Stream | None = Stream(supervisor)
        self._listener: socket.socket | None = None
        self._listening: tuple[str, int] | None = None  # the socket's path and inode
        self._runs: dict[int, tuple[str, str, int]] = {}  # pid: (run id, run directory, start ticks)
        self._unwritten: dict[str, Message] = {}  # path: facts
        self._ended: dict[str, Message] = {}  # run id: status that is not in its exit file
        self._group, self._ready_until = "", 0.0
        self._oom_score = OomScore()
        self._has_own_keyring = False
        self._boot_id = _first_line("/proc/sys/kernel/random/boot_id")
        # A signal handler alone would not end a poll (PEP 475); the byte in this pipe does.
        self._wakeup, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Answer and reap until nobody is left."""
        while self._supervisor or self._runs:
            for act in self._due():
                self._try(act)
        self._retry()
        self._unlisten()

    def _due(self) -> list[Callable[[], None]]:
        """Wait until something can be done, and say what."""
        poll = select.poll()
        handlers: dict[int, Callable[[], None]] = {self._wakeup: self._reap}
        if self._listener:
            handlers[self._listener.fileno()] = self._accept
        for fd in handlers:
            poll.register(fd, select.POLLIN)
        if stream := self._supervisor:
            handlers[stream.socket.fileno()] = self._converse
            poll.register(stream.socket, select.POLLIN | (select.POLLOUT if stream.unsent else 0))
        expectant = time.monotonic() < self._ready_until
        patience_s = _MOVED_S if expectant else RETRY_S if self._unwritten else None
        ready = poll.poll(patience_s and patience_s * 1000)
        return [handlers[fd] for fd, _ in ready] or [self._rejoin if expectant else self._retry]

    def _try(self, act: Callable[[], None]) -> None:
        """Whatever goes wrong is told, and nothing else stops for it."""
        try:
            act()
        except Exception as error:
            self._tell({"trouble": repr(error)})

    # The supervisor ------------------------------------------------------------------------------------------------

    def _converse(self) -> None:
        stream = self._supervisor
        if stream is None:
            return
        stream.flush()
        for request in stream.receive():
            if _is_dead(stream.socket):
                break  # the next supervisor may have looked for us and not found us yet: it asks for the same again
            self._try(partial(self._answer, request))
        if stream.ended:
            # It may have closed only its sending side, to hear how many commands it leaves behind.
            stream.ended = False
            self._reap()  # what has just been killed is not counted
            stream.send({"bye": len(self._runs)})
            stream.socket.close()
            self._supervisor = None

    def _tell(self, message: Message) -> None:
        if self._supervisor:
            self._supervisor.send(message)

    def _answer(self, request: Message) -> None:
        match request:
            case {"ask": "spawn"}:
                answer = self._spawn(request)
                self._tell(answer)
                if "pid" in answer:
                    # Afterwards: the supervisor need not wait for the disk.
                    self._note_start(request["dir"], answer)
            case {"ask": "list"}:
                runs = {run_id: [pid, ticks] for pid, (run_id, _, ticks) in self._runs.items()}
                self._tell({"runs": runs, "ended": self._ended, "version": VERSION})
            case {"ask": "listen", "path": path}:
                self._listen(path)
            case {"ask": "join", "cgroup": group}:
                self._group, self._ready_until = group, time.monotonic() + _READY_S
                self._rejoin()
            case _:
                self._tell({"trouble": f"unknown request {request.get('ask')!r}"})

    def _rejoin(self) -> None:
        """Go to where we are: the kernel waits for a grace period now, and not when the first command is born."""
        if not join(self._group):
            self._ready_until = 0.0

    def _listen(self, path: str) -> None:
        """Bind a socket at `path` for the next supervisor, in place of one that a shim before this left there."""
        self._unlisten()
        listener = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        umask = os.umask(0o177)
        try:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            bind(listener, path)
            listener.listen(4)
            self._listening = path, os.stat(path).st_ino
            self._listener = listener
        except BaseException:
            listener.close()
            raise
        finally:
            os.umask(umask)

    def _unlisten(self) -> None:
        if self._listener is None or self._listening is None:
            return
        path, inode = self._listening
        self._listener.close()
        self._listener = self._listening = None
        try:
            # By now the path may be another shim's.
            if os.stat(path, follow_symlinks=False).st_ino == inode:
                os.unlink(path)
        except OSError:
            pass

    def _accept(self) -> None:
        """Serve a new supervisor. The one before is gone, or it would hold the lock that this one holds."""
        if self._listener is None:
            return
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if peer_credentials(sock)[1] not in (0, os.geteuid()):
            sock.close()
            return
        if self._supervisor:
            # Requests it still had here stay undone, so that what `list` answers now remains true.
            self._supervisor.socket.close()
        self._supervisor = Stream(sock)

    # Commands ------------------------------------------------------------------------------------------------------

    def _spawn(self, request: Message) -> Message:
        run_id, folder = request["run_id"], request["dir"]
        self._ready_until = 0.0
        account, group = request.get("as"), ""
        stage, log = "chdir", -1
        try:
            if not account:
                os.chdir(request["cwd"])
            stage = "log"
            log = open_regular(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.set_blocking(log, True)  # as the command's standard output, which it shares with us
            inode = os.fstat(log).st_ino
            if account:
                # A command that writes to /dev/stderr opens its log anew, as itself.
                os.fchown(log, account["uid"], account["gid"])
            stage = "exec"
            if time.monotonic() > request["before"]:
                # Nobody waits for it any more: it was reported as not started.
                _unlink_empty(log, request["log"])
                return {"failed": run_id, "stage": "late", "errno": errno.ETIMEDOUT}
            if account and not self._has_own_keyring:
                leave_inherited()
                self._has_own_keyring = True
            group = enter(request.get("cgroup", ""))
            self._oom_score.raise_()
            earliest = _now_ticks()
            pid = execute(request, log)
            latest = _now_ticks()
        except OSError as error:
            if isinstance(error, Failed):
                stage = error.stage
            elif stage == "exec" and error.errno in (errno.EAGAIN, errno.ENOMEM):
                stage = "fork"
            _unlink_empty(log, request["log"])
            return {"failed": run_id, "stage": stage, "errno": error.errno or errno.EIO}
        except Exception as error:
            return {"failed": run_id, "stage": "request", "errno": errno.EINVAL, "text": repr(error)}
        finally:
            self._oom_score.lower()
            if group and not leave(group):
                group = ""  # whoever killed it would kill us
            if log >= 0:
                os.close(log)
            os.chdir("/")  # keeps no filesystem busy
        ticks = earliest if earliest == latest else _start_ticks(pid)
        self._runs[pid] = run_id, folder, ticks
        return {"started": run_id, "pid": pid, "start_ticks": ticks, "cgroup": group, "log_inode": inode}

    def _note_start(self, folder: str, answer: Message) -> None:
        facts = {name: answer[name] for name in ("pid", "start_ticks", "cgroup", "log_inode")}
        self._write(f"{folder}/started", facts | {"boot_id": self._boot_id, "shim_pid": os.getpid()})

    def _reap(self) -> None:
        try:
            os.read(self._wakeup, 4096)
        except BlockingIOError:
            pass
        while True:  # signals coalesce: one may stand for many children
            try:
                end = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if end is None:
                return
            run = self._runs.pop(end.si_pid, None)  # None: an orphan that came to us
            try:
                status: Message = {"code" if end.si_code == os.CLD_EXITED else "signal": end.si_status}
                if run:
                    self._tell(
                        {"exited": run[0]} | status
                    )  # first: what comes next need not wait for the disk
                if run and not self._write(f"{run[1]}/exit", status | {"wall_s": time.time()}):
                    self._ended[run[0]] = status
            finally:
                os.waitpid(end.si_pid, 0)

    def _write(self, path: str, facts: Message) -> bool:
        """Write a facts file whole or not at all; False: it could not be written, and will be tried again."""
        self._unwritten.pop(path, None)
        try:
            atomic_write(path, json.dumps(facts).encode("ascii"))
        except FileNotFoundError:
            return True  # nobody wants to know: the run directory was removed
        except OSError:
            self._unwritten[path] = facts
            return False
        return True

    def _retry(self) -> None:
        for path, facts in list(self._unwritten.items()):
            if self._write(path, facts):
                self._ended.pop(os.path.basename(os.path.dirname(path)), None)


def _is_dead(sock: socket.socket) -> bool:
    """Whether whoever has the other end is gone; not if it only sends no more."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _unlink_empty(fd: int, path: str) -> None:
    """Remove the log of what did not begin: where there is one, the next supervisor takes it that something ran."""
    try:
        if fd >= 0 and os.fstat(fd).st_size == 0:
            os.unlink(path)
    except OSError:
        pass  # gone already


def _now_ticks() -> int:
    """The present moment as the kernel notes when a process begins: in clock ticks of 10 ms since boot."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_TICK


def _start_ticks(pid: int) -> int:
    """When a process began, in clock ticks since boot: field 22 of proc_pid_stat(5). 0: not to be learnt.

    To read it waits until the process is through with its exec, and after that often for a turn on the processor: for a
    short command that is its end. So it is read only where the clock leaves a doubt.
    """
    try:
        # The second field, the name in parentheses, may hold blanks and parentheses itself.
        return int(_first_line(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _first_line(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readline().strip()


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # it listed the folder, and is closed already


def _put_right(what: str, value: str) -> None:
    """Set back what the supervisor changed about itself before it started us: see `inheritance`."""
    if what == "nofile":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(value), hard))
    elif what == "oom":
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(value)


def _take_orphans() -> None:
    """Have what loses its parent below us become our child, as PR_SET_CHILD_SUBREAPER of prctl(2) does.

    A daemon that left its session and wiped the marker out of its environment is still found as a child of ours then.
    """
    try:
        import _ctypes  # what ctypes adds to it takes 5 ms and 300 kB

        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None: this program
        _ctypes.call_function(prctl, (_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    except (ImportError, AttributeError, OSError):
        pass  # then it is found by its marker alone


def main(fd: int, *wrong: str) -> None:
    """Serve the supervisor at the other end of socket `fd`. `wrong`: what is not to be inherited from it."""
    for word in wrong:
        _put_right(*word.split("="))
    for signum in _IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    # Whoever started the supervisor may have left a pipe open in it, and waits for that pipe to close.
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number != fd:
            _close(number)
    supervisor = socket.socket(fileno=fd)
    supervisor.set_inheritable(False)
    os.chdir("/")
    _take_orphans()
    Shim(supervisor).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
    # Whoever let us go waits for our end, and to take the interpreter apart takes it 4 ms.
    os._exit(0)
