"""What another shim has left is taken over, as soon as that is possible."""

import fcntl
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.lean.frozen import replace
from supervisor.shim.logs.log_keeper import KeeperLink
from supervisor.shim.logs.run_logs import RunLogs
from supervisor.shim.protocol import Event, LogFlushed, PumpRequest


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunLogs]:
    monkeypatch.setattr(KeeperLink, "is_inherited", True)  # it held what the fixture `request_` holds
    woken, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    logs = RunLogs(wakeup)
    yield logs
    for run_id in logs.pump.streams():
        logs.pump.remove(run_id)
    logs.pump.close()
    os.close(woken)
    os.close(wakeup)


@pytest.fixture
def request_(tmp_path: Path) -> Iterator[PumpRequest]:
    """A FIFO in which something is, whose shim and writers are gone."""
    os.mkfifo(tmp_path / "fifo")
    held = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "fifo").write_bytes(b"last words")
    (tmp_path / "log").touch()
    yield PumpRequest("a", str(tmp_path / "fifo"), str(tmp_path / "log"), 1 << 20)
    os.close(held)


def flushed(logs: RunLogs, events: list[Event]) -> list[Event]:
    poll = select.poll()
    while not events:
        poll.poll(5)
        events = logs.attend(set())
    return events


def test_what_was_in_the_fifo_is_flushed(logs: RunLogs, request_: PumpRequest) -> None:
    assert flushed(logs, logs.take_over(request_)) == [LogFlushed("a")]
    assert Path(request_.log).read_bytes() == b"last words"


def test_log_that_another_pump_has_for_now_is_taken_over_later(logs: RunLogs, request_: PumpRequest) -> None:
    other = os.open(request_.log, os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)

    assert logs.take_over(request_) == []
    assert logs.patience_s is not None
    assert logs.retry(set()) == []
    os.close(other)
    assert flushed(logs, logs.retry(set())) == [LogFlushed("a")]
    assert Path(request_.log).read_bytes() == b"last words"


@pytest.mark.parametrize("instead", ["nothing", "a FIFO", "a link"])
def test_log_that_is_gone_when_it_is_taken_over_begins_anew(
    logs: RunLogs, request_: PumpRequest, instead: str
) -> None:
    os.unlink(request_.log)
    if instead == "a FIFO":
        os.mkfifo(request_.log)
    elif instead == "a link":
        os.symlink("elsewhere", request_.log)

    assert flushed(logs, logs.take_over(request_)) == [LogFlushed("a")]
    why = "it was removed" if instead == "nothing" else "another file was put in its place"
    assert Path(request_.log).read_text() == f"supervisor: the log is a new one: {why}\nlast words"


def test_fifo_that_was_removed_is_found_where_the_keeper_has_it(logs: RunLogs, request_: PumpRequest) -> None:
    os.unlink(request_.fifo)

    assert flushed(logs, logs.take_over(request_)) == [LogFlushed("a")]
    assert Path(request_.log).read_bytes() == b"last words"


@pytest.mark.parametrize("held", [False, True])
def test_log_says_that_output_may_be_missing_unless_the_supervisor_held_the_fifo(
    logs: RunLogs, request_: PumpRequest, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    monkeypatch.setattr(KeeperLink, "is_inherited", False)

    assert flushed(logs, logs.take_over(replace(request_, held=held))) == [LogFlushed("a")]
    assert ("output may be missing here" in Path(request_.log).read_text()) != held


@pytest.mark.parametrize("instead", ["nothing", "a file", "a folder", "a link"])
def test_fifo_that_is_gone_holds_up_nobody(logs: RunLogs, tmp_path: Path, instead: str) -> None:
    fifo = tmp_path / "fifo"
    if instead == "a file":
        fifo.touch()
    elif instead == "a folder":
        fifo.mkdir()
    elif instead == "a link":
        fifo.symlink_to("elsewhere")

    assert logs.take_over(PumpRequest("a", str(fifo), str(tmp_path / "log"), 1 << 20)) == [LogFlushed("a")]
    assert not (tmp_path / "log").exists()
    assert logs.patience_s is None
