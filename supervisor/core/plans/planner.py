"""Plans: the groups of steps that an execution of a task runs, frozen with the specs of that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supervisor.core.plans.graph import Edges, closure
from supervisor.model.ids import ItemId, ServiceId, StepId, TaskId, derived
from supervisor.model.phase import Want
from supervisor.model.record import Plan, PlanStep, Service, ServiceStep, Task, TaskStep, with_group
from supervisor.model.shared_sequence import EMPTY


class Planner:
    """Makes the plans of one firing. Their common part is made once and is the same object in all of them.

    Otherwise the plans of a chain of n tasks, all triggered, would have n² steps.
    """

    def __init__(
        self, firing: str, tasks: Mapping[TaskId, Task], services: Mapping[ServiceId, Service]
    ) -> None:
        """Plan with the items as they are now. `firing` is the stamp from which the ids of steps are derived."""
        self._firing = firing
        self._tasks = tasks
        self._services = services
        self._edges: Edges[ItemId] = {id_: task.depends_on for id_, task in tasks.items()}
        self._plans: dict[ItemId, Plan] = {}
        """{id of a task or service: the plan that ends with it}"""
        self._lost: dict[ItemId, str | None] = {}
        """{id: the reference of a dependency that no longer exists}"""
        self._made: dict[str, Plan] = {}

    def plan(self, task_id: TaskId) -> Plan:
        """Everything that executing a task takes: its dependencies first, each once, the task itself last.

        Steps stand in the earliest group that their dependencies allow. Nothing of it may be `missing`.
        """
        for node in closure(list[ItemId]([task_id]), self._edges, done=self._plans):
            below = self._merged([self._plans[dependency] for dependency in self._below(node)])
            self._plans[node] = self._grown(below, (self._step(node),))
        return self._plans[task_id]

    def missing(self, task_id: TaskId) -> str | None:
        """The reference of a dependency that no longer exists; None if all exist.

        An edit of the file may remove what a task made through the API depends on.
        """
        for node in closure(list[ItemId]([task_id]), self._edges, done=self._lost):
            lost = (self._lost[below] for below in self._below(node))
            self._lost[node] = next((name for name in lost if name), None) or self._gone_below(node)
        return self._lost[task_id]

    def _below(self, node: ItemId) -> Sequence[ItemId]:
        return self._edges.get(node, ())

    def _gone_below(self, node: ItemId) -> str | None:
        task = self._tasks.get(TaskId(node))
        for below, reference in zip(task.depends_on, task.item.depends_on, strict=True) if task else ():
            service, other = self._services.get(ServiceId(below)), self._tasks.get(TaskId(below))
            if (service is None or service.want is Want.GONE) and (other is None or other.gone):
                return reference
        return None

    def _step(self, node: ItemId) -> PlanStep:
        depends_on = tuple(self._step_id(below) for below in self._below(node))
        if (task := self._tasks.get(TaskId(node))) is not None:
            return TaskStep(self._step_id(node), task.item.reference, depends_on, task.id, task.item.spec)
        service = self._services[ServiceId(node)]
        return ServiceStep(self._step_id(node), service.item.reference, depends_on, service.id)

    def _step_id(self, node: ItemId) -> StepId:
        return StepId(derived(self._firing, "step", node))

    def _merged(self, plans: list[Plan]) -> Plan:
        """One plan with the steps of all. The part that they have in common is not walked."""
        layers: list[list[Plan]] = []
        while len(plans) > 1:
            size = max(plan.size for plan in plans)
            layers.append([plan for plan in plans if plan.size == size])
            below = (plan.below if plan.size == size else plan for plan in plans)
            plans = list({plan.id: plan for plan in below}.values())
        merged: Plan = plans[0] if plans else EMPTY
        for layer in reversed(layers):
            steps = {step.id: step for plan in layer for step in plan.last}
            merged = self._grown(merged, tuple(steps.values()))
        return merged

    def _grown(self, plan: Plan, group: tuple[PlanStep, ...]) -> Plan:
        grown = with_group(plan, group)
        return self._made.setdefault(grown.id, grown)


def make_plan(
    task_id: TaskId, firing: str, tasks: Mapping[TaskId, Task], services: Mapping[ServiceId, Service]
) -> Plan:
    """The plan of one task; see `Planner.plan`."""
    return Planner(firing, tasks, services).plan(task_id)
