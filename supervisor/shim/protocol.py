"""The language of a supervisor and its shim: requests go down, events come up.

The two sides may be of different versions: a shim lives on below the supervisor that is upgraded. So what a message
looks like on the wire (see `stream`) never changes within one VERSION, a field may be added where the other side can do
without it, and fields that are not known are ignored. A supervisor uses no shim of another VERSION for new commands.

| request | on the wire | answered by |
|---|---|---|
| SpawnRequest | `{"ask": "spawn", "run_id", "argv", "env", ...}`, see `_encode_spawn` | CommandStarted or SpawnFailed |
| ListRequest | `{"ask": "list"}` | RunsListed |
| ListenRequest | `{"ask": "listen", "path"}` | nothing |
| JoinRequest | `{"ask": "join", "cgroup"}` | nothing |
| PumpRequest | `{"ask": "pump", "run_id", "fifo", "log", "limit_bytes", "held"?, "head_bytes"?}` | LogFlushed |
| ProbeRequest, EndProbesRequest | see `probe_protocol` | ProbeExited |
| (the supervisor closes its side) | end of file | Bye |

| event | on the wire |
|---|---|
| CommandStarted | `{"started": run id, "pid", "start_ticks", "cgroup", "log_inode"?}` |
| SpawnFailed | `{"failed": run id, "stage", "errno", "text"?}` |
| CommandExited | `{"exited": run id, "pid"?, "code" or "signal", "written"?, "lost"?}` |
| RunsListed | `{"runs": {run id: [pid, start ticks]}, "ended": {run id: {"code" or "signal"}}, "version"}` |
| LogFlushed | `{"flushed": stream}` |
| ProbeExited | see `probe_protocol` |
| Bye | `{"bye": number of live commands}` |
| ShimTrouble | `{"trouble": text}` |

A message that is not in these tables raises ProtocolError here, and nowhere else. The first command needs no probes, so
what is said about them is a module of its own. Standard library only.
"""

from __future__ import annotations

import errno

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from supervisor.shim.probe_protocol import EndProbesRequest, ProbeExited, ProbeRequest
    from supervisor.shim.stream import Message

VERSION = 7
"""7: standard output and standard error of a command may have a file each. 6: probes."""


class ProtocolError(Exception):
    """A message that this side does not understand."""

    def __init__(self, text: str, run_id: str = "") -> None:
        """`run_id`: of the run that a spawn request names although the rest of it is wrong; empty: of none."""
        super().__init__(text)
        self.run_id = run_id


