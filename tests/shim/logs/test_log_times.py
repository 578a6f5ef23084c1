"""The journal of times: appended to, bounded, and read back as written."""

import os
from pathlib import Path

from supervisor.shim.logs.log_times import NAME, RECORD, LogTimes, Record, key, keys, read_records, thinned

SECOND = 1_000_000_000
A, B = key("a"), key("b")


def records(state: Path) -> list[Record]:
    fd = os.open(state / NAME, os.O_RDONLY)
    try:
        return read_records(fd)
    finally:
        os.close(fd)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    times = LogTimes(str(tmp_path))
    written = [(A, 0, 5), (B, 0, 6), (A, 1 << 40, 7)]
    for record in written:
        times.write(record)
    times.close()

    assert records(tmp_path) == written


def test_record_that_a_kill_cut_is_no_record_and_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(RECORD.pack(A, 0, 5) + b"torn")

    times = LogTimes(str(tmp_path))
    times.write((A, 9, 6))
    times.close()

    assert [record for record in records(tmp_path) if record[0] == A] == [(A, 0, 5), (A, 9, 6)]


def test_journal_that_is_removed_is_made_again(tmp_path: Path) -> None:
    times = LogTimes(str(tmp_path))
    times.write((A, 0, 5))
    times.close()
    (tmp_path / NAME).unlink()
    times.write((A, 9, 6))
    times.close()

    assert records(tmp_path) == [(A, 9, 6)]


def test_journal_keeps_within_its_bound(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    most = 200 * RECORD.size
    times = LogTimes(str(tmp_path), most)
    for number in range(2000):
        times.write(((A, B)[number % 2], number, number * SECOND // 50))
        assert (tmp_path / NAME).stat().st_size <= most
    times.close()

    kept = records(tmp_path)
    assert kept[:2] == [(A, 0, 0), (B, 1, SECOND // 50)], "the first of each run is lost"
    assert kept[-1] == (B, 1999, 1999 * SECOND // 50)
    assert len(kept) > 20


def test_runs_that_are_gone_go_from_the_journal() -> None:
    assert thinned([(A, 0, 1), (B, 0, 2), (A, 1, 3)], {B}, 10) == [(B, 0, 2)]


def test_older_records_are_further_apart() -> None:
    written = [(A, number, number * SECOND // 10) for number in range(100)]

    kept = thinned(written, {A}, 40)

    assert len(kept) <= 40
    assert kept[-10:] == written[-10:]
    assert [at for _, _, at in kept[:5]] == [0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND]


def test_without_room_a_time_is_left_out(tmp_path: Path) -> None:
    times = LogTimes(str(tmp_path / "missing"))
    times.write((A, 0, 5))  # no error
    times.close()


def test_keys_of_a_run_are_those_of_all_streams_that_it_may_have() -> None:
    assert keys(["a", "b"]) == {
        key(name) for name in ("a", "a/stdout", "a/stderr", "b", "b/stdout", "b/stderr")
    }
