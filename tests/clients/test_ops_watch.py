"""Watch over TCP, by both SDKs: what changes is told in time, what is ignored never, and our own git makes no event."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.harness import Driver, both_sdks
from tests.clients.set_up import ONA_0_1

PROGRAM = "ops_watch.py"


@pytest.mark.slow
@both_sdks
def test_changes_are_told_in_time_and_ignored_ones_never(driver: Driver) -> None:
    found = driver.run("watch")

    assert found["toldAfterS"] < 1.0
    assert found["events"] == ["+edited", "+written"]
    assert found["commitToldAfterS"] < 2.5
    assert found["eventsOfGit"] == []


@pytest.mark.slow
@pytest.mark.parametrize("driver", [ONA_0_1], indirect=True, ids=["ona-sdk-0.1"])
def test_asking_for_the_status_changes_nothing(driver: Driver) -> None:
    assert driver.run("asking") == {"came": []}


@pytest.mark.slow
@both_sdks
def test_stream_breaks_with_the_supervisor_and_a_new_one_works(driver: Driver, tmp_path: Path) -> None:
    supervisor, ready, again = driver.supervisor, tmp_path / "ready", tmp_path / "again"
    program = driver.start("broken", ready=str(ready), again=str(again))
    supervisor.await_file(ready)
    worker = _workers(supervisor.project.processes())
    assert worker

    supervisor.kill_and_restart()
    again.touch()
    found = driver.result(program, "broken")

    assert found["end"]["message"]
    assert found["events"] == ["+later"]
    assert not set(worker) & set(_workers(supervisor.project.processes())), (
        "a worker goes with its supervisor"
    )


@pytest.mark.slow
@pytest.mark.parametrize("driver", [ONA_0_1], indirect=True, ids=["ona-sdk-0.1"])
def test_checkout_of_many_files_is_told_whole_or_is_an_overflow(
    driver: Driver, request: pytest.FixtureRequest
) -> None:
    """Of 20,000 files with --all-faults: an overflow, unless the disk is slower than the reader."""
    count = 20_000 if request.config.getoption("--all-faults") else 1500

    found = driver.run("many", count=count)

    print(found)
    assert found["overflows"] or found["told"] == count
    assert found["events"] == ["*many/7"]


def _workers(processes: dict[int, str]) -> list[int]:
    return [pid for pid, command in processes.items() if "worker_start.py" in command]