# Requests -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserIds:
    """The user that a command runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pumping:
    """How the output of a command is pumped into its log."""

    limit_bytes: int
    """How large the log may be; of one with a head, how many of the last bytes are kept besides."""
    quiet_s: float = 0.2
    """When the main process has ended, its end is reported once nothing has come for so long from what it left."""
    drain_s: float = 2.0
    """And after so long at the latest."""
    head_bytes: int = 0
    """How many of the first bytes are kept; 0: none, only the last ones are."""


NOT_PUMPED = Pumping(0)
FACTS_JOURNAL = "run-facts"
"""The name of the file, in the state directory, in which shims write down when commands began and how they ended."""
KEEPER_SOCKET = "keeper.sock"
"""The name of the socket, in the state directory, at which what holds the FIFOs can be reached: `log_keeper`."""


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """Start a command in a session of its own."""

    run_id: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    log: str
    """The path of the file that its standard output and standard error go to, or standard output alone."""
    dir: str
    """The run directory. The journal of facts is beside the folder that it is in."""
    before: float
    """On the monotonic clock: later than this the command is not started, because the supervisor has given it up."""
    user: UserIds | None = None
    """None: the shim's own user."""
    cgroup: str = ""
    """The folder of the command's control group, beside which the shim's is; empty: it has none of its own."""
    fifo: str = ""
    """The path of the FIFO for its output, made if it is missing, and pumped into `log`; empty: none is."""
    pumping: Pumping = NOT_PUMPED
    """How output is pumped."""
    program: str = ""
    """The path of what is executed in place of `argv` if the kernel does that; empty: nothing.

    A shim that does not know this field executes `argv`, a shell, which does the same.
    """
    words: tuple[str, ...] = ()
    """The arguments of `program`, from its name on."""
    err_log: str = ""
    """The path of the file for standard error; empty: it goes where standard output goes."""
    err_fifo: str = ""
    """The path of the FIFO for standard error, as `fifo` is for standard output."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Say which commands live, and which exit statuses are not on the disk."""


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """Listen at `path` for the next supervisor."""

    path: str


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Stay in this control group while nothing is spawned, and get ready for the first spawn."""

    cgroup: str


@dataclass(frozen=True, slots=True)
class PumpRequest:
    """Pump the FIFO of a run that another shim began, and say when what is in it now has been moved.

    A shim that pumps it already looks at once whether somebody removed the log, and makes it anew then.
    """

    run_id: str
    """The stream that is pumped, see `stream_name`: a run's own id is the one that both outputs go to."""
    fifo: str
    log: str
    limit_bytes: int
    held: bool = False
    """Whether the supervisor has held the FIFO since it was made: nothing in it was lost."""
    head_bytes: int = 0
    """See `Pumping`."""


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: an exit code, or the number of the signal that killed it."""

    number: int
    by_signal: bool = False


@dataclass(frozen=True, slots=True)
class CommandStarted:
    """The process of a run exists."""

    run_id: str
    pid: int
    start_ticks: int
    cgroup: str
    """The folder of the control group that it is in; empty: it has none of its own."""
    log_inode: int = 0
    """0: the shim is too old to tell."""


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """A command was not started."""

    run_id: str
    stage: str
    """What failed: log, user, chdir, exec, fork, late or request."""
    errno: int
    text: str = ""
    """What is wrong with the request, at the stage "request"."""


@dataclass(frozen=True, slots=True)
class CommandExited:
    """The main process of a run has ended."""

    run_id: str
    status: ExitStatus
    pid: int = 0
    """Of that process; 0: the shim is too old to tell."""
    written: tuple[int, ...] = ()
    """Where the files of its standard output and standard error end now, if it has two that are pumped.

    What is before stays, whatever processes that it left behind write.
    """
    lost: tuple[int, ...] = ()
    """How many bytes of each were dropped and are not noted in the file yet, as the disk has no room; empty: none."""


@dataclass(frozen=True, slots=True)
class RunsListed:
    """What the shim holds."""

    runs: dict[str, tuple[int, int]]
    """Live runs: `{run id: (pid, start ticks)}`."""
    ended: dict[str, ExitStatus]
    """Exit statuses that could not be written: `{run id: status}`."""
    version: int


@dataclass(frozen=True, slots=True)
class LogFlushed:
    """What the FIFO of a stream held has been moved into its log; or there is no FIFO, or it cannot be opened."""

    run_id: str
    """As in the PumpRequest."""


@dataclass(frozen=True, slots=True)
class Bye:
    """The shim's last word: how many commands live on."""

    live: int


@dataclass(frozen=True, slots=True)
class ShimTrouble:
    """Something went wrong in the shim that is the answer to no request."""

    text: str


if TYPE_CHECKING:
    Request: TypeAlias = (
        SpawnRequest
        | ListRequest
        | ListenRequest
        | JoinRequest
        | PumpRequest
        | ProbeRequest
        | EndProbesRequest
    )
    Event: TypeAlias = (
        CommandStarted
        | SpawnFailed
        | CommandExited
        | RunsListed
        | LogFlushed
        | ProbeExited
        | Bye
        | ShimTrouble
    )
else:
    Request = Event = object  # for annotations alone: the classes of probes are imported late


# To the wire and back -------------------------------------------------------------------------------------------------


def encode_request(request: Request) -> Message:
    """A request as it stands on the wire."""
    match request:
        case SpawnRequest():
            return _encode_spawn(request)
        case ListRequest():
            return {"ask": "list"}
        case ListenRequest(path):
            return {"ask": "listen", "path": path}
        case JoinRequest(cgroup):
            return {"ask": "join", "cgroup": cgroup}
        case PumpRequest(run_id, fifo, log, limit_bytes, held, head_bytes):
            message: Message = {"ask": "pump", "run_id": run_id, "fifo": fifo, "log": log}
            message["limit_bytes"] = limit_bytes
            message |= {"head_bytes": head_bytes} if head_bytes else {}
            return message | {"held": True} if held else message
        case _:
            from supervisor.shim.probe_protocol import encode_probe_request

            return encode_probe_request(request)


