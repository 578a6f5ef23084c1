"""Files, as the SDKs read and write them over TCP. Their code for this is the same, so one of them shows most.

`--full-size`: the sizes of the contract, for which CI has no time.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.clients.harness import Driver, both_sdks
from tests.clients.set_up import SDK_1_2
from tests.e2e.harness import until

PROGRAM = "ops_files.py"
MIB = 1 << 20
one_sdk = pytest.mark.parametrize("driver", [SDK_1_2], indirect=True, ids=lambda client: str(client.name))
pytestmark = pytest.mark.slow


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the sizes are those of the contract."""
    return bool(request.config.getoption("--full-size"))


def memory_kb(pid: int) -> int:
    """What is resident of a process."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in each]
    return int(line.split()[1])


def held(pid: int) -> tuple[int, int]:
    """How many descriptors and threads a process has."""
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


@one_sdk
def test_many_reads_at_one_moment_are_all_right(driver: Driver, full: bool) -> None:
    count = 1000 if full else 200
    folder, pid = driver.supervisor.project.folder, driver.supervisor.program.pid
    contents = [os.urandom(64 * 1024) for _ in range(10)]
    for number, content in enumerate(contents):
        (folder / f"f{number}").write_bytes(content)
    driver.run("parallel_reads", count=2)  # the worker is there
    before = held(pid)

    found = driver.run("parallel_reads", count=count)

    assert found["hashes"] == [hashlib.sha256(contents[number % 10]).hexdigest() for number in range(count)]
    assert found["ran"] == "hi\n"
    assert found["asked"] > 1
    # A few may come for other reasons: modules are kept in memory soon after the start.
    until(lambda: all(now <= was + 8 for now, was in zip(held(pid), before, strict=True)), "the end of all")
    print(found["tookS"], found["asked"], found["slowestS"])


@one_sdk
def test_files_that_cannot_be_read_whole_or_at_all(driver: Driver, full: bool) -> None:
    folder, size = driver.supervisor.project.folder, 5 << 30
    tail = random.Random(1).randbytes(3 * MIB)
    with (folder / "sparse").open("wb") as file:
        file.seek(size - len(tail))
        file.write(tail)
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    count = 100_000 if full else 2_000
    (folder / "many").mkdir()
    for number in range(count):
        (folder / "many" / f"{number:06}").touch()

    found = driver.run("odd_files", size=size)

    assert found["whole"]["kind"] == "EnvironmentPolicyError"
    assert str(size) in found["whole"]["message"]
    assert found["tail"] == hashlib.sha256(tail).hexdigest()
    assert [found[name]["kind"] for name in ("fifo", "loop", "missing", "negative")] == [
        "EnvironmentPolicyError",
        "EnvironmentPolicyError",
        "NotFoundError",
        "ValidationError",
    ]
    assert (found["status"], found["statusSize"]) == ("Name", True)
    assert (found["listed"], found["first"]) == (count, "many/000000")


@both_sdks
def test_the_four_modes_of_writing(driver: Driver) -> None:
    folder = driver.supervisor.project.folder
    names = ("create", "truncate", "create_or_truncate", "append")
    for name in names:
        (folder / f"present-{name}").write_text("old")

    found = driver.run("modes")

    assert found == {
        "create": ["SDKError", 3],  # already_exists has no class of its own
        "truncate": [3, "NotFoundError"],
        "create_or_truncate": [3, 3],
        "append": [3, "NotFoundError"],
    }
    assert [(folder / f"present-{name}").read_text() for name in names] == ["old", "new", "new", "oldnew"]
    assert (folder / "missing-create/f").read_text() == "new"


@one_sdk
def test_many_that_create_and_add_at_one_moment(driver: Driver, full: bool) -> None:
    folder, count, size = driver.supervisor.project.folder, 50, MIB if full else 64 * 1024
    (folder / "log").touch()

    found = driver.run("crowd", count=count, size=size)

    assert sorted(found["created"]) == ["", *["SDKError"] * 19]
    winner = found["created"].index("")
    assert (folder / "created").read_bytes() == bytes([winner]) * 1000
    assert found["added"] == [""] * count
    log = (folder / "log").read_bytes()
    pieces = [log[start : start + size] for start in range(0, len(log), size)]
    assert sorted(pieces) == [bytes([number]) * size for number in range(count)]
    assert set(os.listdir(folder)) == {"created", "log"}


@one_sdk
def test_a_large_file_there_and_back(driver: Driver, full: bool) -> None:
    pid = driver.supervisor.program.pid
    size = 128 * MIB if full else 12 * MIB
    driver.run("large", size=1, seed=0, tooLarge=0)
    before_kb = memory_kb(pid)

    found = driver.run("large", size=size, seed=7, tooLarge=(200 if full else 130) * MIB)

    assert (found["wrote"], found["same"]) == (size, True)
    assert found["tooLarge"]["kind"] == "RateLimitedError", found["tooLarge"]
    assert memory_kb(pid) - before_kb < 20 * 1024
    print(before_kb, memory_kb(pid), found["asked"], found["slowestS"])


@one_sdk
def test_searches_among_many_files(driver: Driver, full: bool) -> None:
    folder = driver.supervisor.project.folder
    folders, each = (700 if full else 8), 100
    for number in range(folders):
        for place in ("src", "ignored") if number % 7 < 3 else ("src",):
            below = folder / place / f"package_{number}"
            below.mkdir(parents=True)
            for name in range(each):
                (below / f"module_{name}.{'py' if name % 2 else 'txt'}").touch()
    (folder / ".gitignore").write_text("ignored/\n*.pyc\n*.log\nbuild\n")
    searches = {
        "all files": {"type": "FILE_TYPE_FILE"},
        "a glob": {"pattern": "*.py"},
        "a path": {"pattern": "**/package_1*/module_{7,8}.*"},
        "fuzzy": {"pattern": "pack1mod77", "fuzzy": True},
        "a name": {"pattern": "module_7.py"},
    }

    found = driver.run("find", searches=searches, times=3 if full else 1)

    ours, ignored = folders * each, sum(number % 7 < 3 for number in range(folders)) * each
    files = found["all files"]
    kept = min(ours + ignored + 1, 65_536)
    assert (files["count"], files["truncated"]) == (kept, ours + ignored + 1 > 65_536)
    assert files["ignoredFrom"] == min(ours + 1, kept), "ignored files come last, and are cut first"
    assert found["a glob"]["ignored"] == min(ignored // 2, 65_536 - ours // 2)
    assert found["fuzzy"]["ignored"] == 0
    assert found["fuzzy"]["first"].startswith("module_77.")
    if full:
        took = {name: round(each["tookS"], 3) for name, each in found.items()}
        print(f"{ours + ignored} files; find: {best_of_find(folder)}; Find: {took}")


def best_of_find(folder: Path) -> dict[str, float]:
    """Seconds that find(1) takes, for names alone and with sizes."""
    ways = {
        "names": [],
        "sizes": ["-printf", "%p %s\\n"],
        "py, sizes": ["-name", "*.py", "-printf", "%p %s\\n"],
    }
    took: dict[str, float] = {}
    for way, words in ways.items():
        for _ in range(3):
            began = time.monotonic()
            subprocess.run(["find", folder, *words], stdout=subprocess.DEVNULL, check=True)
            took[way] = min(took.get(way, 9.0), round(time.monotonic() - began, 3))
    return took
