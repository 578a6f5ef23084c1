"""The disk of the logs is full or broken, or a log or its folder is removed: commands go on, and the log says so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.harness import Project
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MIB = 1 << 20
MKFS = shutil.which("mkfs.ext4")
WRITER = """
import os, sys, time
name, count, go = sys.argv[1], int(sys.argv[2]), sys.argv[3]
written = 0
for number in range(count):
    line = b"%s line %d %s;" % (name.encode(), number, b"x" * (number % 300))
    stream = 1 + number % 2
    assert os.write(stream, line) == len(line)
    written += len(line)
    if number % 50 == 0:
        time.sleep(0.001)
    if number == count - 10:
        open("marks/" + name, "w").write("waits")
        while not os.path.exists(go):
            time.sleep(0.01)
open("marks/" + name, "w").write(str(written))
"""
NOTE = re.compile(rb"\n?supervisor: [^\n]*\n")
"""A command's output has no newline, so these are all of the supervisor's."""
LOST = re.compile(rb"supervisor: (\d+) bytes are missing here: ([^\n]*)\n")


@contextmanager
def broken_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, and the file by which the kernel is told to take it for broken."""
    folder.mkdir()
    image = folder.parent / "image"
    image.write_bytes(b"")
    os.truncate(image, 64 * MIB)
    made = subprocess.run(["mkfs.ext4", "-q", image], capture_output=True, check=False) if MKFS else None
    words = ["mount", "-o", "loop,errors=remount-ro", str(image), str(folder)]
    if made is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no ext4 of its own can be made and mounted here")
    try:
        with open("/proc/self/mounts") as mounts:
            (device,) = (line.split()[0] for line in mounts if line.split()[1] == str(folder))
        yield Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def write_tasks(scene: Scene, counts: dict[str, int], go: str = "go") -> None:
    (scene.folder / "writer.py").write_text(WRITER)
    scene.project.write(
        "tasks:\n"
        + "".join(
            f"  {name}: {{name: x, triggeredBy: [postEnvironmentStart], "
            f"command: echo $SUPERVISOR_RUN_ID >{name}.run; "
            f"exec {sys.executable} -I -S writer.py {name} {count} {go}}}\n"
            for name, count in counts.items()
        )
    )


def until_marked(scene: Scene, *names: str, waiting: bool = True) -> None:
    until(
        lambda: all(
            (scene.marks().get(name) == ["waits"]) == waiting and name in scene.marks() for name in names
        ),
        "the writers",
    )


def log_of(scene: Scene, reference: str) -> Path:
    return scene.state / "runs" / (scene.folder / f"{reference}.run").read_text().strip() / "log"


def accounted(log: Path) -> tuple[int, int]:
    """`(bytes of the command's, bytes that are noted as missing)` in a log."""
    data = log.read_bytes()
    lost = sum(int(match[1]) for match in LOST.finditer(data))
    assert {match[2] for match in LOST.finditer(data)} <= {b"the disk was full"}
    return len(NOTE.sub(b"", data)), lost


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    if leave_bytes:
        os.truncate(filler, filler.stat().st_size - leave_bytes)
    return filler


def test_full_disk_costs_what_the_log_names_and_stops_no_command(disk: Scene) -> None:
    """Two writers fill it themselves; one ends while it is full, the other goes on when there is room."""
    write_tasks(disk, {"a": 100_000, "b": 100_000})
    disk.start("--log-limit", "1000")
    until_marked(disk, "a", "b")
    until(lambda: os.statvfs(disk.state).f_bavail == 0, "a full disk")
    troubles = until(lambda: disk.client().status()["troubles"] or None, "word of it")
    assert any("full" in trouble["why"] for trouble in troubles)

    (disk.folder / "go").touch()
    until_marked(disk, "a", "b", waiting=False)
    logs = [log_of(disk, name) for name in ("a", "b")]
    punched = [log.stat().st_size // 2 // 4096 * 4096 for log in logs]
    for log, length in zip(logs, punched, strict=True):
        subprocess.run(["fallocate", "-p", "-o", "0", "-l", str(length), str(log)], check=True)
    until(lambda: not disk.client().status()["troubles"], "word that there is room")
    until(lambda: all(LOST.search(log.read_bytes()) for log in logs), "word in the logs")
    for name, log in zip(("a", "b"), logs, strict=True):
        (written,) = disk.marks()[name]
        kept, lost = accounted(log)
        assert kept + lost == int(written), f"{name}: {kept} and {lost} of {written}"
        assert lost > MIB
    until(lambda: not disk.client().status()["executions"], "the ends")
    disk.end()


def test_disk_that_is_full_again_and_again_costs_what_the_log_names(disk: Scene) -> None:
    write_tasks(disk, {"a": 60_000})
    disk.start("--log-limit", "1000")
    while disk.marks().get("a") != ["waits"]:
        filler = fill(disk.state, leave_bytes=100_000)
        time.sleep(0.05)
        filler.unlink()
        time.sleep(0.02)
    (disk.folder / "go").touch()
    until(lambda: not disk.client().status()["executions"], "the end")

    (written,) = disk.marks()["a"]
    log = log_of(disk, "a")
    assert sum(accounted(log)) == int(written)
    assert len(LOST.findall(log.read_bytes())) > 1
    until(lambda: not disk.client().status()["troubles"], "word that there is room")
    disk.end()


def test_broken_filesystem_costs_what_the_log_names_and_stops_no_command(tmp_path: Path) -> None:
    """An error of the disk makes ext4 read-only for good: nothing can be noted there, and the command goes on."""
    with broken_disk(tmp_path / "s") as trigger:
        project = Project(tmp_path)
        try:
            scene = Scene(project)
            write_tasks(scene, {"a": 20_000}, go="first")
            scene.start()
            until_marked(scene, "a")
            log = log_of(scene, "a")
            before = log.stat().st_size
            trigger.write_text("test")
            (scene.folder / "first").touch()

            until_marked(scene, "a", waiting=False)
            assert log.stat().st_size >= before
            until(lambda: scene.client().status()["troubles"], "word of it")
            scene.supervisor.interrupt()
            scene.supervisor.process.wait(60)
        finally:
            project.close()