def _encode_spawn(request: SpawnRequest) -> Message:
    message: Message = {
        "ask": "spawn",
        "run_id": request.run_id,
        "argv": list(request.argv),
        "env": request.env,
        "cwd": request.cwd,
    }
    message |= encode_user(request.user)
    if request.cgroup:
        message["cgroup"] = request.cgroup
    if request.fifo:
        pumping = request.pumping
        message |= {"fifo": request.fifo, "limit_bytes": pumping.limit_bytes}
        message |= {"quiet_s": pumping.quiet_s, "drain_s": pumping.drain_s}
        message |= {"head_bytes": pumping.head_bytes} if pumping.head_bytes else {}
    if request.err_log:
        message |= {"err_log": request.err_log, "err_fifo": request.err_fifo}
    message |= encode_program(request.program, request.words)
    return message | {"log": request.log, "dir": request.dir, "before": request.before}


def encode_program(program: str, words: tuple[str, ...]) -> Message:
    """What is executed without a shell, as it stands on the wire."""
    return {"program": program, "words": list(words)} if program else {}


def encode_user(user: UserIds | None) -> Message:
    """Whom a command runs as, as it stands on the wire."""
    return {"as": {"uid": user.uid, "gid": user.gid, "groups": list(user.groups)}} if user else {}


def decode_request(message: Message) -> Request:
    """A request from the wire. Raises ProtocolError."""
    match message:
        case {"ask": "spawn"}:
            return _decode_spawn(message)
        case {"ask": "probe" | "end probes"}:
            from supervisor.shim.probe_protocol import decode_probe_request

            return decode_probe_request(message)
        case {"ask": "list"}:
            return ListRequest()
        case {"ask": "listen", "path": str(path)}:
            return ListenRequest(path)
        case {"ask": "join", "cgroup": str(cgroup)}:
            return JoinRequest(cgroup)
        case {
            "ask": "pump",
            "run_id": str(run_id),
            "fifo": str(fifo),
            "log": str(log),
            "limit_bytes": int(limit_bytes),
        }:
            held, head_bytes = message.get("held") is True, _int(message.get("head_bytes"))
            return PumpRequest(run_id, fifo, log, limit_bytes, held, head_bytes)
        case _:
            raise ProtocolError(f"unknown request {message.get('ask')!r}")


def _decode_spawn(message: Message) -> SpawnRequest:
    match message:
        case {
            "run_id": str(run_id),
            "argv": [str(), *_] as argv,
            "env": dict(env),
            "cwd": str(cwd),
            "log": str(log),
            "dir": str(folder),
            "before": float() | int() as before,
        }:
            user = decode_user(run_id, message.get("as"))
            program, words = decode_program(message)
            return SpawnRequest(
                run_id,
                tuple(argv),
                env,
                cwd,
                log,
                folder,
                before,
                user,
                str(message.get("cgroup", "")),
                str(message.get("fifo", "")),
                _decode_pumping(message),
                program,
                words,
                str(message.get("err_log", "")),
                str(message.get("err_fifo", "")),
            )
        case {"run_id": str(run_id)}:
            raise ProtocolError("a spawn request lacks a field, or one is of another type", run_id)
        case _:
            raise ProtocolError("a spawn request names no run")


def decode_program(message: Message) -> tuple[str, tuple[str, ...]]:
    """What is executed without a shell, from the wire."""
    match message:
        case {"program": str(program), "words": [str(), *_] as words}:
            return program, tuple(words)
        case _:
            return "", ()


def _decode_pumping(message: Message) -> Pumping:
    match message:
        case {
            "limit_bytes": int(limit),
            "quiet_s": float() | int() as quiet,
            "drain_s": float() | int() as drain,
        }:
            return Pumping(limit, quiet, drain, _int(message.get("head_bytes")))
        case _:
            return NOT_PUMPED


