"""The reader of the journal of times, over journals made by hand and by the shim's writer."""

import asyncio
import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.host.runs import line_times, log_file
from supervisor.host.runs.line_times import LineTimes
from supervisor.shim.logs.log_times import NAME, RECORD, LogTimes, key

BEGAN_MS = 1_796_077_620_000


class Journal:
    """A state directory with a journal and logs."""

    def __init__(self, state: Path) -> None:
        self.state = state
        (state / "runs").mkdir()
        self.times = LineTimes(state)

    def note(self, run_id: str, *records: tuple[int, int]) -> None:
        """Append records: an offset, and milliseconds after BEGAN_MS."""
        with open(self.state / NAME, "ab") as journal:
            for offset, ms in records:
                journal.write(RECORD.pack(key(run_id), offset, (BEGAN_MS + ms) * 1_000_000 + 999))

    def log(self, run_id: str, data: bytes) -> Path:
        folder = self.state / "runs" / run_id
        folder.mkdir(exist_ok=True)
        (folder / "log").write_bytes(data)
        return folder / "log"

    def at(self, offset: int, run_id: str = "run") -> int:
        """Milliseconds after BEGAN_MS."""
        read(self.times)
        return self.times.of(run_id).ms_at(offset) - BEGAN_MS

    def span(self, since: int, until: int, run_id: str = "run") -> tuple[int | None, int | None]:
        read(self.times)
        times = self.times.of(run_id)
        return times.first_at(BEGAN_MS + since), times.end_at(BEGAN_MS + until)


def read(times: LineTimes) -> None:
    """Read the journal, however long it is."""
    asyncio.run(times.refresh())


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_time_of_a_byte_is_that_of_the_last_record_before_it(journal: Journal) -> None:
    journal.note("run", (0, 0), (10, 1000))
    journal.note("other", (0, 500), (5, 700))
    journal.note("run", (20, 2000))

    assert [journal.at(offset) for offset in (0, 9, 10, 19, 20, 999)] == [0, 0, 1000, 1000, 2000, 2000]
    assert journal.at(7, "other") == 700
    assert journal.times.of("run").ms_at(10) == BEGAN_MS + 1000


def test_each_stream_of_an_operation_has_times_of_its_own(journal: Journal) -> None:
    journal.note("run/stdout", (0, 0), (10, 1000))
    journal.note("run/stderr", (0, 500))
    (journal.state / "runs/run").mkdir()
    (journal.state / "runs/run/stderr").write_bytes(b"one\ntwo\n")

    assert [journal.at(10, f"run/{stream}") for stream in ("stdout", "stderr")] == [1000, 500]
    assert journal.times.of("run/stderr").line_at_ms(BEGAN_MS + 400) == 0


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (-1, 5000, (0, None)),  # before the first, after the last
        (0, 2000, (0, None)),  # at both
        (1, 1999, (10, 20)),
        (1000, 1000, (10, 20)),  # of one record
        (1001, 999, (20, 10)),
        (2001, -1, (None, 0)),  # after the last, before the first
    ],
)
def test_span_of_times_at_its_edges(
    journal: Journal, since: int, until: int, expected: tuple[int | None, int | None]
) -> None:
    journal.note("run", (0, 0), (10, 1000), (20, 2000))

    assert journal.span(since, until) == expected


def test_clock_that_was_set_back_leaves_nothing_out(journal: Journal) -> None:
    journal.note("run", (0, 1000), (10, 2000), (20, 500), (30, 1500))

    assert journal.span(1200, 1200) == (10, 30)
    assert journal.span(1800, 1800) == (10, None)
    assert journal.span(0, 700) == (0, 30)
    assert journal.span(0, 400) == (0, 0)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12), st.integers(-1, 21))
def test_everything_in_a_span_of_times_lies_between_its_offsets(steps: list[int], ms: int) -> None:
    records = line_times._Records()
    for number, step in enumerate(steps):
        records.add(number * 10, (BEGAN_MS + step) * 1_000_000)
    times = line_times.RunTimes("", records, BEGAN_MS + steps[0], BEGAN_MS + steps[0])
    first, end = times.first_at(BEGAN_MS + ms), times.end_at(BEGAN_MS + ms)

    late = [number * 10 for number, step in enumerate(steps) if step >= ms]
    early = [number * 10 for number, step in enumerate(steps) if step <= ms]
    assert first == min(late, default=None)
    assert (end if end is not None else len(steps) * 10) == (max(early) + 10 if early else 0)


