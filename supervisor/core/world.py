"""The world: all records, and the one function that changes them.

    step(inputs, now) -> Outcome(changed records in revision order, removed records, actions, next deadline)

Inputs are folded one at a time and in order: `commands` applies a command, the record that owns a run observes a fact.
After each input the records that it concerns decide until nothing changes (`settle`), so that the world is settled
between two inputs. A step looks at what was touched and at what is due, never at everything.
"""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.core import environment_record as environments
from supervisor.core.commands import apply
from supervisor.core.records import Records
from supervisor.core.settle import settle
from supervisor.core.state_machines import service as services
from supervisor.core.state_machines import task_run
from supervisor.lean.frozen import dataclass
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.action import Action
from supervisor.model.command import Command
from supervisor.model.fact import Fact, MachineRestarted, RunFact
from supervisor.model.ids import service_of_run
from supervisor.model.moment import Now
from supervisor.model.record import Record

if TYPE_CHECKING:
    from supervisor.core import operations
else:
    operations = late("supervisor.core.operations")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step changed and wants done."""

    changed: tuple[Record, ...]
    """Each record once, as it is at the end of the step, in the order of revisions; a removed one as it was last."""
    removed: tuple[Record, ...]
    """Records that no longer exist."""
    actions: tuple[Action, ...]
    """In the order in which they must be performed, after the records are stored."""


class World:
    """All records and the step that changes them. Read `records` freely."""

    def __init__(self, records: Iterable[Record] = (), revision: int = 0) -> None:
        """Begin with `records`, as the store kept them."""
        self.records = Records(records, revision)

    def step(self, inputs: Iterable[Command | Fact], now: Now) -> Outcome:
        """Fold `inputs`, then what is due at `now`.

        Raises NotFound, AlreadyExists or Precondition if a command is refused, which then changes nothing. So a command
        that may be refused must be the only input of its step.
        """
        for item in inputs:
            if isinstance(item, RunFact):
                self._observe(item, now)
            elif isinstance(item, environments.EnvironmentFact):
                self._observe_environment(item, now)
            elif isinstance(item, MachineRestarted):
                from supervisor.core.recovery import (
                    lose_all,  # not at the top: a new environment has lost nothing
                )

                lose_all(self.records, now)
            else:
                apply(self.records, item, now)
            settle(self.records, now)
        self.records.touch(self.records.deadlines.due(now.mono_s))
        settle(self.records, now)
        return Outcome(*self.records.take())

    def deadline(self) -> float | None:
        """When to step again without an input, on the monotonic clock; None: not before an input."""
        return self.records.deadlines.earliest()

    def _observe(self, fact: RunFact, now: Now) -> None:
        records = self.records
        run, service = records.runs.get(fact.run_id), records.services.get(service_of_run(fact.run_id))
        if run is not None:
            records.apply(run, *task_run.observe(run, fact, now))
        elif service is not None:
            records.apply(service, *services.observe(service, fact, now))
        elif (operation := records.operations.get(fact.run_id)) is not None:
            operations.observe(records, operation, fact, now)

    def _observe_environment(self, fact: environments.EnvironmentFact, now: Now) -> None:
        environment = self.records.environment
        seen = environments.observe(environment, fact, now)
        if seen is None or seen is environment:
            return
        if environment is not None and environment.id != seen.id:
            self.records.remove(environment)
        self.records.put(seen)
