"""What a supervisor finds of the one before: real records, a real shim."""

import time
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from supervisor.boot import supervisor as boot
from supervisor.boot.run_settings import Settings
from supervisor.boot.supervisor import Supervisor
from supervisor.engine import TURN_S
from supervisor.host.proc import inheritance, signals
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.state.store import Store
from supervisor.lean import loop_imports
from supervisor.model.action import Action, Spawn
from supervisor.model.command import ApplyFile, FireTrigger
from supervisor.model.ids import fresh
from supervisor.model.phase import ExecutionPhase
from supervisor.model.spec import Trigger
from tests.boot.notices import Notices
from tests.core.playbook import Playbook, file, service, task

START = Trigger.POST_ENVIRONMENT_START


def test_all_that_the_machine_lost_is_known_before_anything_else_is_done(tmp_path: Path) -> None:
    book = Playbook(*(task(f"t{number}", triggers=[START]) for number in range(1000)))
    book.do(FireTrigger(START, book.stamp()))
    records = book.world.records
    state = tmp_path / "state"
    state.mkdir(0o700)
    store = Store(state / "state.db")
    store.save([*records.tasks.values(), *records.runs.values(), *records.executions.values()], [])
    store.put("boot", "another")
    store.close()
    supervisor = Supervisor(Settings(tmp_path, state_dir=state), ShimClient.start(), Notices())
    try:
        assert len(supervisor.start.adopt()) == 1000
        executions = supervisor.engine.world.records.executions.values()
        assert {execution.phase for execution in executions} == {ExecutionPhase.FAILED}
    finally:
        supervisor.close()


class Slow:
    """Takes a whole turn of the engine for each action."""

    def __init__(self) -> None:
        self.spawned = 0

    def perform(self, action: Action) -> None:
        self.spawned += isinstance(action, Spawn)
        time.sleep(TURN_S)


def test_many_first_commands_do_not_wait_for_the_imports_of_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned_then: list[int] = []

    def import_loop(*_: object, **__: object) -> None:
        spawned_then.append(slow.spawned)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop_imports, "import_loop", import_loop)
    monkeypatch.setattr(boot, "STARTS_S", 30.0)  # this machine may have other things to do
    # They change this process for good.
    monkeypatch.setattr(signals, "survive_others", lambda: None)
    monkeypatch.setattr(inheritance, "outlive_commands", lambda: None)
    supervisor = Supervisor(Settings(tmp_path, state_dir=tmp_path / "state"), ShimClient.start(), Notices())
    supervisor.engine.performer = slow = Slow()
    try:
        supervisor.start.adopt()
        items = (service(f"s{number}", triggers=[START]) for number in range(6))
        supervisor.engine.submit(ApplyFile(file(*items), fresh()))
        supervisor.start.fire(START)
        assert slow.spawned < 6
        with pytest.raises(KeyboardInterrupt):
            supervisor.serve(lambda: anyio.lowlevel.checkpoint(), [], signals.PendingSignals())  # type: ignore[arg-type,return-value]
        assert spawned_then == [6]
    finally:
        supervisor.close()