def test_journal_is_read_on_from_where_it_was(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pread = os.pread

    def noted(fd: int, size: int, at: int) -> bytes:
        read.append(size)
        return pread(fd, size, at)

    monkeypatch.setattr(os, "pread", noted)
    journal.note("run", *((offset, offset) for offset in range(100)))
    assert journal.at(50) == 50
    journal.note("run", (100, 100))
    assert journal.at(100) == 100
    assert journal.at(100) == 100

    assert read == [100 * RECORD.size, 2 * RECORD.size]


def test_records_at_the_same_offset_are_one(journal: Journal) -> None:
    journal.note("run", (0, 0), (0, 400), (10, 1000), (5, 1100))

    assert [journal.at(offset) for offset in (0, 5, 10)] == [400, 400, 1000]


def test_rewrite_by_rename_is_noticed(journal: Journal) -> None:
    journal.note("run", (0, 0), (10, 1000), (20, 2000))
    assert journal.at(10) == 1000
    aside = journal.state / f"{NAME}.new"
    path = journal.state / NAME
    for records in ([(0, 0), (20, 2000)], [(0, 0), (20, 2000), (30, 3000), (40, 4000)]):
        aside.write_bytes(
            b"".join(RECORD.pack(key("run"), offset, (BEGAN_MS + ms) * 1_000_000) for offset, ms in records)
        )
        os.replace(aside, path)
        assert [journal.at(offset) for offset in (10, records[-1][0])] == [0, records[-1][1]]


def test_rewrite_into_the_same_inode_is_noticed(journal: Journal) -> None:
    """The number of an inode that was freed is given again."""
    journal.note("run", (0, 0), (10, 1000))
    assert journal.at(10) == 1000
    with open(journal.state / NAME, "r+b") as rewritten:
        rewritten.truncate()
        rewritten.write(b"".join(RECORD.pack(1, 0, BEGAN_MS * 1_000_000) for _ in range(3)))
    journal.note("run", (0, 70))

    assert journal.at(10) == 70


@pytest.mark.parametrize("torn", range(1, RECORD.size))
def test_torn_record_counts_neither_before_nor_after_it_is_filled(journal: Journal, torn: int) -> None:
    journal.note("run", (0, 0))
    path = journal.state / NAME
    with open(path, "ab") as file:
        file.write(RECORD.pack(key("run"), 10, (BEGAN_MS + 9) * 1_000_000)[:torn])
    assert journal.at(10) == 0
    writer = LogTimes(str(journal.state))
    writer.write((key("run"), 20, (BEGAN_MS + 2000) * 1_000_000))
    writer.close()

    assert [journal.at(offset) for offset in (10, 20)] == [0, 2000]
    assert path.stat().st_size == 3 * RECORD.size


def test_journal_that_grows_large_is_left_to_a_thread(journal: Journal) -> None:
    journal.note("run", (0, 0))
    assert journal.times.catch_up()
    journal.note("run", *((offset, offset) for offset in range(1, 3000)))

    assert not journal.times.catch_up()
    read(journal.times)
    assert journal.times.catch_up()
    assert journal.at(2999) == 2999


def test_run_without_records_has_the_time_at_which_it_began(journal: Journal) -> None:
    """What may lie in the span is not left out."""
    log = journal.log("run", b"one\ntwo\n")
    started = log.parent / "started"
    started.write_bytes(b"")
    os.utime(started, ns=(0, BEGAN_MS * 1_000_000))
    os.utime(log, ns=(0, (BEGAN_MS + 5000) * 1_000_000))

    assert [journal.at(0), journal.at(7)] == [0, 0]
    assert journal.span(0, 0) == (0, None)
    assert journal.span(5000, -1) == (0, 0)
    assert journal.span(5001, 9000) == (None, None)
    journal.note("run", (4, 3000))  # the first records are lost
    assert [journal.at(3), journal.at(4)] == [0, 3000]
    assert journal.span(3000, 2999) == (0, 4)
    assert journal.span(3001, -1) == (None, 0)


def test_without_a_journal_nothing_is_known(journal: Journal) -> None:
    read(journal.times)

    assert journal.times.of("run").ms_at(5) == 0
    assert journal.times.of("run").first_at(BEGAN_MS) is None


def test_offset_at_a_time_is_where_a_line_begins(journal: Journal) -> None:
    journal.log("run", b"one\ntwo\nthree\nfour")
    journal.note("run", (0, 0), (2, 1000), (8, 2000), (15, 3000))
    read(journal.times)
    times = journal.times.of("run")

    found = [times.line_at_ms(BEGAN_MS + ms) for ms in (0, 500, 1000, 1500, 2000, 2500, 3500)]
    assert found == [0, 4, 4, 8, 8, 18, None]


@given(st.data())
def test_line_at_is_found_over_blocks(data: st.DataObject) -> None:
    text = data.draw(st.lists(st.sampled_from([b"\n", b"x", b"ab\n"]), max_size=12).map(b"".join))
    offset = data.draw(st.integers(0, len(text)))
    expected = next(
        (at for at in range(offset, len(text)) if at == 0 or text[at - 1 : at] == b"\n"), len(text)
    )
    with tempfile.NamedTemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(text)
        file.flush()
        patch.setattr(log_file, "_BLOCK", 2)
        assert log_file.line_at(file.name, offset) == (offset if offset == 0 else expected)


def test_what_the_shim_writes_and_rewrites_is_read(journal: Journal) -> None:
    """The journal is bounded: what is older than the last records is known to the second."""
    writer = LogTimes(str(journal.state), max_bytes=2000 * RECORD.size)
    chance = random.Random(7)
    journal.log("run", b"")
    journal.log("other", b"")
    written: dict[str, list[tuple[int, int]]] = {"run": [], "other": []}
    now_ns, offset = BEGAN_MS * 1_000_000, 0
    for _ in range(9000):
        now_ns, offset = now_ns + chance.randrange(10_000_000, 60_000_000), offset + chance.randrange(1, 500)
        run_id = chance.choice(("run", "run", "other"))
        writer.write((key(run_id), offset if written[run_id] else 0, now_ns))
        written[run_id].append((offset if written[run_id] else 0, now_ns))
        if chance.random() < 0.01:
            read(journal.times)
            last, at_ns = written[run_id][-1]
            assert journal.times.of(run_id).ms_at(last) == at_ns // 1_000_000
    writer.close()
    read(journal.times)
    for run_id, records in written.items():
        times = journal.times.of(run_id)
        for offset, at_ns in records:
            assert 0 <= at_ns // 1_000_000 - times.ms_at(offset) <= 10_100