def decode_user(run_id: str, user: object) -> UserIds | None:
    """Whom a command runs as, from the wire. Raises ProtocolError."""
    match user:
        case None:
            return None
        case {"uid": int(uid), "gid": int(gid), "groups": [*groups]}:
            return UserIds(uid, gid, tuple(groups))
        case _:
            # As ourselves, who may be root, it must not run.
            raise ProtocolError("a spawn request names no user that can be understood", run_id)


def encode_event(event: Event) -> Message:
    """An event as it stands on the wire."""
    match event:
        case CommandStarted(run_id, pid, start_ticks, cgroup, log_inode):
            return {
                "started": run_id,
                "pid": pid,
                "start_ticks": start_ticks,
                "cgroup": cgroup,
                "log_inode": log_inode,
            }
        case SpawnFailed(run_id, stage, number, text):
            message: Message = {"failed": run_id, "stage": stage, "errno": number}
            return message | ({"text": text} if text else {})
        case CommandExited(run_id, status, pid, written, lost):
            more: Message = {"written": list(written)} if written else {}
            more |= {"lost": list(lost)} if lost else {}
            return {"exited": run_id, "pid": pid} | encode_status(status) | more
        case RunsListed(runs, ended, version):
            return {
                "runs": {run_id: list(process) for run_id, process in runs.items()},
                "ended": {run_id: encode_status(status) for run_id, status in ended.items()},
                "version": version,
            }
        case LogFlushed(run_id):
            return {"flushed": run_id}
        case Bye(live):
            return {"bye": live}
        case ShimTrouble(text):
            return {"trouble": text}
        case _:
            from supervisor.shim.probe_protocol import encode_report

            return encode_report(event)


def decode_event(message: Message) -> Event:
    """An event from the wire. Raises ProtocolError."""
    match message:
        case {"exited": str(run_id)}:
            written, lost = _ints(message.get("written")), _ints(message.get("lost"))
            return CommandExited(run_id, decode_status(message), _int(message.get("pid")), written, lost)
        case {"started": str(run_id), "pid": int(pid), "start_ticks": int(ticks)}:
            cgroup, inode = str(message.get("cgroup", "")), _int(message.get("log_inode"))
            return CommandStarted(run_id, pid, ticks, cgroup, inode)
        case {"failed": str(run_id), "stage": str(stage)}:
            number = _int(message.get("errno")) or errno.EIO
            return SpawnFailed(run_id, stage, number, str(message.get("text", "")))
        case {"runs": dict(runs), "ended": dict(ended), "version": int(version)}:
            return RunsListed(
                {run_id: _decode_process(process) for run_id, process in runs.items()},
                {run_id: decode_status(status) for run_id, status in ended.items()},
                version,
            )
        case {"flushed": str(run_id)}:
            return LogFlushed(run_id)
        case {"probed": str()}:
            from supervisor.shim.probe_protocol import decode_report

            return decode_report(message)
        case {"bye": int(live)}:
            return Bye(live)
        case {"trouble": str(text)}:
            return ShimTrouble(text)
        case _:
            raise ProtocolError(f"unknown event with the fields {', '.join(map(str, message)) or 'none'}")


def encode_status(status: ExitStatus) -> Message:
    """An exit status as it stands on the wire, and in the journal of facts."""
    return {"signal" if status.by_signal else "code": status.number}


def decode_status(message: object) -> ExitStatus:
    """An exit status from the wire, or from the journal of facts. Raises ProtocolError."""
    match message:
        case {"code": int(code)}:
            return ExitStatus(code)
        case {"signal": int(number)}:
            return ExitStatus(number, by_signal=True)
        case _:
            raise ProtocolError("an exit status has neither code nor signal")


def _decode_process(process: object) -> tuple[int, int]:
    match process:
        case [int(pid), int(start_ticks)]:
            return pid, start_ticks
        case _:
            raise ProtocolError("a live run has no pid and start time")


def _ints(value: object) -> tuple[int, ...]:
    return tuple(map(_int, value)) if isinstance(value, list) else ()


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
