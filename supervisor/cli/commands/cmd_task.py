"""`supervisor task`: the tasks of the running supervisor."""

from __future__ import annotations

from typing import Any

import click

from supervisor.cli.command_group import Group
from supervisor.cli.commands.cmd_logs import log_options, print_logs
from supervisor.cli.common_options import output_format
from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import (
    complete_from_supervisor,
    print_json,
    reference_argument,
    with_client,
)
from supervisor.cli.remote.responses import Json
from supervisor.cli.remote.wait import execution_ended
from supervisor.cli.terminal.tables import local_time, phase_of, table
from supervisor.model.errors import NotFound

_complete = complete_from_supervisor("tasks")


@click.group("task", cls=Group)
def task() -> None:
    """List, start, stop and delete tasks of the running supervisor, and read their logs.

    REF is a task's reference, as in the automations file, or its id; stop and logs also take the id of an execution. To
    start a task and see its output, use "supervisor run-task REF". Exits 0 if it was done, 1 if not, 2 if the command
    line is wrong, 3 if no supervisor runs.
    """


@task.command("list")
@with_client
@output_format
def list_(client: Client, format_: str) -> None:
    """List all tasks, each with its last run: its own execution, or a step of another task's."""
    rows = [(task, references.latest(client, task)) for task in references.tasks(client)]
    steps = client.steps()
    if format_ == "json":
        print_json(
            [{"task": task, "lastExecution": last, "lastStep": steps.get(task["id"])} for task, last in rows]
        )
    elif not rows:
        click.echo("there are no tasks")
    else:
        click.echo(
            table(
                ("TASK", "LAST", "AT", "BY", "ABOUT"),
                [_row(task, last or {}, steps.get(task["id"])) for task, last in rows],
            )
        )


@task.command("start")
@with_client
@reference_argument(_complete)
@click.option("--wait", is_flag=True, help="Return when it has ended, with its exit code.")
@output_format
def start(client: Client, reference: str, wait: bool, format_: str) -> int:
    """Start a task with its dependencies. Prints the id of the execution, which "task stop" and "logs" accept."""
    task = references.task(client, reference)
    execution = client.call("StartTask", id=task["id"])["taskExecution"]
    if format_ == "json":
        print_json(execution)
    else:
        click.echo(execution["id"])
    if not wait:
        return 0
    ended = execution_ended(client, execution["id"])
    if ended["reason"]:
        click.echo(f'supervisor: task "{reference}" has {ended["phase"]}: {ended["reason"]}', err=True)
    status: int = ended["exitStatus"]
    return status


@task.command("stop")
@with_client
@reference_argument(_complete)
@click.option("--wait", is_flag=True, help="Return when none of their processes lives.")
def stop(client: Client, reference: str, wait: bool) -> None:
    """Stop a task's executions, or the execution with this id. It is not an error if none runs."""
    ids = _live(client, reference)
    for id_ in ids:
        client.call("StopTaskExecution", id=id_)
    for id_ in ids if wait else []:
        execution_ended(client, id_)


@task.command("logs")
@with_client
@reference_argument(_complete)
@log_options
def logs(client: Client, reference: str, **options: Any) -> None:
    """Print the log of a task, as "supervisor logs" does: of its last execution, of the execution with this id, or of
    the runs that the options name.
    """
    try:
        references.task(client, reference)
    except NotFound:
        if references.execution(client, reference) is None:
            raise
    print_logs(client, [reference], **options)


@task.command("delete")
@with_client
@reference_argument(_complete, many=True)
def delete(client: Client, references: tuple[str, ...]) -> None:
    """Stop the executions of tasks and delete the tasks. One that the automations file has comes back when the file is
    read again; one that another task depends on cannot be deleted.
    """
    for id_ in _ids(client, references):
        client.call("DeleteTask", id=id_)


def _ids(client: Client, names: tuple[str, ...]) -> list[str]:
    return [references.task(client, name)["id"] for name in names]


def _live(client: Client, reference: str) -> list[str]:
    try:
        task = references.task(client, reference)
    except NotFound:
        if references.execution(client, reference) is None:
            raise
        return [reference]
    return [execution["id"] for execution in references.executions(client, task, references.LIVE)]


def _row(task: Json, last: Json, step: Json | None) -> tuple[str, ...]:
    name = task["metadata"].get("name", "")
    if step is not None:
        about = step["reason"] if step["phase"] == "failed" else name
        by = f"task {step['reference']}"
        return references.name_of(task), step["phase"], local_time(step["at"]), by, about
    metadata = last.get("metadata", {})
    failure = last.get("status", {}).get("failureMessage", "").partition("\n")[0]
    return (
        references.name_of(task),
        phase_of(last) or "never ran",
        local_time(metadata.get("completedAt") or metadata.get("startedAt") or ""),
        metadata.get("startedBy", ""),
        failure or name,
    )
