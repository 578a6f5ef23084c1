"""Logs with holes: a file may claim to have terabytes that nobody ever wrote."""

import os
import threading
from pathlib import Path

import pytest

from supervisor.host.runs import log_file

HUGE = 15 << 40


def sparse(path: str, before: bytes, size_bytes: int, after: bytes) -> None:
    """As a command does it: `echo before; truncate -s SIZE /dev/stdout; echo after`."""
    with open(path, "ab") as file:
        file.write(before)
        file.truncate(size_bytes)
        file.flush()
        os.write(file.fileno(), after)


def read_all(path: str, max_bytes: int) -> tuple[bytes, list[int], int]:
    """The data, the lengths of what is not there, and the number of reads that this took."""
    data, gaps, at = b"", [], 0
    for count in range(1, 1000):
        chunk = log_file.read(path, at, max_bytes)
        if chunk.dropped:
            gaps.append(chunk.dropped)
        elif not chunk.data:
            return data, gaps, count
        data, at = data + chunk.data, chunk.end
    raise AssertionError("it goes on and on")


@pytest.mark.parametrize("size_bytes", [HUGE, HUGE + 100, 3 * 4096, 3 * 4096 + 5])
@pytest.mark.parametrize("max_bytes", [7, 65536])
def test_reader_goes_on_after_a_hole_and_is_told_its_length(
    log: str, size_bytes: int, max_bytes: int
) -> None:
    sparse(log, b"before\n", size_bytes, b"after\n")

    assert read_all(log, max_bytes)[:2] == (b"before\nafter\n", [size_bytes - 7])
    assert log_file.read(log, size_bytes // 2, 100) == log_file.Chunk(
        size_bytes, b"after\n", size_bytes - size_bytes // 2
    )


def test_hole_at_the_end_is_passed_at_once(log: str) -> None:
    sparse(log, b"before\n", HUGE, b"")

    assert read_all(log, 65536)[:2] == (b"before\n", [HUGE - 7])
    assert log_file.tail(log, 5, 4096) == "before\n"


def test_log_that_is_one_hole_has_nothing(log: str) -> None:
    sparse(log, b"", HUGE, b"")

    assert log_file.read(log, 0, 100) == log_file.Chunk(HUGE, b"", HUGE)
    assert log_file.tail(log, 5, 4096) == ""


def test_zeros_that_were_written_are_data(log: str) -> None:
    data = b"a" + bytes(100_000) + b"b\0"
    with open(log, "wb") as file:
        file.write(data)

    assert read_all(log, 65536)[:2] == (data, [])


def test_last_lines_are_found_on_both_sides_of_a_hole(log: str) -> None:
    sparse(log, b"one\ntwo\n", HUGE, b"three\n")

    assert log_file.tail(log, 1, 4096) == "three\n"
    assert log_file.tail(log, 5, 100) == "one\ntwo\nthree\n"
    found = log_file.find_tail(log, 2)
    assert (found.start, found.lines) == (4, 2)
    assert found.searched_bytes < 1 << 20
    found = log_file.find_tail(log, 10**18)
    assert (found.start, found.lines, found.cut) == (0, 3, False)


def test_search_reads_no_more_than_it_may(log: str) -> None:
    with open(log, "wb") as file:
        file.write(b"x\n" * (1 << 20))

    found = log_file.find_tail(log, 10**18, 1 << 16)
    assert (found.searched_bytes, found.cut) == (1 << 16, True)
    assert found.end - found.start == 1 << 16


def test_search_ends_when_it_is_told_to(log: str) -> None:
    with open(log, "wb") as file:
        file.write(b"x\n" * (1 << 20))
    stop = threading.Event()
    stop.set()

    assert log_file.find_tail(log, 10**18, stop=stop.is_set).searched_bytes == 1


def test_log_with_a_hole_keeps_to_its_limit(log: str) -> None:
    sparse(log, b"before\n", HUGE, b"after\n")
    assert log_file.enforce_limit(log, 1 << 20) > 0

    data, (gap,), _ = read_all(log, 65536)
    assert (data, gap) == (b"after\n", HUGE)


@pytest.mark.parametrize(("name", "is_limit"), [("log", False), ("stdout", True), ("stderr", True)])
def test_middle_of_a_stream_of_an_operation_is_gone_because_of_its_limit(
    tmp_path: Path, name: str, is_limit: bool
) -> None:
    path = str(tmp_path / name)
    sparse(path, b"before\n", HUGE, b"after\n")
    assert log_file.read(path, 7, 100) == log_file.Chunk(HUGE, b"after\n", HUGE - 7, head=is_limit)
