"""Keep-alives hold for real processes, no longer than these live, and over a restart of the supervisor."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from supervisor.activity.keep_alive import KeepAlives
from supervisor.activity.persisted import Persisted
from supervisor.activity.sighting import SourceKind
from supervisor.host.proc.process import find
from supervisor.model.errors import InvalidActivity, NotFound, Precondition
from tests.activity.fakes import Memory

BOOT = "0b5f6f0e-0f0e-4d6b-9d7a-000000000001"


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def keep_alives(memory: Memory) -> KeepAlives:
    return KeepAlives(Persisted(memory, BOOT))


Sleeper = subprocess.Popen[bytes]


def ticks(process: Sleeper) -> int:
    found = find(process.pid)
    assert found is not None
    return found.start_ticks


def test_process_is_activity_while_it_lives(keep_alives: KeepAlives, sleeper: Sleeper) -> None:
    keep_alives.add(sleeper.pid, "Nightly build", 10)

    (seen,) = keep_alives.sightings(50)
    assert (seen.kind, seen.source, seen.since_s, seen.seen_s) == (
        SourceKind.KEEP_ALIVE,
        "Nightly build",
        10,
        50,
    )
    assert seen.detail == f"process {sleeper.pid} (sleep)"

    sleeper.kill()
    sleeper.wait()
    assert list(keep_alives.sightings(60)) == []


def test_process_that_has_ended_and_was_not_waited_for_is_none(
    keep_alives: KeepAlives, sleeper: Sleeper
) -> None:
    keep_alives.add(sleeper.pid, "Nightly build", 10)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert list(keep_alives.sightings(60)) == []
    with pytest.raises(NotFound):
        keep_alives.add(sleeper.pid, "Nightly build", 10)


def test_process_that_is_not_there_is_refused(keep_alives: KeepAlives, sleeper: Sleeper) -> None:
    sleeper.kill()
    sleeper.wait()
    for pid in (sleeper.pid, 0, -1, 2**22 + 1, 2**80):
        with pytest.raises(
            NotFound, match=f"cannot stay awake for process {pid}: there is none with this id"
        ):
            keep_alives.add(pid, "Nightly build", 10)


def test_process_that_is_not_the_one_that_was_meant_is_refused(
    keep_alives: KeepAlives, sleeper: Sleeper
) -> None:
    keep_alives.add(sleeper.pid, "Nightly build", 10, ticks(sleeper))
    with pytest.raises(NotFound, match="sees another one by this id"):
        keep_alives.add(sleeper.pid, "Nightly build", 10, ticks(sleeper) - 1)


def test_pid_that_is_in_use_again_is_not_taken_for_the_process(memory: Memory, sleeper: Sleeper) -> None:
    # A process that had this pid before the sleeper did, as the supervisor before us kept it.
    kept = {"boot": BOOT, "value": [[sleeper.pid, ticks(sleeper) - 1, "Nightly build", 1.0]]}
    memory.put("keep_alives", json.dumps(kept))
    assert list(KeepAlives(Persisted(memory, BOOT)).sightings(60)) == []


def test_once_more_gives_it_another_name(keep_alives: KeepAlives, sleeper: Sleeper) -> None:
    keep_alives.add(sleeper.pid, "Nightly build", 10)
    keep_alives.add(sleeper.pid, "Release", 20)
    (seen,) = keep_alives.sightings(50)
    assert (seen.source, seen.since_s) == ("Release", 10)


@pytest.mark.parametrize("source", ["ab", "x" * 81])
def test_source_that_no_signal_can_carry_is_refused(
    keep_alives: KeepAlives, sleeper: Sleeper, source: str
) -> None:
    with pytest.raises(InvalidActivity, match="a source has 3 to 80 characters"):
        keep_alives.add(sleeper.pid, source, 10)
    assert list(keep_alives.sightings(60)) == []


def test_they_go_on_with_the_next_supervisor_of_the_same_boot(memory: Memory, sleeper: Sleeper) -> None:
    KeepAlives(Persisted(memory, BOOT)).add(sleeper.pid, "Nightly build", 10)
    (seen,) = KeepAlives(Persisted(memory, BOOT)).sightings(60)
    assert (seen.source, seen.since_s) == ("Nightly build", 10)
    assert list(KeepAlives(Persisted(memory, BOOT[::-1])).sightings(60)) == []


def test_those_that_ended_meanwhile_are_not_kept(memory: Memory, sleeper: Sleeper) -> None:
    keep_alives = KeepAlives(Persisted(memory, BOOT))
    keep_alives.add(sleeper.pid, "Nightly build", 10)
    sleeper.kill()
    sleeper.wait()
    list(keep_alives.sightings(60))
    assert json.loads(memory.texts["keep_alives"])["value"] == []


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "no JSON",
        "[]",
        '{"boot": "BOOT"}',
        '{"boot": "BOOT", "value": 7}',
        '{"boot": "BOOT", "value": {"a": 1}}',
        '{"boot": "BOOT", "value": [1]}',
        '{"boot": "BOOT", "value": [["x", 1, "abc", 1]]}',
        '{"boot": "BOOT", "value": [[1, 1, "a", 1]]}',
    ],
)
def test_what_was_kept_and_is_no_list_of_ours_is_passed_over(memory: Memory, kept: str) -> None:
    memory.texts["keep_alives"] = kept.replace("BOOT", BOOT)
    assert list(KeepAlives(Persisted(memory, BOOT)).sightings(60)) == []


def test_disk_that_is_full_takes_nothing_away(memory: Memory, sleeper: Sleeper) -> None:
    keep_alives = KeepAlives(Persisted(memory, BOOT))
    memory.full = True
    keep_alives.add(sleeper.pid, "Nightly build", 10)
    assert len(list(keep_alives.sightings(60))) == 1


def test_there_is_a_limit_to_those_that_live(memory: Memory, sleeper: Sleeper) -> None:
    keep_alives = KeepAlives(Persisted(memory, BOOT), most=2)
    with subprocess.Popen(["sleep", "1000"]) as other:
        keep_alives.add(os.getpid(), "ourselves", 10)
        keep_alives.add(other.pid, "another", 10)
        keep_alives.add(other.pid, "another name", 10)
        with pytest.raises(
            Precondition, match="there are 2 keep-alives already; end some of those processes"
        ):
            keep_alives.add(sleeper.pid, "one more", 10)
        other.kill()
    keep_alives.add(sleeper.pid, "one more", 10)
    assert [seen.source for seen in keep_alives.sightings(60)] == ["ourselves", "one more"]
