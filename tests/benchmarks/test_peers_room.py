"""A turn in a room of its own, with real programs in a real control group."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.peers import compiled, groups, machine, works
from benchmarks.peers.contestants import Contestant, Floor
from benchmarks.peers.machine import file_system
from benchmarks.peers.room import Program, Room


def why_not() -> str:
    """Why no turn can be had here."""
    if shutil.which("gcc") is None and shutil.which("cc") is None:
        return "there is no C compiler"
    try:
        groups.Group(f"bench-try-{os.getpid()}").close()
    except (OSError, RuntimeError) as error:
        return f"no control group can be made: {error}"
    return ""


WHY_NOT = why_not()
needs_a_group = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    machine.spread(tmp_path)
    room = Room(tmp_path, compiled.folder())
    yield room
    room.close()


@needs_a_group
def test_chain_of_the_floor_is_proved_by_its_marks(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "CHAIN", 5)

    numbers = works.chain(Floor(), room)

    assert numbers.keys() == {"hop_ms", "hop_cpu_ms"}
    assert 0 < numbers["hop_ms"] < 1000
    assert 0 < room.cpu_s() < 10
    used_s, whole_s = room.others.used()
    assert 0 <= used_s <= whole_s + 0.1


@needs_a_group
def test_services_are_told_from_what_looks_after_them(room: Room) -> None:
    process, began = room.start(Floor().services(room.folder, ["server --port 1", "server --port 2"]))
    marks = room.await_marks(2)

    assert {mark.number for mark in marks} == {1, 2}
    assert all(began < mark.at_s < time.monotonic() for mark in marks)
    assert (len(room.services()), room.supervisors()) == (2, [process.pid])
    assert 100e3 < room.pss_bytes() < 10e6

    room.stop(Program([]), process)

    assert [mark.number for mark in room.await_marks(2)] in ([-1, -2], [-2, -1])
    assert process.wait(10) == 0


@needs_a_group
@pytest.mark.slow
def test_probes_of_the_floor_are_counted_and_their_processor_time_with_them(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "SERVICES", 3)
    monkeypatch.setattr(works, "SETTLE_S", 0.0)
    monkeypatch.setattr(works, "WINDOW_S", 1.05)

    numbers = works.probes(Floor(), room)

    assert 2 <= numbers["probes_hz"] <= 6
    assert 10 < numbers["probe_us"] < 100_000


class Unruly(Contestant):
    """Runs the chain in another order."""

    def chain(self, folder: Path, count: int) -> Program:
        return Program(["sh", "-c", "mark 2; mark 1"])


@needs_a_group
def test_turn_whose_work_was_not_done_does_not_count(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "CHAIN", 2)

    with pytest.raises(works.NotDone, match="another order"):
        works.chain(Unruly(), room)


@needs_a_group
def test_program_with_a_terminal_is_stopped_by_a_key(room: Room) -> None:
    script = "[ -t 0 ] && [ -t 1 ] && mark 1; stty -icanon; dd bs=1 count=1 status=none; mark 2"
    program = Program(["sh", "-c", script], stop=b"q", terminal=True)

    process, _ = room.start(program)
    room.await_marks(1)
    room.stop(program, process)

    assert [mark.number for mark in room.await_marks(1)] == [2]


@needs_a_group
def test_nothing_lives_on_in_a_closed_room(tmp_path: Path) -> None:
    room = Room(tmp_path, compiled.folder())
    process, _ = room.start(Program(["sh", "-c", "setsid sleep 1000 & trap '' TERM; mark 1; sleep 1000"]))
    room.await_marks(1)
    others = room.supervisors()

    room.close()

    assert process.returncode == -9
    assert [pid for pid in others if os.path.exists(f"/proc/{pid}/cwd")] == []
    assert room.folder.exists()


@pytest.mark.parametrize("piece_bytes", [7, 15, 16, 40, 1 << 20])
def test_blocks_of_a_log_are_found_wherever_it_is_cut(tmp_path: Path, piece_bytes: int) -> None:
    text = "".join(f"{'x' * 20} block {number:08d}\n" for number in range(1, 40))
    (tmp_path / "log").write_text(text)

    assert list(works.blocks(tmp_path / "log", piece_bytes)) == list(range(1, 40))


def test_file_system_is_that_of_the_nearest_mount() -> None:
    mounts = (
        "1 0 8:1 / / rw - ext4 /dev/root rw\n"
        "2 1 0:5 / /proc rw shared:2 - proc proc rw\n"
        "3 1 0:6 / /pro rw - tmpfs tmpfs rw\n"
    )

    assert file_system(Path("/proc/self"), mounts) == "proc"
    assert file_system(Path("/protected"), mounts) == "ext4"


def test_groups_are_where_version_2_is_mounted() -> None:
    mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"

    assert groups.mounted_at(mounts) == Path("/sys/fs/cgroup/unified")
    with pytest.raises(RuntimeError, match="version 2"):
        groups.mounted_at("proc /proc proc rw 0 0\n")
