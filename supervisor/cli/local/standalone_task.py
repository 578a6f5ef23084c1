"""Runs one task in a supervisor that ends with it: `supervisor run-task REF --standalone`."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from supervisor.boot.prestart import take_shim
from supervisor.boot.run_settings import Settings, workspace_of
from supervisor.boot.supervisor import Supervisor
from supervisor.cli.terminal.escapes import filter_for
from supervisor.cli.terminal.follower import Follower
from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.printer import Printer
from supervisor.cli.terminal.run_output import PrefixedOutput, RunOutput, Sink
from supervisor.config.suggest import Suggester
from supervisor.core import queries
from supervisor.core.state_machines.execution import is_over
from supervisor.host.proc import signals
from supervisor.host.users.folder_trust import doubt
from supervisor.model.errors import BadSettings, MachineError, NotFound, SupervisorError
from supervisor.model.ids import ExecutionId, TaskId, fresh
from supervisor.model.record import Service, Task
from supervisor.settings import cwd


def run_standalone(reference: str, file: Path | None, workspace: Path | None, as_json: bool) -> int:
    """Run a task of a file with its dependencies; its state is removed at the end. Returns the exit status.

    Raises SupervisorError if there is no such task, or no valid file.
    """
    file, workspace = _absolute(file), _absolute(workspace)
    workspace = workspace_of(file, workspace)
    cwd.leave()
    held = signals.hold()
    with (
        closing(Outlet(sys.stdout)) as output,
        closing(output if _same_terminal() else Outlet(sys.stderr)) as news,
        _temporary_state() as state,
    ):
        settings = Settings(
            workspace=workspace,
            specified=file,
            state_dir=state,
            watch=False,
        )
        return _run(settings, reference, Printer(news, as_json), output, held)


def _absolute(path: Path | None) -> Path | None:
    try:
        return None if path is None else Path(cwd.absolute(str(path)))
    except ValueError as error:
        raise BadSettings([f'cannot find "{path}": {error}']) from None


@contextmanager
def _temporary_state() -> Iterator[Path]:
    """An empty folder for the state, removed at the end. The import of `tempfile` would cost 10 ms."""
    path = Path("/", os.environ.get("TMPDIR") or "tmp", f"supervisor-run-task-{fresh()[:8]}")
    try:
        if (found := doubt(path.parent)) is not None:
            raise BadSettings(
                [
                    f"cannot use the folder {path.parent}: {found.path} {found.why}, who could exchange what is in it; "
                    "set TMPDIR to one below folders that are root's or yours"
                ]
            )
        os.mkdir(path, 0o700)
    except OSError as error:
        raise MachineError(
            f"cannot make the folder {path}: {error.strerror}; set TMPDIR to another"
        ) from error
    try:
        yield path
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    try:
        for folder, folders, files in os.walk(path, topdown=False):
            for name in files:
                os.unlink(f"{folder}/{name}")
            for name in folders:
                os.rmdir(f"{folder}/{name}")
        os.rmdir(path)
    except OSError:  # a link to a folder, or a folder that may not be read: what a command made for itself
        import shutil

        shutil.rmtree(path, ignore_errors=True)


def _run(
    settings: Settings, reference: str, printer: Printer, output: Outlet, held: signals.PendingSignals
) -> int:
    with closing(Supervisor(settings, take_shim(), printer)) as supervisor:
        supervisor.automations.wait_for_writers(lambda: bool(held))
        supervisor.start.adopt()
        loaded = supervisor.automations.start()
        if loaded is None or loaded.file is None:
            why = "its problems are above" if loaded else "there is none"
            raise SupervisorError(f'cannot run task "{reference}": no valid automations file; {why}')
        task_id = _task_id(supervisor, reference)
        alone = not loaded.file.tasks[reference].depends_on
        runs: RunOutput = _RawOutput(output) if alone else PrefixedOutput(output)
        follower = Follower(supervisor, printer, runs, output)
        work = functools.partial(_exit_status, supervisor, supervisor.start.start_task(task_id))
        status = supervisor.serve(work, [follower.run], held)
        follower.finish()
        return status


def _task_id(supervisor: Supervisor, reference: str) -> TaskId:
    items = queries.items(supervisor.engine.world.records)
    match items.get(reference):
        case Task() as task:
            return task.id
        case Service():
            raise NotFound(f'cannot run task "{reference}": it is a service; "supervisor run" runs it')
        case None:
            tasks = [name for name, item in items.items() if isinstance(item, Task)]
            hint = (
                Suggester().did_you_mean(reference, tasks) or f"it has {', '.join(sorted(tasks)) or 'none'}"
            )
            raise NotFound(f'cannot run task "{reference}": the file has no such task; {hint}')


async def _exit_status(supervisor: Supervisor, execution_id: ExecutionId) -> int:
    """The execution's end as an exit status."""
    await supervisor.engine.until(lambda records: is_over(records.executions[execution_id]))
    status = queries.exit_status(supervisor.engine.world.records.executions[execution_id])
    assert status is not None
    return status


class _RawOutput:
    """Prints the output of the only run as it is, progress bars and all. A terminal gets what may be shown there."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._filter = filter_for(outlet.terminal)

    def sink(self, _name: str) -> Sink:
        return self

    def show_unfinished(self) -> None:
        pass  # it has been

    def write(self, data: bytes) -> None:
        self._outlet.put(self._filter.feed(data))

    def end(self) -> None:
        self._outlet.put(self._filter.end())

    def leave(self) -> bool:
        return True


def _same_terminal() -> bool:
    """Whether reports and output go to one terminal. Then one thread prints both, and knows where its rows are."""
    out, err = sys.stdout, sys.stderr
    return out.isatty() and err.isatty() and os.fstat(out.fileno()).st_rdev == os.fstat(err.fileno()).st_rdev
