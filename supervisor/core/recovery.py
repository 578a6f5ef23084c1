"""What the records of an earlier supervisor mean to the one that takes them over.

Records are stored before their actions are performed, so a supervisor that was killed may have left some or all actions
of a step undone. Actions are not stored: each follows from the record that asked for it. A run in a slot had to be
started, a run that is being stopped had to be signalled. `host/runs/adoption.py` finds out whether it was. To signal a
process twice does no harm; to start it twice would.

| record | its run | is started if it never was | gets |
|---|---|---|---|
| service STARTING | start | yes, unless it is known to have run | |
| | probes | yes | |
| service RUNNING | start | | |
| service STOPPING | start | no: it is to stop | TERM or KILL as the stage says; not while its stop command runs |
| | probes | no | KILL |
| | stop command | yes, while it is the stage | KILL in that stage |
| task run LIVE | itself | yes | |
| task run STOPPING | itself | no: it is to stop | TERM, KILL once it took too long |
| operation LIVE | itself | yes | |
| operation STOPPING | itself | no: it is to stop | TERM, KILL once it took too long |

A restart of the machine ends every process. `lose_all` folds that into the records: deadlines of the last boot are
dropped, services are STOPPED and not wanted until a command or a trigger asks for them, executions with groups left
fail, and those in their last group end as their runs did, as far as that is known. So do operations.
"""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.core import operations, queries
from supervisor.core.records import Records
from supervisor.core.state_machines.service_steps import spawn_of as spawn_of_service
from supervisor.core.state_machines.task_run import spawn_of
from supervisor.lean.frozen import replace
from supervisor.lean.typing import assert_never
from supervisor.model.action import Inherited, Kill, RunKind, Terminate
from supervisor.model.ids import RunId
from supervisor.model.moment import Now
from supervisor.model.phase import RunPhase, Want
from supervisor.model.record import Service, TaskRun
from supervisor.model.states import AtRest, RunStopping, Starting, Stopping, StopStage

RESTARTED = "ended when the machine was restarted"


def inherited(records: Records) -> list[Inherited]:
    """Every run that lives according to the records, in the order in which their owners were created."""
    found = [one for service in records.services.values() for one in _of_service(service)]
    found += [_of_task(run) for run in records.runs.values() if run.phase is not RunPhase.ENDED]
    return found + operations.inherited(records)


def known_runs(records: Records) -> set[RunId]:
    """The ids of all runs that any record names, past ones too."""
    known = records.run_ids() | records.operations.keys()
    for service in records.services.values():
        known.update(service.directories, service.live_runs)
    return known


def lose_all(records: Records, now: Now) -> None:
    """The machine was restarted: nothing lives. Runs of tasks, and operations, are ended by facts of their own."""
    for service in records.services.values():
        if not service.at_rest or service.want is Want.UP:
            records.put(_lost(service, now))
    operations.lose_all(records)
    live = queries.shown_all(records, queries.live_executions(records))
    unfinished = [records.executions[x.id] for x in live if x.group < len(x.plan) - 1 and not x.reason]
    for execution in unfinished:
        records.put(replace(execution, reason="the machine was restarted"))


def _of_service(service: Service) -> Iterator[Inherited]:
    state = service.state
    stage = state.stage if isinstance(state, Stopping) else None
    if (start := service.start) is not None:
        wanted = isinstance(state, Starting) and state.probe is None
        yield Inherited(spawn_of_service(service, RunKind.START, start), wanted, _ending(start, stage))
    if (probe := service.probe) is not None:
        spawn = spawn_of_service(service, RunKind.READY, probe)
        wanted = isinstance(state, Starting)
        yield Inherited(spawn, wanted, None if wanted else Kill(probe))
    if (stop := service.stop) is not None:
        spawn = spawn_of_service(service, RunKind.STOP, stop)
        killed = stage is StopStage.KILLED
        yield Inherited(spawn, stage is StopStage.COMMAND, Kill(stop) if killed else None)


def _ending(start: RunId, stage: StopStage | None) -> Terminate | Kill | None:
    match stage:
        case None | StopStage.COMMAND:
            return None
        case StopStage.TERMINATED:
            return Terminate(start)
        case StopStage.KILLED:
            return Kill(start)
        case _:
            assert_never(stage)


def _of_task(run: TaskRun) -> Inherited:
    if not isinstance(run.state, RunStopping):
        return Inherited(spawn_of(run), wanted=True)
    killed = run.state.kill_at is None
    return Inherited(spawn_of(run), wanted=False, ending=Kill(run.id) if killed else Terminate(run.id))


def _lost(service: Service, now: Now) -> Service:
    service = replace(service, want=Want.GONE if service.want is Want.GONE else Want.DOWN)
    if (session := service.live_session) is None:
        return service
    end = service.state.exit if isinstance(service.state, Stopping) else None
    return replace(service, state=AtRest(session, note=RESTARTED, exit=end), since_s=now.wall_s)
