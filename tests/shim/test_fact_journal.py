"""The journal of facts, whatever it was cut at, and whoever writes, rewrites, removes or holds it meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.shim.fact_journal import MAX_BYTES, FactJournal, FactWriter, by_run, encoded, last_facts
from supervisor.shim.protocol import CommandStarted, ExitStatus
from supervisor.shim.stream import Message

Facts = tuple[Message | None, Message | None]
SMALL = 4096
"""So large a journal may be here before it is rewritten."""


def began(run_id: str, pid: int = 10, ticks: int = 1) -> bytes:
    return encoded(run_id, {"pid": pid, "start_ticks": ticks, "boot_id": "b", "shim_pid": 1, "wall_s": 1.5})


def ended(run_id: str, code: int, pid: int = 10) -> bytes:
    return encoded(run_id, {"pid": pid, "code": code, "wall_s": 2.5})


def read(data: bytes) -> dict[str, Facts]:
    return {run_id: last_facts(lines) for run_id, lines in by_run(data).items()}


def codes(data: bytes) -> dict[str, int | None]:
    """`{run id: exit code}` of the runs that began or ended."""
    return {
        run_id: None if end is None else end["code"]
        for run_id, (begin, end) in read(data).items()
        if begin or end
    }


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path


def journal_of(state: Path) -> bytes:
    return (state / "run-facts").read_bytes()


def test_a_fact_that_was_cut_off_anywhere_takes_nothing_of_the_next(state: Path) -> None:
    facts = [began("a"), began("b", 11), ended("a", 3), ended("b", 4, 11)]
    whole = b"".join(facts)
    ends = [
        len(b"".join(facts[: number + 1])) - 1 for number in range(len(facts))
    ]  # without its last line break
    for cut in range(len(whole) + 1):
        (state / "run-facts").write_bytes(whole[:cut])
        journal = FactJournal(str(state))
        journal.append(ended("c", 5))
        journal.close()
        seen = read(journal_of(state))
        assert seen.pop("c")[1] == {"run": "c", "pid": 10, "code": 5, "wall_s": 2.5}
        expected = read(b"".join(fact for fact, end in zip(facts, ends, strict=True) if end <= cut))
        assert {run_id: each for run_id, each in seen.items() if any(each)} == expected


ids = st.sampled_from("ab")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("began"), ids, st.integers(1, 3)),
        st.tuples(st.just("ended"), ids, st.integers(1, 3)),
        st.tuples(st.just("forgotten"), ids, st.just(0)),
        st.tuples(st.just("torn"), ids, st.integers(1, 20)),
    )
)


@given(steps)
def test_the_last_facts_are_those_of_the_last_run_with_an_id(history: list[tuple[str, str, int]]) -> None:
    data, expected = b"", dict.fromkeys("ab", (None, None))
    model: dict[str, tuple[int | None, int | None]] = dict(expected)
    for what, run_id, pid in history:
        begun, _ = model[run_id]
        match what:
            case "began":
                data += began(run_id, pid)
                if begun != pid:
                    model[run_id] = pid, None
            case "ended":
                data += ended(run_id, pid * 100, pid)
                if begun in (None, pid):
                    model[run_id] = begun, pid * 100
            case "forgotten":
                data += encoded(run_id, {"forgotten": True})
                model[run_id] = None, None
            case _:
                data += began(run_id)[:pid]
    seen = {
        run_id: (begin and begin["pid"], end and end["code"]) for run_id, (begin, end) in read(data).items()
    }
    assert {run_id: seen.get(run_id, (None, None)) for run_id in "ab"} == model


@pytest.mark.parametrize(
    "line",
    [
        b"\0" * 30,
        b'{"run":"a"',
        b'{"run":"a","pid":',
        b'{"run":"a",' + b"[" * 100_000,
        b'{"run":"a"}',
        b'["run"]',
        b'{"run":"\xff\xfe"}',
        b'{"run":"a","start_ticks":1}',
        b'{"run":"a","pid":10}',
    ],
)
def test_a_line_that_is_no_fact_says_nothing(line: bytes) -> None:
    assert codes(began("a") + line + ended("a", 3)) == {"a": 3}
    assert read(began("a") + line + b"\n" + ended("a", 3))["a"][0] == json.loads(began("a"))


def test_a_large_journal_is_rewritten_with_what_still_has_a_directory(state: Path) -> None:
    (state / "runs" / "kept").mkdir()
    (state / "runs" / "reused").mkdir()
    journal = FactJournal(str(state), SMALL)
    journal.append(
        began("kept") + began("reused") + ended("reused", 1) + encoded("reused", {"forgotten": True})
    )
    first = os.stat(state / "run-facts").st_ino
    for number in range(100):
        journal.append(began(f"r{number}") + ended(f"r{number}", 0))
    journal.append(ended("kept", 7))
    journal.close()
    assert os.stat(state / "run-facts").st_ino != first
    assert len(journal_of(state)) < SMALL + 300
    seen = codes(journal_of(state))
    assert seen.pop("kept") == 7
    assert seen.pop("reused", None) is None
    assert seen, "what was written since the last time"
    assert not (state / "run-facts.new").exists()


def test_a_journal_of_many_kept_runs_is_not_rewritten_each_time(state: Path) -> None:
    for number in range(100):
        (state / "runs" / str(number)).mkdir()
    journal, inodes = FactJournal(str(state), SMALL), set()
    for number in range(100):
        journal.append(began(str(number)))
        inodes.add(os.stat(state / "run-facts").st_ino)
    journal.close()
    assert codes(journal_of(state)) == dict.fromkeys(map(str, range(100)))
    assert len(inodes) < 5


def test_a_journal_without_a_folder_of_runs_grows(tmp_path: Path) -> None:
    journal = FactJournal(str(tmp_path), SMALL)
    for number in range(100):
        journal.append(began(str(number)))
    journal.close()
    assert len(codes(journal_of(tmp_path))) == 100


def forked(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def insist(append: Callable[[], None]) -> None:
    """As a shim does it, only sooner."""
    while True:
        try:
            append()
            return
        except BlockingIOError:
            time.sleep(0.0002)


def test_several_shims_lose_nothing_while_one_of_them_rewrites(state: Path) -> None:
    count = 300

    def write(shim: int) -> None:
        journal = FactJournal(str(state), SMALL)
        for number in range(count):
            run_id = f"{shim}.{number}"
            if number % 3 == 0:
                os.mkdir(state / "runs" / run_id)
            insist(lambda run_id=run_id: journal.append(began(run_id)))  # type: ignore[misc]
            insist(lambda run_id=run_id: journal.append(ended(run_id, shim)))  # type: ignore[misc]

    writers = [forked(lambda shim=shim: write(shim)) for shim in range(4)]  # type: ignore[misc]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in writers] == [0] * 4
    seen = codes(journal_of(state))
    expected = {f"{shim}.{number}": shim for shim in range(4) for number in range(0, count, 3)}
    assert {run_id: code for run_id, code in seen.items() if run_id in expected} == expected


def test_a_shim_that_is_killed_at_any_time_costs_no_fact_that_was_written(state: Path) -> None:
    """It says after each fact that it is written; kills fall into appends and rewrites alike."""
    dice, told = random.Random(4), set()
    for turn in range(40):
        readable, writable = os.pipe()

        def write(turn: int = turn, writable: int = writable) -> None:
            journal = FactJournal(str(state), SMALL)
            for number in range(100_000):
                run_id = f"{turn}.{number}"
                if number % 20 == 0:
                    os.mkdir(state / "runs" / run_id)
                journal.append(ended(run_id, 0))
                os.write(writable, f"{run_id}\n".encode())

        pid = forked(write)
        os.close(writable)
        select.select([readable], [], [], 10)
        time.sleep(dice.random() * 0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with open(readable) as pipe:
            told |= {line.strip() for line in pipe}
        seen = codes(journal_of(state))
        assert {run_id for run_id in told if (state / "runs" / run_id).exists()} <= seen.keys()


# What the shim does with it -------------------------------------------------------------------------------------------


class Writer:
    def __init__(self, state: Path) -> None:
        self.state = state
        self.facts = FactWriter()

    def begin(self, run_id: str, pid: int = 10) -> None:
        self.facts.note_start(self.folder(run_id), CommandStarted(run_id, pid, 1, "", 5))

    def end(self, run_id: str, code: int, pid: int = 10) -> None:
        self.facts.note_exit(run_id, self.folder(run_id), pid, ExitStatus(code))

    def folder(self, run_id: str) -> str:
        return str(self.state / "runs" / run_id)

    @property
    def codes(self) -> dict[str, int | None]:
        return codes(journal_of(self.state))


@pytest.fixture
def writer(state: Path) -> Iterator[Writer]:
    it = Writer(state)
    yield it
    if it.facts._journal:
        it.facts._journal.close()


def test_a_removed_journal_has_the_facts_of_live_runs_after_the_next(writer: Writer) -> None:
    writer.begin("live")
    writer.begin("over", 11)
    writer.end("over", 3, 11)
    os.unlink(writer.state / "run-facts")
    writer.begin("next")
    assert writer.codes == {"live": None, "next": None}
    os.unlink(writer.state / "run-facts")
    writer.end("next", 4)
    assert writer.codes == {"live": None, "next": 4}


@pytest.mark.parametrize("has_directories", [True, False])
@pytest.mark.parametrize("shims", [1, 2])
def test_many_live_runs_do_not_have_the_journal_rewritten_all_the_time(
    state: Path, shims: int, has_directories: bool
) -> None:
    """Whoever rewrites it has kept their facts, so they are not brought along again."""
    writers = [Writer(state) for _ in range(shims)]
    inode, rewrites, count = 0, 0, 3 * MAX_BYTES // 170
    for number in range(count):
        run_id = f"r.{number}"
        if has_directories:
            os.mkdir(state / "runs" / run_id)
        writers[number % shims].begin(run_id, number)
        before, inode = inode, (state / "run-facts").stat().st_ino
        rewrites += before != inode
    assert writers[0].codes == {f"r.{number}": None for number in range(count)}
    size_bytes = len(journal_of(state))
    for writer in writers:
        assert writer.facts._journal is not None
        writer.facts._journal.close()
    assert rewrites <= 4 * shims
    assert size_bytes < 16 * MAX_BYTES


def test_a_removed_state_directory_is_waited_for(writer: Writer) -> None:
    writer.begin("live")
    os.unlink(writer.state / "run-facts")
    aside = writer.state.with_name("aside")
    writer.state.rename(aside)
    writer.end("live", 3)
    assert writer.facts.is_behind
    assert writer.facts.ended == {"live": ExitStatus(3)}
    aside.rename(writer.state)
    writer.facts.retry()
    assert (writer.facts.is_behind, writer.facts.ended) == (False, {})
    assert writer.codes == {"live": 3}


@contextmanager
def no_larger_than(size_bytes: int) -> Iterator[None]:
    """No file of this process can be written past this size; the last write that begins before it is cut off."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_delays_facts_and_loses_none(writer: Writer) -> None:
    writer.begin("a")
    size = os.stat(writer.state / "run-facts").st_size
    with no_larger_than(size + 20):
        writer.end("a", 3)
        writer.begin("b", 11)
        writer.facts.retry()
        assert writer.facts.is_behind
        assert writer.facts.ended == {"a": ExitStatus(3)}
        assert writer.codes == {"a": None}
        writer.end("b", 4, 11)
        assert writer.facts.ended == {"a": ExitStatus(3), "b": ExitStatus(4)}
    writer.facts.retry()
    assert (writer.facts.is_behind, writer.facts.ended) == (False, {})
    assert writer.codes == {"a": 3, "b": 4}


def test_a_shim_that_stands_still_while_it_rewrites_delays_the_others(writer: Writer) -> None:
    writer.begin("a")
    with open(writer.state / "run-facts", "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer.end("a", 3)
        assert writer.facts.ended == {"a": ExitStatus(3)}
    writer.facts.retry()
    assert writer.codes == {"a": 3}
    assert writer.facts.ended == {}


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_something_else_in_the_journals_place_is_not_written_into(
    writer: Writer, plant: Callable[[Path], None]
) -> None:
    path = writer.state / "run-facts"
    plant(path)
    writer.begin("a")
    writer.end("a", 3)
    assert writer.facts.ended == {"a": ExitStatus(3)}
    path.rename(writer.state / "planted")
    writer.facts.retry()
    assert writer.codes == {"a": 3}
