"""The language of a supervisor and its shim: what stands on the wire, and what is refused."""

import json
from typing import Any

import pytest

from supervisor.lean.frozen import replace
from supervisor.shim.probe_protocol import EndProbesRequest, ProbeExited, ProbeRequest
from supervisor.shim.protocol import (
    VERSION,
    Bye,
    CommandExited,
    CommandStarted,
    Event,
    ExitStatus,
    JoinRequest,
    ListenRequest,
    ListRequest,
    LogFlushed,
    ProtocolError,
    Pumping,
    PumpRequest,
    Request,
    RunsListed,
    ShimTrouble,
    SpawnFailed,
    SpawnRequest,
    UserIds,
    decode_event,
    decode_request,
    encode_event,
    encode_request,
)

SPAWN = SpawnRequest("r", ("/bin/sh", "-e"), {"A": "b\udcff"}, "/w", "/r/log", "/r", 7.5)
FULL = SpawnRequest(
    "r", ("/bin/sh",), {}, "/w", "/r/log", "/r", 7.5, UserIds(1000, 1001, (1001, 4)), "/sys/fs/cgroup/r"
)
PUMPED = replace(SPAWN, fifo="/r/fifo", pumping=Pumping(9, 0.5, 3.0))
APART = replace(
    PUMPED, pumping=Pumping(9, 0.5, 3.0, head_bytes=8), err_log="/r/stderr", err_fifo="/r/stderr.fifo"
)
DIRECT = replace(SPAWN, program="/bin/true", words=("true", "a"))
REQUESTS: list[tuple[Request, str]] = [
    (
        DIRECT,
        '{"ask": "spawn", "run_id": "r", "argv": ["/bin/sh", "-e"], "env": {"A": "b\\udcff"}, "cwd": "/w",'
        ' "program": "/bin/true", "words": ["true", "a"], "log": "/r/log", "dir": "/r", "before": 7.5}',
    ),
    (
        SPAWN,
        '{"ask": "spawn", "run_id": "r", "argv": ["/bin/sh", "-e"], "env": {"A": "b\\udcff"}, "cwd": "/w",'
        ' "log": "/r/log", "dir": "/r", "before": 7.5}',
    ),
    (
        FULL,
        '{"ask": "spawn", "run_id": "r", "argv": ["/bin/sh"], "env": {}, "cwd": "/w", "as": {"uid": 1000, "gid": 1001,'
        ' "groups": [1001, 4]}, "cgroup": "/sys/fs/cgroup/r", "log": "/r/log", "dir": "/r", "before": 7.5}',
    ),
    (
        PUMPED,
        '{"ask": "spawn", "run_id": "r", "argv": ["/bin/sh", "-e"], "env": {"A": "b\\udcff"}, "cwd": "/w",'
        ' "fifo": "/r/fifo", "limit_bytes": 9, "quiet_s": 0.5, "drain_s": 3.0,'
        ' "log": "/r/log", "dir": "/r", "before": 7.5}',
    ),
    (
        APART,
        '{"ask": "spawn", "run_id": "r", "argv": ["/bin/sh", "-e"], "env": {"A": "b\\udcff"}, "cwd": "/w",'
        ' "fifo": "/r/fifo", "limit_bytes": 9, "quiet_s": 0.5, "drain_s": 3.0, "head_bytes": 8,'
        ' "err_log": "/r/stderr", "err_fifo": "/r/stderr.fifo",'
        ' "log": "/r/log", "dir": "/r", "before": 7.5}',
    ),
    (
        PumpRequest("r/stderr", "/r/stderr.fifo", "/r/stderr", 9, head_bytes=8),
        '{"ask": "pump", "run_id": "r/stderr", "fifo": "/r/stderr.fifo", "log": "/r/stderr", "limit_bytes": 9,'
        ' "head_bytes": 8}',
    ),
    (
        PumpRequest("r", "/r/fifo", "/r/log", 9),
        '{"ask": "pump", "run_id": "r", "fifo": "/r/fifo", "log": "/r/log", "limit_bytes": 9}',
    ),
    (
        PumpRequest("r", "/r/fifo", "/r/log", 9, held=True),
        '{"ask": "pump", "run_id": "r", "fifo": "/r/fifo", "log": "/r/log", "limit_bytes": 9, "held": true}',
    ),
    (ListRequest(), '{"ask": "list"}'),
    (ListenRequest("/s/shim.sock"), '{"ask": "listen", "path": "/s/shim.sock"}'),
    (JoinRequest("/sys/fs/cgroup/s"), '{"ask": "join", "cgroup": "/sys/fs/cgroup/s"}'),
    (
        ProbeRequest("r", ("/bin/true",), {"A": "b\udcff"}, "/w", UserIds(1000, 1001, (4,)), 1.5, 9.0, 64),
        '{"ask": "probe", "run_id": "r", "argv": ["/bin/true"], "env": {"A": "b\\udcff"}, "cwd": "/w",'
        ' "interval_s": 1.5, "timeout_s": 9.0, "kept_bytes": 64, "as": {"uid": 1000, "gid": 1001, "groups": [4]}}',
    ),
    (EndProbesRequest("r"), '{"ask": "end probes", "run_id": "r"}'),
]
EVENTS: list[tuple[Event, str]] = [
    (
        CommandStarted("r", 12, 345, "/g/r", 6),
        '{"started": "r", "pid": 12, "start_ticks": 345, "cgroup": "/g/r", "log_inode": 6}',
    ),
    (SpawnFailed("r", "exec", 2), '{"failed": "r", "stage": "exec", "errno": 2}'),
    (
        SpawnFailed("r", "request", 22, "TypeError()"),
        '{"failed": "r", "stage": "request", "errno": 22, "text": "TypeError()"}',
    ),
    (CommandExited("r", ExitStatus(3), 7), '{"exited": "r", "pid": 7, "code": 3}'),
    (CommandExited("r", ExitStatus(9, by_signal=True), 7), '{"exited": "r", "pid": 7, "signal": 9}'),
    (
        CommandExited("r", ExitStatus(3), 7, (5, 6), (0, 9)),
        '{"exited": "r", "pid": 7, "code": 3, "written": [5, 6], "lost": [0, 9]}',
    ),
    (
        RunsListed({"r": (12, 345)}, {"e": ExitStatus(0), "k": ExitStatus(15, by_signal=True)}, VERSION),
        '{"runs": {"r": [12, 345]}, "ended": {"e": {"code": 0}, "k": {"signal": 15}}, "version": 7}',
    ),
    (LogFlushed("r"), '{"flushed": "r"}'),
    (
        ProbeExited("r", ExitStatus(1), "no\udcff", 3, 0.25),
        '{"probed": "r", "output": "no\\udcff", "count": 3, "took_s": 0.25, "code": 1}',
    ),
    (
        ProbeExited("r", ExitStatus(9, by_signal=True), "", 1, 10.0, late=True, left=True),
        '{"probed": "r", "output": "", "count": 1, "took_s": 10.0, "signal": 9, "late": true, "left": true}',
    ),
    (
        ProbeExited("r", SpawnFailed("r", "exec", 2), "", 1),
        '{"probed": "r", "output": "", "count": 1, "took_s": 0.0, "stage": "exec", "errno": 2, "text": ""}',
    ),
    (
        ProbeExited("r", None, over=True),
        '{"probed": "r", "output": "", "count": 0, "took_s": 0.0, "over": true}',
    ),
    (Bye(2), '{"bye": 2}'),
    (ShimTrouble("OSError()"), '{"trouble": "OSError()"}'),
]


