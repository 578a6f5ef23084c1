"""`supervisor plan`: the groups and steps that a task or a trigger would run."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import click

from supervisor.cli.command_group import did_you_mean
from supervisor.cli.common_options import (
    complete_task,
    file_argument,
    load_valid,
    output_format,
    trigger_option,
)
from supervisor.core import queries
from supervisor.core.plans.planner import make_plan
from supervisor.core.plans.triggers import started_by
from supervisor.core.records import Records
from supervisor.core.world import World
from supervisor.model.command import ApplyFile
from supervisor.model.errors import NotFound
from supervisor.model.ids import TaskId
from supervisor.model.moment import Now
from supervisor.model.record import PlanStep, Service, Task, TaskStep
from supervisor.model.spec import Trigger

Plan = list[list[dict[str, str]]]
"""The groups of one execution, each a list of steps as they are shown."""

STAMP = "00000000-0000-0000-0000-000000000000"
"""Ids are not shown, so any will do."""


@click.command("plan")
@file_argument
@click.option(
    "--task", "reference", metavar="REF", help="What executing this task runs.", shell_complete=complete_task
)
@trigger_option(help="What this trigger starts.")
@output_format
def plan(file: Path | None, reference: str | None, trigger: str | None, format_: str) -> None:
    """Show what a task or a trigger would run.

    Groups run one after the other; the steps of a group run side by side. What a trigger starts shares its
    steps: a task runs once, and every execution that needs it waits for that one run.
    """
    if (reference is None) is (trigger is None):
        raise click.UsageError("say what to plan: either --task REF or --trigger NAME")
    world = World()
    world.step([ApplyFile(load_valid(file), STAMP)], Now(0.0, 0.0))
    services, tasks = _wanted(world.records, reference, trigger)
    plans = {name: _plan(world.records, id_) for name, id_ in tasks.items()}
    _share(services, plans)
    click.echo(_as_json(services, plans) if format_ == "json" else _as_text(services, plans))


def _wanted(
    records: Records, reference: str | None, trigger: str | None
) -> tuple[list[str], dict[str, TaskId]]:
    """The references of the services, and {reference: id} of the tasks."""
    if trigger is not None:
        fired = Trigger(trigger)
        service_ids, task_ids = started_by(records, fired)
        names = [records.services[id_].item.reference for id_ in service_ids]
        return names, {records.tasks[id_].item.reference: id_ for id_ in task_ids}
    assert reference is not None
    items = queries.items(records)
    match items.get(reference):
        case Task() as task:
            return [], {reference: task.id}
        case Service():
            raise NotFound(f'cannot plan "{reference}": it is a service, and services have no plan')
        case None:
            tasks = [name for name, item in items.items() if isinstance(item, Task)]
            hint = did_you_mean(reference, tasks) or f"it has {', '.join(sorted(tasks)) or 'none'}"
            raise NotFound(f'cannot plan task "{reference}": the file has no such task; {hint}')


def _plan(records: Records, task_id: TaskId) -> Plan:
    plan = make_plan(task_id, STAMP, records.tasks, records.services)
    return [[_step(step, records) for step in group] for group in plan]


def _step(step: PlanStep, records: Records) -> dict[str, str]:
    if isinstance(step, TaskStep):
        return {"task": step.reference, "command": step.spec.command}
    return {
        "service": step.reference,
        "waitsFor": "RUNNING",
        "ready": records.services[step.service_id].item.spec.ready,
    }


def _share(services: list[str], plans: dict[str, Plan]) -> None:
    """Mark each step that another plan has already: within one firing a task runs once.

    The mark names the first execution that has the step, or `service NAME` if the firing itself starts that service.
    """
    first = {("service", name): f"service {name}" for name in services}
    for name, groups in plans.items():
        for step in chain(*groups):
            key = ("task", step["task"]) if "task" in step else ("service", step["service"])
            if (user := first.setdefault(key, name)) != name:
                step["sharedWith"] = user


def _as_json(services: list[str], plans: dict[str, Plan]) -> str:
    executions = [{"task": name, "groups": groups} for name, groups in plans.items()]
    return json.dumps({"services": services, "executions": executions}, indent=2)


def _as_text(services: list[str], plans: dict[str, Plan]) -> str:
    lines = [f"service {name}: start" for name in services]
    for name, groups in plans.items():
        lines.append(f"task {name}:")
        for number, group in enumerate(groups, 1):
            lines += [
                f"  {number}. {_line(step)}" if not at else f"     {_line(step)}"
                for at, step in enumerate(group)
            ]
    return "\n".join(lines) if lines else "nothing would run"


def _line(step: dict[str, str]) -> str:
    shared = "sharedWith" in step
    if "service" in step:
        return f"service {step['service']}: {'' if shared else 'start, '}wait until RUNNING"
    if shared:
        return f'task {step["task"]}: the run of "{step["sharedWith"]}" above'
    first, *more = _code(step["command"])
    return f"task {step['task']}: {first}{' …' if more else ''}"


def _code(script: str) -> list[str]:
    """The lines of a script without blank lines and comments; with comments if there is nothing else."""
    lines = [line for line in script.strip().splitlines() if line.strip()]
    return [line for line in lines if not line.lstrip().startswith("#")] or lines or [""]
