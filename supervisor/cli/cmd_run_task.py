"""`supervisor run-task`: one task with its dependencies, its output on this terminal, its exit code as ours."""

from __future__ import annotations

import functools
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import click

from supervisor.boot import Settings, Supervisor, hold_signals
from supervisor.cli.early import take_link
from supervisor.cli.follow import Follower, Lines, Sink
from supervisor.cli.options import complete_task, output_format, workspace_of
from supervisor.cli.output import Outlet
from supervisor.cli.printer import Printer
from supervisor.core.execution import is_over
from supervisor.model.errors import NotFound, SupervisorError
from supervisor.model.exit import shell_status
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import Execution


@click.command("run-task")
@click.argument("reference", metavar="REF", shell_complete=complete_task)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--standalone", is_flag=True, help="Without a running supervisor: in this process.")
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where commands run.",
)
@output_format
def command(reference: str, file: Path | None, standalone: bool, workspace: Path | None, format_: str) -> int:
    """Run the task REF of FILE with its dependencies and exit with its exit code.

    The output of the commands goes to standard output, what happens to them to standard error. If a step fails, its
    exit code is this command's; Ctrl-C stops the execution and exits 130. Services that were started for it are stopped
    at the end.
    """
    if not standalone:
        raise SupervisorError(
            f'cannot run task "{reference}": there is no running supervisor that could; '
            f'"supervisor run-task {reference} --standalone" runs it in this process'
        )
    held = hold_signals()
    with (
        closing(Outlet(sys.stdout)) as output,
        closing(Outlet(sys.stderr)) as news,
        tempfile.TemporaryDirectory(prefix="supervisor-run-task-") as state,
    ):
        settings = Settings(
            workspace=workspace_of(file, workspace),
            specified=None if file is None else file.absolute(),
            state_dir=Path(state),
            watch=False,
        )
        return _run(settings, reference, Printer(news, as_json=format_ == "json"), output, held)


def _run(settings: Settings, reference: str, printer: Printer, output: Outlet, held: list[int]) -> int:
    with closing(Supervisor(settings, take_link(), printer)) as supervisor:
        supervisor.adopt()
        loaded = supervisor.automations.read()
        if loaded is None or loaded.file is None:
            why = "its problems are above" if loaded else "there is none"
            raise SupervisorError(f'cannot run task "{reference}": no valid automations file; {why}')
        task_id = _task_id(supervisor, reference)
        alone = not loaded.file.tasks[reference].depends_on
        sink = functools.partial(_Raw if alone else _prefixed, output)
        follower = Follower(supervisor, printer, sink, output)
        work = functools.partial(_exit_status, supervisor, supervisor.start_task(task_id))
        status = supervisor.serve(work, [follower.run], held)
        follower.finish()
        return status


def _task_id(supervisor: Supervisor, reference: str) -> str:
    tasks = {task.item.reference: task.id for task in supervisor.engine.world.records.tasks.values()}
    if reference not in tasks:
        known = ", ".join(sorted(tasks)) or "none"
        raise NotFound(f'cannot run task "{reference}": the file has no such task; it has {known}')
    return tasks[reference]


async def _exit_status(supervisor: Supervisor, execution_id: str) -> int:
    """The execution's end as an exit status: the failing step's code, 1 where there is none."""
    await supervisor.engine.until(lambda records: is_over(records.executions[execution_id]))
    return status_of(supervisor.engine.world.records.executions[execution_id])


def status_of(execution: Execution) -> int:
    """0 if it succeeded, the failing step's exit code if it failed, 130 if it was stopped."""
    match execution.phase:
        case ExecutionPhase.SUCCEEDED:
            return 0
        case ExecutionPhase.STOPPED:
            return 130
        case _:
            return (shell_status(execution.exit) if execution.exit is not None else 1) or 1


class _Raw:
    """The output as it is: bytes, progress bars and all."""

    def __init__(self, outlet: Outlet, _name: str) -> None:
        self._outlet = outlet

    def write(self, data: bytes) -> None:
        self._outlet.put(data)

    def end(self) -> None:
        pass


def _prefixed(outlet: Outlet, name: str) -> Sink:
    """Several commands share the terminal: whole lines, each with its command's name."""
    return Lines(name, lambda name, line: outlet.put(f"{name} | {line}"))
