"""`supervisor run`: the supervisor in the foreground."""

from __future__ import annotations

import functools
import sys
from contextlib import closing
from pathlib import Path

import click

from supervisor.boot import Api, Settings, Supervisor, Work, hold_signals
from supervisor.cli.early import take_link
from supervisor.cli.follow import Follower, Lines
from supervisor.cli.options import file_argument, output_format, trigger_option, workspace_of
from supervisor.cli.output import Outlet
from supervisor.cli.printer import Printer
from supervisor.config.lookup import PLACES
from supervisor.core.records import Records
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Execution, TaskStep
from supervisor.model.spec import Trigger


@click.command("run")
@file_argument
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where commands run.",
)
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where logs and state are kept.")
@trigger_option(
    multiple=True, help="Fire just this trigger (repeatable). prebuild: run a prebuild, then exit."
)
@click.option(
    "--log-limit",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    metavar="MIB",
    help="How much of the end of each command's log is kept.",
)
@click.option(
    "--listen",
    default="",
    metavar="HOST:PORT",
    help='Where the API listens beside its Unix socket; "none": nowhere. Default: 127.0.0.1:24424, or a free port.',
)
@click.option("--public-url", default="", metavar="URL", help="What clients reach the API by, for log URLs.")
@click.option(
    "--host-name", multiple=True, metavar="NAME", help="A name that requests may be for (repeatable)."
)
@click.option("--allow-origin", multiple=True, metavar="URL", help="A web page that may call (repeatable).")
@click.option("--no-watch", is_flag=True, help="Do not follow edits of the file.")
@click.option(
    "--exit-when-done", is_flag=True, help="Exit when all tasks have ended: 0, or 1 if one did not succeed."
)
@click.option(
    "--logs", is_flag=True, help="Print the output of the commands, each line with its command's name."
)
@output_format
def command(
    file: Path | None,
    workspace: Path | None,
    state_dir: Path | None,
    trigger: tuple[str, ...],
    log_limit: int,
    listen: str,
    public_url: str,
    host_name: tuple[str, ...],
    allow_origin: tuple[str, ...],
    no_watch: bool,
    exit_when_done: bool,
    logs: bool,
    format_: str,
) -> int:
    """Run the services and tasks of FILE, or of the workspace's automations file, until Ctrl-C.

    Starts what the triggers start, follows edits of the file, and stops everything at the end. A second Ctrl-C kills.

    \b
      supervisor run
      supervisor run --logs --exit-when-done
      supervisor run --trigger prebuild
    """
    held = hold_signals()
    triggers = tuple(Trigger(name) for name in trigger)
    settings = Settings(
        workspace=workspace_of(file, workspace),
        specified=None if file is None else file.absolute(),
        state_dir=state_dir,
        watch=not no_watch,
        log_limit_bytes=log_limit << 20,
        api=Api(listen, public_url, host_name, allow_origin),
    )
    outlet = Outlet(sys.stdout)
    printer = Printer(outlet, as_json=format_ == "json")
    with closing(outlet), closing(Supervisor(settings, take_link(), printer)) as supervisor:
        follower = Follower(
            supervisor, printer, functools.partial(Lines, write_line=printer.log) if logs else None, outlet
        )
        if supervisor.resumes:
            printer.notice("the supervisor before this one was cut off: going on with what it left")
        adopted = supervisor.adopt()
        loaded = supervisor.automations.read()
        if loaded is None:
            printer.notice(f"there is no automations file here: looked for {', '.join(PLACES)}")
        fired = adopted + (supervisor.fire(*triggers) if triggers else supervisor.start_environment())
        work: Work
        if Trigger.PREBUILD in triggers:
            work = functools.partial(_prebuild, supervisor, fired)
        elif exit_when_done:
            work = functools.partial(_until_done, supervisor, fired)
        else:
            work = _until_signal
        status = supervisor.serve(work, [follower.run], held)
        follower.finish()
        refused = loaded is not None and loaded.file is None
        return 1 if refused and work is not _until_signal else status


async def _until_signal() -> int:
    import anyio

    await anyio.sleep_forever()
    return 0


async def _until_done(supervisor: Supervisor, fired: list[str]) -> int:
    """0 when every execution has succeeded and every service that was started got to RUNNING or STOPPED, else 1."""
    await supervisor.engine.until(_quiet)
    records = supervisor.engine.world.records
    executions = (records.executions[id_] for id_ in fired if id_ in records.executions)
    failed = any(execution.phase is not ExecutionPhase.SUCCEEDED for execution in executions)
    return int(failed or any(service.phase is ServicePhase.FAILED for service in records.services.values()))


async def _prebuild(supervisor: Supervisor, fired: list[str]) -> int:
    """The prebuild's tasks, then those before the snapshot; 1 if one that the prebuild requires did not succeed.

    A service is waited for until it is ready or over, never until it ends: most never do.
    """
    await supervisor.engine.until(_quiet)
    fired = fired + supervisor.fire(Trigger.BEFORE_SNAPSHOT)
    await supervisor.engine.until(_quiet)
    records = supervisor.engine.world.records
    required = (records.executions[id_] for id_ in fired if id_ in records.executions)
    return int(any(_is_required(x) and x.phase is not ExecutionPhase.SUCCEEDED for x in required))


def _quiet(records: Records) -> bool:
    phases = {service.phase for service in records.services.values()}
    return not records.live and not phases & {ServicePhase.STARTING, ServicePhase.STOPPING}


def _is_required(execution: Execution) -> bool:
    """Whether the task itself, or one that it depends on, says that the prebuild requires its success."""
    steps = (step for group in execution.plan for step in group)
    return any(isinstance(step, TaskStep) and step.spec.prebuild_requires_success for step in steps)
