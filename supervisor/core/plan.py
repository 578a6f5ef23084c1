"""Plans: the groups of steps that an execution of a task runs, frozen with the specs of that moment."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.core.graph import Edges, closure, layers
from supervisor.model.ids import derived
from supervisor.model.phase import Want
from supervisor.model.record import Plan, PlanStep, Service, ServiceStep, Task, TaskStep


def make_plan(
    task_id: str, execution_id: str, tasks: Mapping[str, Task], services: Mapping[str, Service]
) -> Plan:
    """Everything that executing a task takes: its dependencies first, each once, the task itself last.

    Steps stand in the earliest group that their dependencies allow. Nothing of it may be `missing`.
    """
    edges = _edges(tasks)
    order = closure([task_id], edges)
    step_ids = {node: derived(execution_id, node) for node in order}

    def step(node: str) -> PlanStep:
        depends_on = tuple(step_ids[below] for below in edges.get(node, ()))
        if (task := tasks.get(node)) is not None:
            return TaskStep(step_ids[node], task.item.reference, depends_on, node, task.item.spec)
        return ServiceStep(step_ids[node], services[node].item.reference, depends_on, node)

    return tuple(tuple(step(node) for node in layer) for layer in layers(order, edges))


def missing(task_id: str, tasks: Mapping[str, Task], services: Mapping[str, Service]) -> str | None:
    """The reference of a dependency that exists no more; None if all is there.

    An edit of the file may remove what a task made through the API depends on.
    """
    for node in closure([task_id], _edges(tasks)):
        task = tasks.get(node)
        for below, reference in zip(task.depends_on, task.item.depends_on, strict=True) if task else ():
            gone = below not in services and (below not in tasks or tasks[below].gone)
            if gone or (below in services and services[below].want is Want.GONE):
                return reference
    return None


def _edges(tasks: Mapping[str, Task]) -> Edges:
    return {id_: task.depends_on for id_, task in tasks.items()}
