"""What a supervisor and its shim say about probes: a part of `protocol`, which the first command does not need.

| request | on the wire | answered by |
|---|---|---|
| ProbeRequest | `{"ask": "probe", "run_id", "argv", "env", ...}`, see `_encode_probe` | ProbeExited, when it changes |
| EndProbesRequest | `{"ask": "end probes", "run_id"}` | a ProbeExited that says `over` |

| event | on the wire |
|---|---|
| ProbeExited | `{"probed": run id, "output", "count", "took_s", END?, "late"?, "left"?, "over"?}` |

END is `"code"`, `"signal"`, or `"stage"`, `"errno"` and `"text"` as in SpawnFailed.
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TYPE_CHECKING, assert_never
from supervisor.shim.protocol import (
    ExitStatus,
    ProtocolError,
    SpawnFailed,
    UserIds,
    decode_program,
    decode_status,
    decode_user,
    encode_program,
    encode_status,
    encode_user,
)

if TYPE_CHECKING:
    from supervisor.shim.stream import Message


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Run a command again and again, one after the other, until it exits 0; see `prober`.

    To ask again for probes that rest, because a process was left behind, has them go on.
    """

    run_id: str
    """Of all of them."""
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    user: UserIds | None = None
    """None: the shim's own user."""
    interval_s: float = 1.0
    """From the end of one to the beginning of the next."""
    timeout_s: float = 10.0
    """After so long one is killed."""
    kept_bytes: int = 4096
    """How much of the end of its output is reported."""
    program: str = ""
    """As in SpawnRequest."""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndProbesRequest:
    """Kill the probe that runs, and begin no other."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ProbeExited:
    """How the last probe of a run ended, if that is another end than the one before; what is the same comes seldom."""

    run_id: str
    end: ExitStatus | SpawnFailed | None
    """None: none has ended since the last report."""
    output: str = ""
    """The end of what it printed; bytes that are not UTF-8 are lone surrogates."""
    count: int = 0
    """How many have ended since the last report."""
    took_s: float = 0.0
    """How long the last one ran."""
    late: bool = False
    """Whether it was killed because it took too long."""
    left: bool = False
    """Whether it may have left a process behind: the probes rest until they are asked for again."""
    over: bool = False
    """Whether there will be no other: one has exited 0, or they were ended. Nothing of them lives, unless `left`."""


def encode_probe_request(request: ProbeRequest | EndProbesRequest) -> Message:
    """A request as it stands on the wire."""
    match request:
        case ProbeRequest():
            return _encode_probe(request)
        case EndProbesRequest(run_id):
            return {"ask": "end probes", "run_id": run_id}
        case _:
            assert_never(request)


def decode_probe_request(message: Message) -> ProbeRequest | EndProbesRequest:
    """A request from the wire. Raises ProtocolError."""
    match message:
        case {"ask": "probe"}:
            return _decode_probe(message)
        case {"run_id": str(run_id)}:
            return EndProbesRequest(run_id)
        case _:
            raise ProtocolError("the request to end probes names no run")


def _encode_probe(request: ProbeRequest) -> Message:
    message: Message = {
        "ask": "probe",
        "run_id": request.run_id,
        "argv": list(request.argv),
        "env": request.env,
        "cwd": request.cwd,
        "interval_s": request.interval_s,
        "timeout_s": request.timeout_s,
        "kept_bytes": request.kept_bytes,
    }
    return message | encode_user(request.user) | encode_program(request.program, request.words)


def _decode_probe(message: Message) -> ProbeRequest:
    match message:
        case {
            "run_id": str(run_id),
            "argv": [str(), *_] as argv,
            "env": dict(env),
            "cwd": str(cwd),
            "interval_s": float() | int() as interval_s,
            "timeout_s": float() | int() as timeout_s,
            "kept_bytes": int(kept_bytes),
        }:
            user = decode_user(run_id, message.get("as"))
            program, words = decode_program(message)
            return ProbeRequest(
                run_id, tuple(argv), env, cwd, user, interval_s, timeout_s, kept_bytes, program, words
            )
        case _:
            raise ProtocolError("a request for probes lacks a field, or one is of another type")


def encode_report(report: ProbeExited) -> Message:
    """A report as it stands on the wire."""
    message: Message = {
        "probed": report.run_id,
        "output": report.output,
        "count": report.count,
        "took_s": report.took_s,
    }
    match report.end:
        case ExitStatus():
            message |= encode_status(report.end)
        case SpawnFailed(_, stage, number, text):
            message |= {"stage": stage, "errno": number, "text": text}
        case None:
            pass
        case _:
            assert_never(report.end)
    flags = {"late": report.late, "left": report.left, "over": report.over}
    return message | {name: True for name, is_set in flags.items() if is_set}


def decode_report(message: Message) -> ProbeExited:
    """A report from the wire. Raises ProtocolError."""
    match message:
        case {
            "probed": str(run_id),
            "output": str(output),
            "count": int(count),
            "took_s": float() | int() as took_s,
        }:
            late, left, over = (message.get(name) is True for name in ("late", "left", "over"))
            end = _decode_end(run_id, message)
            return ProbeExited(run_id, end, output, count, took_s, late, left, over)
        case _:
            raise ProtocolError("a report about probes lacks a field, or one is of another type")


def _decode_end(run_id: str, message: Message) -> ExitStatus | SpawnFailed | None:
    match message:
        case {"code": int()} | {"signal": int()}:
            return decode_status(message)
        case {"stage": str(stage), "errno": int(number)}:
            return SpawnFailed(run_id, stage, number, str(message.get("text", "")))
        case _:
            return None