@pytest.mark.parametrize(("request_", "wire"), REQUESTS)
def test_requests_stand_on_the_wire_as_in_every_shim_of_this_version(request_: Request, wire: str) -> None:
    assert json.dumps(encode_request(request_)) == wire
    assert decode_request(json.loads(wire)) == request_


@pytest.mark.parametrize(("event", "wire"), EVENTS)
def test_events_stand_on_the_wire_as_in_every_shim_of_this_version(event: Event, wire: str) -> None:
    assert json.dumps(encode_event(event)) == wire
    assert decode_event(json.loads(wire)) == event


def test_a_shim_that_does_not_tell_the_inode_of_the_log_is_understood() -> None:
    wire = {"started": "r", "pid": 12, "start_ticks": 345, "cgroup": ""}
    assert decode_event(wire) == CommandStarted("r", 12, 345, "", 0)


def test_fields_that_are_not_known_are_ignored() -> None:
    assert decode_event({"exited": "r", "code": 3, "at": 1.5}) == CommandExited("r", ExitStatus(3))
    assert decode_request({"ask": "list", "since": 1}) == ListRequest()


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"ask": "dance"},
        {"ask": "listen"},
        {"ask": "listen", "path": 3},
        {"ask": "join", "cgroup": None},
        {"ask": "spawn"},
        {"ask": ["spawn"]},
        {"ask": "probe", "run_id": "r"},
        {"ask": "end probes"},
    ],
)
def test_a_request_that_is_not_in_the_table_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode_request(message)
    assert refused.value.run_id == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": []},
        {"argv": "sh"},
        {"env": []},
        {"cwd": 3},
        {"before": "soon"},
        {"as": {"uid": 0}},
        {"as": 1000},
    ],
)
def test_a_spawn_request_that_is_wrong_is_refused_in_the_name_of_its_run(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode_request(encode_request(SPAWN) | wrong)
    assert refused.value.run_id == "r"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"began": "r"},
        {"started": "r"},
        {"started": "r", "pid": "12", "start_ticks": 1},
        {"failed": "r"},
        {"exited": "r"},
        {"exited": "r", "code": None},
        {"runs": [], "ended": {}, "version": 6},
        {"runs": {"r": [1]}, "ended": {}, "version": 6},
        {"runs": {}, "ended": {"r": {}}, "version": 6},
        {"bye": "2"},
        {"trouble": 1},
    ],
)
def test_an_event_that_is_not_in_the_table_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode_event(message)
