"""Plans: the groups of steps that an execution of a task runs, frozen with the specs of that moment."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.core.graph import closure, layers
from supervisor.model.ids import derived
from supervisor.model.record import Plan, PlanStep, Service, ServiceStep, Task, TaskStep


def make_plan(
    task_id: str, execution_id: str, tasks: Mapping[str, Task], services: Mapping[str, Service]
) -> Plan:
    """Everything that executing a task takes: its dependencies first, each once, the task itself last.

    Steps stand in the earliest group that their dependencies allow. A dependency that exists no more is left out: it
    was deleted, and deleting what others depend on is refused, so nothing of the plan can miss it.
    """
    edges = {id_: _known(task.depends_on, tasks, services) for id_, task in tasks.items()}
    order = closure([task_id], edges)
    step_ids = {node: derived(execution_id, node) for node in order}

    def step(node: str) -> PlanStep:
        depends_on = tuple(step_ids[below] for below in edges.get(node, ()))
        if (task := tasks.get(node)) is not None:
            return TaskStep(step_ids[node], task.item.reference, depends_on, node, task.item.spec)
        return ServiceStep(step_ids[node], services[node].item.reference, depends_on, node)

    return tuple(tuple(step(node) for node in layer) for layer in layers(order, edges))


def _known(
    ids: tuple[str, ...], tasks: Mapping[str, Task], services: Mapping[str, Service]
) -> tuple[str, ...]:
    return tuple(id_ for id_ in ids if id_ in tasks or id_ in services)
