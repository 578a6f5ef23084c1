"""Triggers: what each starts, and in which order they fire."""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.model.record import Environment, Service, Task
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
    trigger: Trigger, services: Iterable[Service], tasks: Iterable[Task]
) -> tuple[list[str], list[str]]:
    """The ids of the services and of the tasks that `trigger` starts. `manual` starts nothing by itself."""
    if trigger is Trigger.MANUAL:
        return [], []
    return (
        [service.id for service in services if trigger in service.item.triggers],
        [task.id for task in tasks if trigger in task.item.triggers and not task.gone],
    )
