"""The prober: a real shim, real commands; what is reported of them, and what is left of them."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from supervisor.host.proc import process_tree
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.lean.frozen import replace
from supervisor.shim.probe_protocol import ProbeExited, ProbeRequest
from supervisor.shim.protocol import ExitStatus, SpawnFailed, UserIds

BASH = shutil.which("bash") or "/bin/bash"
FAILED = ExitStatus(1)


class Prober:
    """A shim, asked for the probes of the run "web.2"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = ShimClient.start()
        self.reports: list[ProbeExited] = []

    def request(self, script: str, interval_s: float = 0.02, timeout_s: float = 10.0) -> ProbeRequest:
        env = {"PATH": os.environ["PATH"], "SUPERVISOR_RUN_ID": "web.2"}
        argv = (BASH, "-c", script)
        return ProbeRequest("web.2", argv, env, str(self.folder), None, interval_s, timeout_s)

    def probe(self, script: str, interval_s: float = 0.02, timeout_s: float = 10.0) -> None:
        self.client.probe(self.request(script, interval_s, timeout_s))

    def receive(self) -> list[ProbeExited]:
        self.reports += [event for event in self.client.receive() if isinstance(event, ProbeExited)]
        return self.reports

    def next(self) -> ProbeExited:
        """The next report."""
        until(self.receive)
        return self.reports.pop(0)

    def runs(self) -> int:
        """How many probes began, of those that note it in a file."""
        return (self.folder / "runs").read_bytes().count(b".") if (self.folder / "runs").exists() else 0

    def live(self) -> list[int]:
        """The processes that carry the run's marker."""
        return [ref.pid for ref in process_tree.census({"web.2": None})["web.2"]]


def until(condition: Callable[[], object], most_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Prober]:
    it = Prober(tmp_path)
    yield it
    it.client.close()


def test_probe_runs_until_it_exits_0_and_only_what_is_new_is_reported(it: Prober) -> None:
    it.probe("printf . >> runs; echo not yet; [ -e ready ]")
    first = it.next()
    assert (first.end, first.output, first.count, first.over, first.left) == (
        FAILED,
        "not yet\n",
        1,
        False,
        False,
    )
    until(lambda: it.runs() >= 5)
    assert it.receive() == []
    (it.folder / "ready").touch()
    last = it.next()
    assert (last.end, last.output, last.over, last.left) == (ExitStatus(0), "not yet\n", True, False)
    assert last.count == it.runs() - 1 >= 5
    assert 0 < last.took_s < 5


def test_another_exit_or_output_is_reported(it: Prober) -> None:
    it.probe("n=$(cat n 2>/dev/null); echo $((n + 1)) > n; echo try $(((n + 1) / 2)); exit $((n % 2 + 3))")
    seen = [it.next() for _ in range(4)]
    assert [(report.end, report.output) for report in seen] == [
        (ExitStatus(3), "try 0\n"),
        (ExitStatus(4), "try 1\n"),
        (ExitStatus(3), "try 1\n"),
        (ExitStatus(4), "try 2\n"),
    ]


def test_death_by_a_signal_is_reported(it: Prober) -> None:
    it.probe("kill -9 $$")
    assert it.next().end == ExitStatus(signal.SIGKILL, by_signal=True)


def test_the_end_of_the_output_is_kept_and_begins_with_a_character(it: Prober) -> None:
    it.probe("for i in {1..3000}; do echo äöü $i; done; printf '\\377'; exit 1")
    output = it.next().output.encode("utf-8", "surrogateescape")
    assert 4093 <= len(output) <= 4096
    assert output.endswith("\näöü 3000\n".encode() + b"\xff")
    assert output[0] & 0xC0 != 0x80


def test_probe_that_prints_more_than_a_pipe_holds_goes_on(it: Prober) -> None:
    it.probe("head -c 400000 /dev/zero | tr '\\0' x; exit 1")
    assert it.next().output == "x" * 4096


def test_probe_that_writes_to_dev_stderr_is_heard(it: Prober) -> None:
    it.probe("echo one; echo two > /dev/stderr; exit 1")
    assert it.next().output == "one\ntwo\n"


def test_probe_that_cannot_start_is_tried_again(it: Prober) -> None:
    program = it.folder / "late"
    it.client.probe(replace(it.request(""), argv=(str(program),)))
    report = it.next()
    assert report.end == SpawnFailed("web.2", "exec", 2)
    assert not report.over
    program.write_text(f"#!{BASH}\necho here\n")
    program.chmod(0o700)
    until(lambda: it.receive() and it.reports[-1].over)
    assert it.reports[-1].output == "here\n"


def test_folder_that_cannot_be_entered_is_named(it: Prober) -> None:
    it.client.probe(replace(it.request(":"), cwd=str(it.folder / "none")))
    assert it.next().end == SpawnFailed("web.2", "chdir", 2)


def test_request_that_makes_no_sense_is_a_failure(it: Prober) -> None:
    it.client.probe(replace(it.request(":"), env={"A": 1}))  # type: ignore[dict-item]
    end = it.next().end
    assert isinstance(end, SpawnFailed)
    assert end.stage == "request"


