"""What a supervisor finds of the one before: real records, a real shim."""

from pathlib import Path

from supervisor.boot.run_settings import Settings
from supervisor.boot.supervisor import Supervisor
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.state.store import Store
from supervisor.model.command import FireTrigger
from supervisor.model.phase import ExecutionPhase
from supervisor.model.spec import Trigger
from tests.boot.notices import Notices
from tests.core.playbook import Playbook, task

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
