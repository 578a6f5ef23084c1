"""Records to messages. The wire's spellings and ours meet here and in `from_wire`, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from platform_wire import environment_automation_pb2 as pb
from platform_wire import environment_pb2 as pb_environment
from platform_wire import identity_pb2
from supervisor.config.lookup import Presence
from supervisor.model.phase import ExecutionPhase, ServicePhase, Want
from supervisor.model.record import Execution, Service, Task, TaskStep
from supervisor.model.spec import (
    Docker,
    EnvVar,
    Machine,
    Role,
    RunsOn,
    SecretRef,
    TaskSpec,
    Trigger,
)
from supervisor.model.step_states import StepState

_FILE = pb_environment.EnvironmentStatus.AutomationsFile
SERVICE_PHASES: Mapping[ServicePhase, pb.ServicePhase] = {
    ServicePhase.STARTING: pb.SERVICE_PHASE_STARTING,
    ServicePhase.RUNNING: pb.SERVICE_PHASE_RUNNING,
    ServicePhase.STOPPING: pb.SERVICE_PHASE_STOPPING,
    ServicePhase.STOPPED: pb.SERVICE_PHASE_STOPPED,
    ServicePhase.FAILED: pb.SERVICE_PHASE_FAILED,
    ServicePhase.DELETED: pb.SERVICE_PHASE_DELETED,
}
EXECUTION_PHASES: Mapping[ExecutionPhase, pb.TaskExecutionPhase] = {
    ExecutionPhase.PENDING: pb.TASK_EXECUTION_PHASE_PENDING,
    ExecutionPhase.RUNNING: pb.TASK_EXECUTION_PHASE_RUNNING,
    ExecutionPhase.SUCCEEDED: pb.TASK_EXECUTION_PHASE_SUCCEEDED,
    ExecutionPhase.FAILED: pb.TASK_EXECUTION_PHASE_FAILED,
    ExecutionPhase.STOPPED: pb.TASK_EXECUTION_PHASE_STOPPED,
}
WANTED_PHASES: Mapping[Want, pb.ServicePhase] = {
    Want.UP: pb.SERVICE_PHASE_RUNNING,
    Want.DOWN: pb.SERVICE_PHASE_STOPPED,
    Want.GONE: pb.SERVICE_PHASE_DELETED,
}
ROLES: Mapping[Role, pb.ServiceRole] = {
    Role.DEFAULT: pb.SERVICE_ROLE_DEFAULT,
    Role.EDITOR: pb.SERVICE_ROLE_EDITOR,
    Role.AI_AGENT: pb.SERVICE_ROLE_AI_AGENT,
}
TRIGGER_FIELDS: Mapping[Trigger, str] = {
    Trigger.MANUAL: "manual",
    Trigger.POST_MACHINE_START: "post_machine_start",
    Trigger.POST_ENVIRONMENT_START: "post_environment_start",
    Trigger.POST_DEVCONTAINER_START: "post_devcontainer_start",
    Trigger.PREBUILD: "prebuild",
    Trigger.BEFORE_SNAPSHOT: "before_snapshot",
}
TRIGGERS: Mapping[str, Trigger] = {field: trigger for trigger, field in TRIGGER_FIELDS.items()}
PRESENCES: Mapping[Presence, pb_environment.EnvironmentStatus.AutomationsFile.Presence] = {
    Presence.ABSENT: _FILE.PRESENCE_ABSENT,
    Presence.DISCOVERED: _FILE.PRESENCE_DISCOVERED,
    Presence.SPECIFIED: _FILE.PRESENCE_SPECIFIED,
}
_STEP_BYTES = 300
_ITEM_BYTES = 1000


def timestamp(wall_s: float | None) -> Timestamp | None:
    """A time as the wire writes it; None stays None."""
    if wall_s is None:
        return None
    found = Timestamp()
    found.FromNanoseconds(int(wall_s * 1e9))
    return found


class Translator:
    """Makes messages of records; knows the environment and where its logs are found."""

    def __init__(self, environment_id: str, public_url: str) -> None:
        """`public_url`: the URL by which clients reach this supervisor, without a slash at the end."""
        self.environment_id = environment_id
        self.public_url = public_url
        self.subject = identity_pb2.Subject(id=environment_id, principal=identity_pb2.PRINCIPAL_ENVIRONMENT)

    def service(self, service: Service) -> pb.Service:
        """A service as clients see it."""
        item = service.item
        return pb.Service(
            id=service.id,
            environment_id=self.environment_id,
            metadata=pb.ServiceMetadata(
                reference=item.reference,
                name=item.name,
                description=item.description,
                created_at=timestamp(service.created_s),
                creator=self.subject,
                triggered_by=triggers(item.triggers),
                role=ROLES[item.role],
            ),
            spec=pb.ServiceSpec(
                spec_version=service.spec_version,
                desired_phase=WANTED_PHASES[service.want],
                commands=pb.ServiceSpec.Commands(
                    start=item.spec.start, ready=item.spec.ready, stop=item.spec.stop
                ),
                session=service.session,
                runs_on=runs_on(item.spec.runs_on),
                env=variables(item.spec.env),
                readiness_timeout=_duration(item.spec.readiness_timeout_s),
            ),
            status=pb.ServiceStatus(
                status_version=service.revision,
                phase=SERVICE_PHASES[service.phase],
                failure_message=_failure(service.reason, service.tail)
                if service.phase in (ServicePhase.FAILED, ServicePhase.DELETED)
                else "",
                log_url=f"{self.public_url}/logs/services/{service.id}" if service.log_run else "",
                session=service.ran_session,
                output=service.output,
            ),
        )

    def task(self, task: Task) -> pb.Task:
        """A task as clients see it."""
        return pb.Task(
            id=task.id,
            environment_id=self.environment_id,
            metadata=pb.TaskMetadata(
                reference=task.item.reference,
                name=task.item.name,
                description=task.item.description,
                created_at=timestamp(task.created_s),
                creator=self.subject,
                triggered_by=triggers(task.item.triggers),
            ),
            spec=task_spec(task.item.spec),
            depends_on=task.depends_on,
        )

    def execution(self, execution: Execution) -> pb.TaskExecution:
        """A task execution as clients see it."""
        wanted = ExecutionPhase.STOPPED if execution.stop_wanted else ExecutionPhase.RUNNING
        return pb.TaskExecution(
            id=execution.id,
            metadata=pb.TaskExecutionMetadata(
                task_id=execution.task_id,
                environment_id=self.environment_id,
                created_at=timestamp(execution.created_s),
                creator=self.subject,
                started_by=execution.started_by,
                started_at=timestamp(execution.started_s),
                completed_at=timestamp(execution.ended_s),
            ),
            spec=pb.TaskExecutionSpec(plan=_plan(execution), desired_phase=EXECUTION_PHASES[wanted]),
            status=pb.TaskExecutionStatus(
                status_version=execution.revision,
                phase=EXECUTION_PHASES[execution.phase],
                failure_message=_failure(execution.reason, execution.tail),
                steps=[_step(id_, state) for id_, state in execution.steps.items()],
                log_url=f"{self.public_url}/logs/executions/{execution.id}",
            ),
        )


def text(words: str) -> str:
    """Text that protobuf accepts: bytes of a path that are not UTF-8 are shown by their codes."""
    return words if words.isascii() else words.encode("utf-8", "backslashreplace").decode()


def triggers(names: Iterable[Trigger]) -> list[pb.AutomationTrigger]:
    """Triggers as objects with one key set to true."""
    return [pb.AutomationTrigger(**{TRIGGER_FIELDS[name]: True}) for name in names]


def runs_on(target: RunsOn | None) -> pb.RunsOn | None:
    """Where a command runs, as the wire writes it."""
    match target:
        case None:
            return None
        case Machine():
            return pb.RunsOn(machine=pb.RunsOn.Machine())
        case Docker(image, environment):
            return pb.RunsOn(docker=pb.RunsOn.Docker(image=image, environment=environment))


def variables(env: Iterable[EnvVar]) -> list[pb.EnvironmentVariableItem]:
    """Variables of an item; a secret is named, never shown."""
    found = []
    for variable in env:
        if isinstance(variable.value, SecretRef):
            source = pb.EnvironmentVariableSource(secret_ref=pb.SecretRef(id=variable.value.id))
            found.append(pb.EnvironmentVariableItem(name=variable.name, value_from=source))
        else:
            found.append(pb.EnvironmentVariableItem(name=variable.name, value=variable.value))
    return found


def task_spec(spec: TaskSpec) -> pb.TaskSpec:
    """What a task runs, as the wire writes it."""
    return pb.TaskSpec(
        command=spec.command,
        runs_on=runs_on(spec.runs_on),
        env=variables(spec.env),
        prebuild_requires_success=spec.prebuild_requires_success,
    )


def size_bytes(record: Execution | Service) -> int:
    """About how large a record is as a message."""
    if isinstance(record, Service):
        return _ITEM_BYTES + len(record.reason) + len(record.tail) + _of_output(record.output)
    groups = [record.current.values(), *record.passed]
    outputs = sum(_of_output(state.output) for group in groups for state in group if state.output)
    steps = sum(map(len, record.plan))
    return _ITEM_BYTES + _STEP_BYTES * steps + outputs + len(record.reason) + len(record.tail)


# Parts ----------------------------------------------------------------------------------------------------------------


def _duration(duration_s: float) -> Duration | None:
    if not duration_s:
        return None
    found = Duration()
    found.FromNanoseconds(int(duration_s * 1e9))
    return found


def _failure(reason: str, tail: str) -> str:
    return text(f"{reason}\n{tail}".strip()) if reason else ""


def _plan(execution: Execution) -> list[pb.TaskExecutionSpec.Group]:
    groups = []
    for group in execution.plan:
        steps = []
        for step in group:
            message = pb.TaskExecutionSpec.Step(id=step.id, depends_on=step.depends_on, label=step.reference)
            if isinstance(step, TaskStep):
                message.task.CopyFrom(pb.TaskExecutionSpec.Task(id=step.task_id, spec=task_spec(step.spec)))
            else:
                message.service_id = step.service_id
            steps.append(message)
        groups.append(pb.TaskExecutionSpec.Group(steps=steps))
    return groups


def _step(id_: str, state: StepState) -> pb.TaskExecutionStatus.Step:
    return pb.TaskExecutionStatus.Step(
        id=id_,
        phase=EXECUTION_PHASES[state.phase],
        failure_message=text(state.reason) if state.phase is ExecutionPhase.FAILED else "",
        output=state.output,
    )


def _of_output(output: Mapping[str, str]) -> int:
    return sum(len(key) + len(value) + 8 for key, value in output.items())