def test_probe_that_takes_too_long_is_killed_with_its_group_and_they_rest(it: Prober) -> None:
    it.probe("printf . >> runs; trap '' TERM; sleep 1000 & echo waits; wait", timeout_s=0.3)
    report = it.next()
    assert (report.end, report.late, report.left, report.over) == (
        ExitStatus(signal.SIGKILL, by_signal=True),
        True,
        True,
        False,
    )
    assert report.output == "waits\n"
    until(lambda: not it.live())
    assert it.runs() == 1
    it.probe("printf . >> runs; :")
    assert it.next().over
    assert it.runs() == 2


def test_what_is_left_in_the_group_is_killed(it: Prober) -> None:
    it.probe("sleep 1000 >/dev/null 2>&1 & sleep 0.1; exit 1", interval_s=100.0)
    it.next()
    until(lambda: not it.live())


@pytest.mark.parametrize(
    "leave",
    [
        "setsid sleep 1000 >/dev/null 2>&1 &",
        "setsid sleep 1000 &",
        "setsid sh -c 'sleep 1000 & exec sleep 1000' >/dev/null 2>&1 &",
        "set -m; sleep 1000 >/dev/null 2>&1 &",
        "env -u SUPERVISOR_RUN_ID setsid sleep 1000 >/dev/null 2>&1 &",
    ],
)
def test_probe_that_leaves_a_process_outside_its_group_rests(it: Prober, leave: str) -> None:
    until_it_left = "for i in {1..100}; do sleep 0.01; [ $(ps -o pgid= -p $!) != $$ ] && break; done"
    it.probe(f"printf . >> runs; {leave} {until_it_left}; exit 1")
    report = it.next()
    assert (report.end, report.left, report.over) == (FAILED, True, False)
    time.sleep(0.1)
    assert it.runs() == 1
    _kill({*_children(it.client.shim_pid), *it.live()})
    it.probe("exit 0")
    assert it.next().over


def test_last_words_of_a_filter_are_waited_for(it: Prober) -> None:
    it.probe("exec > >(sleep 0.1; sed s/^/filtered:/); echo said; exit 1")
    report = it.next()
    assert report.output == "filtered:said\n"


def test_process_that_another_run_left_is_not_taken_for_a_probes(it: Prober) -> None:
    other = replace(it.request("setsid sleep 1000 >/dev/null 2>&1 & sleep 0.1"), run_id="task")
    other.env["SUPERVISOR_RUN_ID"] = "task"
    it.client.probe(other)
    assert it.next().left
    it.probe("exit 1")
    assert not it.next().left
    _kill(_children(it.client.shim_pid))


def test_probes_that_are_not_wanted_end(it: Prober) -> None:
    it.probe("printf . >> runs; trap '' TERM; echo runs; while :; do sleep 1; done")
    until(lambda: it.runs() == 1)
    it.client.end_probes("web.2")
    report = it.next()
    assert report.over
    until(lambda: not it.live())
    it.client.end_probes("web.2")
    assert it.next() == ProbeExited("web.2", None, over=True)


def test_probes_in_a_pause_end_at_once(it: Prober) -> None:
    it.probe("printf . >> runs; exit 1", interval_s=100.0)
    it.next()
    it.client.end_probes("web.2")
    assert it.next() == ProbeExited("web.2", None, over=True)


def test_next_supervisor_goes_on_with_a_probe_that_runs(it: Prober) -> None:
    socket = it.folder / "shim.sock"
    it.client.listen(socket)
    it.probe("printf . >> runs; until [ -e go ]; do sleep 0.01; done; echo went")
    until(lambda: it.runs() == 1)
    until(socket.exists)
    it.client.abandon()
    client = ShimClient.reconnect(socket)
    assert client is not None
    client.runs()
    it.client.pid, client.pid = client.pid, it.client.pid
    it.client = client
    it.probe("printf . >> runs; echo another")
    (it.folder / "go").touch()
    assert (report := it.next()).over
    assert report.output == "went\n"
    assert it.runs() == 1


def test_without_a_supervisor_no_probe_begins(tmp_path: Path) -> None:
    it = Prober(tmp_path)
    it.probe("printf . >> runs; exit 1", interval_s=0.05)
    it.next()
    pid = it.client.pid
    assert it.client.close() == 0
    assert pid is not None
    runs = it.runs()
    time.sleep(0.2)
    assert it.runs() == runs


def test_many_probes_leave_no_descriptor(it: Prober) -> None:
    it.probe("printf . >> runs; exit 1", interval_s=0.0)
    it.next()
    until(lambda: it.runs() > 50)
    it.client.end_probes("web.2")
    until(lambda: it.receive() and it.reports.pop().over)
    after = _descriptors(it.client.shim_pid)
    it.probe("exit 1", interval_s=100.0)
    it.next()
    assert _descriptors(it.client.shim_pid) == after


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_probe_runs_as_another_user_who_can_open_its_output_again(it: Prober) -> None:
    it.folder.chmod(0o777)
    request = replace(
        it.request("id -u; echo again > /dev/stderr; exit 1"), user=UserIds(64321, 64321, ()), cwd="/"
    )
    it.client.probe(request)
    assert it.next().output == "64321\nagain\n"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it may have had the same end as the one before
            os.kill(pid, signal.SIGKILL)
