"""Commands by both SDKs as they are: results, limits, cancellation, refusals, and an upgrade meanwhile."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.clients.harness import Driver, both_sdks
from tests.clients.set_up import SDK_1_2
from tests.e2e.harness import until

CLIENT = SDK_1_2
PROGRAM = "ops_exec.py"
LIMIT_LINE = "supervisor: ended because its limit of 1 s was over\n"
CANCELLED = {
    "exitCode": 130,
    "stdout": "begun\n",
    "stderr": "supervisor: ended because a client cancelled it\n",
}
LARGE_BYTES = 100 << 20
Found = dict[str, Any]


@both_sdks
def test_results_limits_cancellation_and_refusals_side_by_side(driver: Driver) -> None:
    folder = driver.supervisor.project.folder
    (folder / "sub").mkdir()
    (folder / "file").touch()
    (folder / "closed").mkdir(mode=0)
    # The code of both SDKs is the same here: one of them tries every code and every signal.
    is_first = driver.client == SDK_1_2
    codes = list(range(0, 256, 1 if is_first else 51))

    found = driver.run("side_by_side", codes=codes, step=1 if is_first else 9)

    check_results(found["results"], codes, folder)
    check_refusals(found["refused"])
    limited, patience, cancelled = found["limits"], found["patience"], found["cancelled"]
    assert limited["result"] == [124, "begun\n", LIMIT_LINE]
    assert 1 <= limited["seconds"] < 4
    assert [*cancelled["answers"], cancelled["later"]] == [CANCELLED] * 4
    assert [cancelled[name] for name in ("cancel", "again", "unknown", "empty")] == [{}] * 4
    # The client that did not wait for its command has left it alone.
    assert patience["error"]["kind"] == "EnvironmentUnreachableError"
    assert 1 <= patience["seconds"] < 3
    until((folder / "done").exists, "the end of the command")


def check_results(found: Found, codes: list[int], folder: Path) -> None:
    assert found["codes"] == codes
    assert found["signals"] == {number: 128 + int(number) for number in found["signals"]}
    assert len(found["signals"]) > 5
    assert set(found["ignored"]) == {3}
    assert found["streams"] == [5, "out\n", "err\n"]
    assert found["no newline"] == [0, "out", "err"]
    assert found["odd bytes"] == [0, "a\0b\ufffdc\ufffd\n", ""]
    assert found["stdin"] == [0, "1\nno terminal\n", ""]
    assert found["long"] == [0, "done\n", ""]
    assert found["not found"] == 127
    assert (found["folder"][1], found["workspace"][1]) == (f"{folder}/sub\n", f"{folder}\n")
    assert found["background"] == [0, "hi\n", ""]
    assert found["backgroundSeconds"] < 3
    assert found["many"].endswith("199999\n200000\n")


def check_refusals(found: Found) -> None:
    kinds = {name: error["kind"] for name, error in found.items() if error and "kind" in error}
    codes = {name: error["code"] for name, error in found.items() if error and "kind" in error}
    if os.geteuid() == 0:  # root enters every folder
        assert found["closed"] is None
        kinds["closed"] = "PermissionDeniedError"
    assert {name: kinds[name] for name in ("negative", "missing", "no folder", "closed")} == {
        "negative": "ValidationError",
        "missing": "NotFoundError",
        "no folder": "NotFoundError",
        "closed": "PermissionDeniedError",
    }
    assert {name: codes[name] for name in ("long id", "NUL", "missing with an id")} == {
        "long id": "invalid_argument",
        "NUL": "invalid_argument",
        "missing with an id": "not_found",
    }
    assert found["longest id"] is None
    assert found["mended"] == {"stdout": "ran\n"}


@both_sdks
def test_upgrade_meanwhile_returns_the_result_to_the_sdk(driver: Driver) -> None:
    project = driver.supervisor.project
    program = driver.start("upgraded")
    until((project.folder / "begun").exists, "the command")
    for _ in range(2 if driver.client == SDK_1_2 else 1):
        upgrade = project.program("upgrade")
        assert upgrade.wait() == 0, upgrade.err
    (project.folder / "go").touch()
    assert driver.result(program, "upgraded")["result"] == [9, "begun\n", "done\n"]


def test_100_mb_come_whole_while_others_are_answered_and_cost_no_memory_afterwards(driver: Driver) -> None:
    supervisor = driver.supervisor
    before_bytes = rss_bytes(supervisor.program.pid)

    program, took_s = driver.start("large", command=f"yes 0123456789abcdef | head -c {LARGE_BYTES}"), []
    while program.poll() is None:
        begun = time.monotonic()
        supervisor.call("IdentityService/GetAuthenticatedIdentity")
        took_s.append(time.monotonic() - begun)
        time.sleep(0.005)

    line = b"0123456789abcdef\n"
    expected = (line * (LARGE_BYTES // len(line) + 1))[:LARGE_BYTES]
    found = driver.result(program, "large")
    assert found == {"code": 0, "bytes": LARGE_BYTES, "sha256": hashlib.sha256(expected).hexdigest()}
    slow_s = sorted(took_s)[int(len(took_s) * 0.99)]
    after_bytes = rss_bytes(supervisor.program.pid)
    print(f"others: p99 {slow_s * 1000:.0f} ms; memory: {(after_bytes - before_bytes) / 1e6:.0f} MB more")
    assert slow_s < 0.5, "0.1 s on a machine with nothing else at work"
    until(lambda: rss_bytes(supervisor.program.pid) < before_bytes + 40e6, "memory as before")


def rss_bytes(pid: int) -> int:
    """How much memory a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_limit_ends_a_tree_that_ignores_it_and_leaves_nothing(
    driver: Driver, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--all-faults"):
        pytest.skip("it takes 12 s; --all-faults")
    mark = uuid.uuid4().hex
    found = driver.run("stubborn", mark=mark)
    assert found["result"] == [124, "", LIMIT_LINE]
    assert found["seconds"] < 17
    assert [line for line in driver.supervisor.project.left() if mark in line or "sleep" in line] == []
