"""Runs a supervisor in the foreground: `supervisor run`. Knows nothing of click, whose import would delay the start."""

from __future__ import annotations

import functools
import os
import sys
from contextlib import closing

from supervisor import __version__
from supervisor.boot.crash import Bug, noted
from supervisor.boot.lifecycle import Work
from supervisor.boot.prestart import take_notifier, take_shim
from supervisor.boot.run_settings import settings_from
from supervisor.boot.supervisor import Supervisor
from supervisor.boot.upgrade.carried import Carried, execute, take_carried
from supervisor.cli.terminal.follower import Follower
from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.printer import NAME_WIDTH, Printer
from supervisor.core import queries
from supervisor.host.proc import signals
from supervisor.host.proc.notify import Notifier
from supervisor.lean.frozen import replace
from supervisor.lean.late import anyio
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.ids import ExecutionId
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import Execution, TaskStep
from supervisor.model.spec import Trigger
from supervisor.model.sysexits import EXIT_BUG, EXIT_DETACHED, EXIT_FAILED, EXIT_INTERRUPTED
from supervisor.settings import cwd, table
from supervisor.settings.argv import RunArguments
from supervisor.settings.initial_spec import read_settings
from supervisor.settings.resolved import Resolved

if TYPE_CHECKING:
    from supervisor.cli.terminal.run_output import RunOutput


def run(arguments: RunArguments) -> int:
    """Run until the work is done or a signal comes. Returns the exit status. Raises SupervisorError.

    For an upgrade this process executes the program at the path that it was started from, and this never returns. If
    that fails, this process goes on with what was packed for the new one.
    """
    asked = read_settings(arguments.flags, os.environ)
    held = signals.hold()
    cwd.leave()
    carried, notifier = take_carried(), take_notifier()
    while True:
        try:
            ended = _run(asked, arguments.as_json, held, notifier, carried)
        except Bug as error:
            print(f"supervisor: {error}", file=sys.stderr)
            return EXIT_BUG
        if isinstance(ended, int):
            return ended
        carried, late = ended
        try:
            execute(carried, late, notifier.environ)
        except OSError as error:
            print(f"supervisor: cannot execute {sys.executable}: {error.strerror}; going on", file=sys.stderr)
            held = signals.hold()


def _run(
    asked: Resolved, as_json: bool, held: signals.PendingSignals, notifier: Notifier, received: Carried | None
) -> int | tuple[Carried, signals.PendingSignals]:
    """Run one supervisor. Returns its exit status, or what the next program gets and the signals not handled yet."""
    settings = settings_from(asked)
    triggers = asked[table.TRIGGER]
    outlet = Outlet(sys.stdout)
    printer = Printer(outlet, as_json=as_json)
    with (
        closing(outlet),
        closing(Supervisor(settings, take_shim(), printer, notifier, received)) as supervisor,
        noted(supervisor.state.path),
    ):
        follower = Follower(
            supervisor,
            printer,
            _output_to(outlet, printer if as_json else None) if asked[table.LOGS] else None,
            outlet,
            received.printed if received else {},
        )
        if received:
            printer.notice(f"upgraded from {received.version} to {__version__}: going on with what runs")
        elif supervisor.session.continues:
            printer.notice("the supervisor before this one has left what ran: going on with it")
        supervisor.automations.require(lambda: bool(held))
        adopted = supervisor.start.adopt()
        loaded = supervisor.automations.start()
        fired = adopted + (
            supervisor.start.fire(*triggers) if triggers else supervisor.start.fire_environment_start()
        )
        work: Work
        if Trigger.PREBUILD in triggers:
            work = functools.partial(_prebuild, supervisor, fired)
        elif asked[table.EXIT_WHEN_DONE]:
            work = functools.partial(_until_done, supervisor, fired)
        else:
            work = _until_signal
        status = supervisor.serve(work, [follower.run, functools.partial(_print_warnings, printer)], held)
        if supervisor.carried is not None:
            left = replace(supervisor.carried, printed=follower.pause())
            outlet.pause()
            return left, supervisor.lifecycle.late
        if status > 128 and status != EXIT_INTERRUPTED:
            outlet.hurry()
        follower.finish()
        if work is _until_signal:
            # Without other work an end by signal is a success. But Ctrl-C has to end a shell's loop as well.
            status = status if status in (EXIT_INTERRUPTED, EXIT_DETACHED) else 0
        elif loaded is not None and loaded.file is None:
            return EXIT_FAILED
        return status or (0 if supervisor.is_whole else EXIT_FAILED)


def _output_to(outlet: Outlet, as_json: Printer | None) -> RunOutput:
    # A start without --logs does not need it.
    from supervisor.cli.terminal.run_output import LineOutput, PrefixedOutput

    return PrefixedOutput(outlet, NAME_WIDTH) if as_json is None else LineOutput(as_json)


async def _print_warnings(printer: Printer) -> None:
    from supervisor.cli.terminal.log_handler import (
        print_warnings,  # `logging` is not imported before the loop
    )

    await print_warnings(printer)


async def _until_signal() -> int:
    await anyio.sleep_forever()
    return 0


async def _until_done(supervisor: Supervisor, fired: list[ExecutionId]) -> int:
    """0 when every execution has succeeded and every service that was started got to RUNNING or STOPPED, else 1."""
    await supervisor.engine.until(queries.is_done)
    records = supervisor.engine.world.records
    executions = (records.executions[id_] for id_ in fired if id_ in records.executions)
    failed = any(execution.phase is not ExecutionPhase.SUCCEEDED for execution in executions)
    return int(failed or bool(queries.failed_services(records)))


async def _prebuild(supervisor: Supervisor, fired: list[ExecutionId]) -> int:
    """The prebuild's tasks, then those before the snapshot; 1 if one that the prebuild requires did not succeed.

    A service is waited for until it is ready or over, never until it ends: most never do.
    """
    await supervisor.engine.until(queries.is_done)
    fired = fired + supervisor.start.fire(Trigger.BEFORE_SNAPSHOT)
    await supervisor.engine.until(queries.is_done)
    records = supervisor.engine.world.records
    required = (records.executions[id_] for id_ in fired if id_ in records.executions)
    return int(any(_is_required(x) and x.phase is not ExecutionPhase.SUCCEEDED for x in required))


def _is_required(execution: Execution) -> bool:
    """Whether the task itself, or one that it depends on, says that the prebuild requires its success."""
    steps = (step for group in execution.plan for step in group)
    return any(isinstance(step, TaskStep) and step.spec.prebuild_requires_success for step in steps)
