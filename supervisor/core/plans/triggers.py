"""Triggers: what each starts, and in which order they fire."""

from __future__ import annotations

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.model.ids import ItemId, ServiceId, TaskId
from supervisor.model.record import Source, Task
from supervisor.model.spec import Trigger

ENVIRONMENT_START = (
    Trigger.POST_MACHINE_START,
    Trigger.POST_DEVCONTAINER_START,
    Trigger.POST_ENVIRONMENT_START,
)
"""What fires when an environment starts, in this order, without waiting for the items of the trigger before."""

RESUME = (Trigger.POST_ENVIRONMENT_START,)
"""What fires when the machine resumes from suspend."""

PREBUILD = (Trigger.PREBUILD, Trigger.BEFORE_SNAPSHOT)
"""What fires in a prebuild; the second after all executions of the first have ended."""


def may_fire(records: Records, trigger: Trigger) -> bool:
    """Whether the environment's filter lets a trigger fire.

    Source: contract/automations-file.md, "When triggers fire".
    """
    allowed = records.environment.trigger_filter if records.environment else ()
    return not allowed or trigger in allowed


def started_by(records: Records, trigger: Trigger) -> tuple[list[ServiceId], list[TaskId]]:
    """The ids of the services and of the tasks that `trigger` starts. `manual` starts nothing by itself.

    While the environment waits for a good version of its file, nothing of the file starts, nor what depends on it.

    Source: contract/api.md, "Which file".
    """
    if trigger is Trigger.MANUAL:
        return [], []
    services = [service for service in records.services.values() if trigger in service.item.triggers]
    tasks = [task for task in queries.present_tasks(records) if trigger in task.item.triggers]
    if queries.file_is_awaited(records):
        services = [service for service in services if service.source is Source.API]
        tasks = [task for task in tasks if not _is_of_the_file(records, task)]
    return [service.id for service in services], [task.id for task in tasks]


def _is_of_the_file(records: Records, task: Task) -> bool:
    """Whether a task, or anything that it depends on, is of the file."""
    below, seen = list[ItemId]([task.id]), set[ItemId]()
    while below:
        id_ = below.pop()
        item = records.tasks.get(TaskId(id_)) or records.services.get(ServiceId(id_))
        if item is None or id_ in seen:
            continue
        seen.add(id_)
        if item.source is Source.FILE:
            return True
        if isinstance(item, Task):
            below += item.depends_on
    return False
