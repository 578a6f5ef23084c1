"""Triggers: what each starts, and in which order they fire."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.model.record import Environment, Service, Source, Task
from supervisor.model.spec import Trigger

ENVIRONMENT_START = (
    Trigger.POST_MACHINE_START,
    Trigger.POST_DEVCONTAINER_START,
    Trigger.POST_ENVIRONMENT_START,
)
"""What fires when an environment starts, in this order; none waits for the items of the one before to end."""

RESUME = (Trigger.POST_ENVIRONMENT_START,)
"""What fires when the machine comes back from suspend."""

PREBUILD = (Trigger.PREBUILD, Trigger.BEFORE_SNAPSHOT)
"""What fires in a prebuild; the second after all executions of the first have ended."""


def may_fire(trigger: Trigger, environment: Environment | None) -> bool:
    """Whether the environment's filter lets a trigger fire.

    Source: contract/automations-file.md, "When triggers fire".
    """
    allowed = environment.trigger_filter if environment else ()
    return not allowed or trigger in allowed


def started_by(
    trigger: Trigger,
    services: Mapping[str, Service],
    tasks: Mapping[str, Task],
    environment: Environment | None = None,
) -> tuple[list[str], list[str]]:
    """The ids of the services and of the tasks that `trigger` starts. `manual` starts nothing by itself.

    While the environment has seen no good version of the file, nothing of the file, nor what depends on it.

    Source: contract/api.md, "Which file".
    """
    if trigger is Trigger.MANUAL:
        return [], []
    service_ids = [service.id for service in services.values() if trigger in service.item.triggers]
    task_ids = [task.id for task in tasks.values() if trigger in task.item.triggers and not task.gone]
    if environment is not None and environment.file_awaited:
        service_ids = [id_ for id_ in service_ids if services[id_].source is Source.API]
        task_ids = [id_ for id_ in task_ids if not _runs_of_the_file(id_, services, tasks)]
    return service_ids, task_ids


def _runs_of_the_file(task_id: str, services: Mapping[str, Service], tasks: Mapping[str, Task]) -> bool:
    """Whether a task, or anything that it depends on, is of the file."""
    below, seen = [task_id], set[str]()
    while below:
        id_ = below.pop()
        item = tasks.get(id_) or services.get(id_)
        if item is None or id_ in seen:
            continue
        seen.add(id_)
        if item.source is Source.FILE:
            return True
        if isinstance(item, Task):
            below += item.depends_on
    return False
