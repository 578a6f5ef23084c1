"""The start of an environment: adopt what the supervisor before left, then fire the triggers.

All of this is synchronous and runs before the event loop, which takes longer to import than a short command takes to
run. It may be cut off at any moment: what has fired is noted only after its commands are in the store (`session`).
"""

from __future__ import annotations

import math
from pathlib import Path

from supervisor.boot.crash import files
from supervisor.boot.report import Report
from supervisor.boot.session import EnvironmentSession
from supervisor.core import queries
from supervisor.core.plans.triggers import ENVIRONMENT_START
from supervisor.engine import Engine
from supervisor.host.runs.machine import HostMachine
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.command import FireTrigger, StartTask
from supervisor.model.fact import MachineRestarted
from supervisor.model.ids import ExecutionId, TaskId, fresh
from supervisor.model.spec import Trigger

if TYPE_CHECKING:
    from supervisor.core import recovery
else:
    recovery = late("supervisor.core.recovery")  # a new environment has nothing to recover


class Start:
    """Adopts what lives, and fires each trigger once a session."""

    def __init__(
        self, engine: Engine, machine: HostMachine, session: EnvironmentSession, report: Report, state: Path
    ) -> None:
        """`state`: the state directory."""
        self._engine = engine
        self._machine = machine
        self._session = session
        self._report = report
        self._state = state
        self._owed: tuple[Trigger, ...] = ()

    def adopt(self) -> list[ExecutionId]:
        """Find what the supervisor before left alive, and what became of the rest. Before anything else is done.

        This is no part of the constructor, so that subscribers see it. Returns the ids of the executions under way.
        """
        records = self._engine.world.records
        executions = list(records.live)
        is_new = records.revision == 0
        strays = self._machine.clear(() if is_new else recovery.known_runs(records))
        if strays:
            self._report.notice(
                f"ended {strays} commands that nothing is known of: records were lost or not written"
            )
        if self._session.restarted:
            self._engine.post(MachineRestarted())
            self._engine.turn(math.inf)
            self._machine.lose(recovery.inherited(records), recovery.RESTARTED)
        else:
            self._machine.adopt([] if is_new else recovery.inherited(records))
        self._engine.turn(math.inf)
        self._session.begin()
        if crash := self._session.unreported_crash(files(self._state)):
            self._report.notice(f"a supervisor before this one met a bug: {crash}")
        return executions

    def fire(self, *triggers: Trigger) -> list[ExecutionId]:
        """Fire triggers in order, each once a session.

        While the environment waits for a valid version of its file, the triggers are owed: only what was made through
        the API starts. The same firing is then repeated with the file's items, by `fire_owed` or by the next
        supervisor.

        Returns the ids of the executions of these firings, old and new.
        """
        records = self._engine.world.records
        owed = queries.file_is_awaited(records)
        if owed:
            self._owed = triggers
        due = [trigger for trigger in triggers if not self._session.has_fired(trigger)]
        # In one step: a supervisor that is killed in between would leave a firing that is over before it is whole.
        self._engine.submit(*(FireTrigger(trigger, self._session.firing(trigger)) for trigger in due))
        for trigger in due if not owed else ():
            self._session.note_fired(trigger)
        firings = {self._session.firing(trigger) for trigger in triggers}
        return [execution.id for execution in queries.made_by(records, firings)]

    def fire_owed(self) -> None:
        """The file was valid for the first time: fire what `fire` owes, if anything."""
        owed, self._owed = self._owed, ()
        if owed:
            self.fire(*owed)

    def fire_environment_start(self) -> list[ExecutionId]:
        """Fire what the start of an environment fires. Returns what `fire` does."""
        return self.fire(*ENVIRONMENT_START)

    def start_task(self, task_id: TaskId) -> ExecutionId:
        """Start a task. Returns the id of its execution. Raises NotFound or Precondition."""
        execution_id = ExecutionId(fresh())
        self._engine.submit(StartTask(task_id, execution_id))
        return execution_id
