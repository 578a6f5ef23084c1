"""gitpod.v1.EnvironmentService and IdentityService: the one environment that this supervisor runs, and who calls it.

The fields that clients set are kept as the environment's spec. Of those, only the path of the automations file changes
what the supervisor does; the rest is kept for clients that ask for it.
"""

from __future__ import annotations

from typing import Protocol

from google.protobuf.json_format import MessageToJson, Parse

from connect_server.calls import Call
from connect_server.connect_errors import Code, ConnectError
from platform_wire import environment_pb2 as pb
from platform_wire import identity_pb2
from platform_wire.environment_handler import EnvironmentServiceHandler
from platform_wire.identity_handler import IdentityServiceHandler
from supervisor import __version__
from supervisor.activity.activity import Activity
from supervisor.api.http.access_policy import Scope, TokenMint
from supervisor.api.platform.environment_urls import EnvironmentUrls
from supervisor.api.platform.to_wire import PRESENCES, Translator, text, timestamp, triggers
from supervisor.api.supervisor_handle import SupervisorHandle
from supervisor.config.lookup import Presence
from supervisor.core import queries
from supervisor.engine import Engine
from supervisor.model.command import UpdateEnvironment
from supervisor.model.fact import ActivitySeen
from supervisor.model.ids import EnvironmentId
from supervisor.model.record import Environment

UNNAMED = "API client"
"""The source of a report of activity that names none, as the wire allows."""


class GitStatusSource(Protocol):
    """Knows what clients were told of git."""

    def last_git_status(self) -> pb.EnvironmentGitStatus | None:
        """What GetGitStatus answered last; None: nothing yet."""


class EnvironmentService(EnvironmentServiceHandler):
    """The service's methods. Requests have passed the rules of the wire."""

    def __init__(
        self,
        engine: Engine,
        activity: Activity,
        translator: Translator,
        mint: TokenMint,
        supervisor: SupervisorHandle,
        started_s: float,
        urls: EnvironmentUrls,
        workspace: str,
        git: GitStatusSource,
    ) -> None:
        """`started_s`: when this supervisor began, on the wall clock; `workspace`: an absolute path."""
        self._engine = engine
        self._activity = activity
        self._translator = translator
        self._mint = mint
        self._supervisor = supervisor
        self._started_s = started_s
        self._urls = urls
        self._workspace = workspace
        self._git = git

    async def get_environment(
        self, request: pb.GetEnvironmentRequest, _call: Call
    ) -> pb.GetEnvironmentResponse:
        """The environment."""
        message = await self._message(self._environment(request.environment_id))
        return pb.GetEnvironmentResponse(environment=message)

    async def update_environment(
        self, request: pb.UpdateEnvironmentRequest, _call: Call
    ) -> pb.UpdateEnvironmentResponse:
        """Change its name and the fields of its spec; another path of the automations file is carried out."""
        environment = self._environment(request.environment_id)
        name, spec = environment.name, spec_of(environment)
        if request.HasField("metadata") and request.metadata.HasField("name"):
            name = request.metadata.name
        if request.HasField("spec"):
            _refuse_unserved(request.spec)
            merge(spec, request.spec)
        self._engine.submit(UpdateEnvironment(name, MessageToJson(spec, indent=None)))
        await self._supervisor.look_for_file()
        return pb.UpdateEnvironmentResponse()

    async def mark_environment_active(
        self, request: pb.MarkEnvironmentActiveRequest, _call: Call
    ) -> pb.MarkEnvironmentActiveResponse:
        """Keep the environment awake: somebody uses it."""
        self._environment(request.environment_id)
        signal, at_s = request.activity_signal, self._engine.now().wall_s
        if signal.HasField("timestamp"):
            # Shown as given; the environment stays awake because the report has come.
            at_s = signal.timestamp.ToNanoseconds() / 1e9
        source = signal.source or UNNAMED
        self._activity.report(source)
        self._engine.post(ActivitySeen(source, at_s))
        return pb.MarkEnvironmentActiveResponse()

    async def create_environment_logs_token(
        self, request: pb.CreateEnvironmentLogsTokenRequest, _call: Call
    ) -> pb.CreateEnvironmentLogsTokenResponse:
        """A token that reads logs."""
        self._environment(request.environment_id)
        return pb.CreateEnvironmentLogsTokenResponse(access_token=self._mint.mint(Scope.LOGS))

    async def create_environment_access_token(
        self, request: pb.CreateEnvironmentAccessTokenRequest, _call: Call
    ) -> pb.CreateEnvironmentAccessTokenResponse:
        """A token that may do everything."""
        self._environment(request.environment_id)
        return pb.CreateEnvironmentAccessTokenResponse(access_token=self._mint.mint(Scope.ENVIRONMENT))

    def _environment(self, id_: str) -> Environment:
        return queries.environment(self._engine.world.records, EnvironmentId(id_))

    async def _message(self, environment: Environment) -> pb.Environment:
        spec = spec_of(environment)
        spec.spec_version = environment.spec_version
        spec.desired_phase = pb.ENVIRONMENT_PHASE_RUNNING
        if environment.trigger_filter:
            spec.automations_file.trigger_filter.extend(triggers(environment.trigger_filter))
        return pb.Environment(
            id=environment.id,
            metadata=pb.EnvironmentMetadata(
                name=environment.name,
                creator=self._translator.subject,
                created_at=timestamp(environment.created_s),
                last_started_at=timestamp(self._started_s),
                role=pb.ENVIRONMENT_ROLE_DEFAULT,
            ),
            spec=spec,
            status=await self._status(environment),
        )

    async def _status(self, environment: Environment) -> pb.EnvironmentStatus:
        draining = self._engine.world.records.draining
        status = pb.EnvironmentStatus(
            status_version=environment.revision,
            phase=pb.ENVIRONMENT_PHASE_STOPPING if draining else pb.ENVIRONMENT_PHASE_RUNNING,
            automations_file=_file(environment),
            machine=pb.EnvironmentStatus.Machine(
                phase=pb.EnvironmentStatus.Machine.PHASE_RUNNING,
                versions=pb.EnvironmentStatus.Machine.Versions(supervisor_version=__version__),
            ),
            content=pb.EnvironmentStatus.Content(
                phase=pb.EnvironmentStatus.CONTENT_PHASE_READY,
                git=self._git.last_git_status(),
                content_location_in_machine=text(self._workspace),
            ),
            environment_urls=await self._urls.message(running=not draining),
        )
        if environment.active_s is not None:
            signal = pb.EnvironmentActivitySignal(
                source=environment.active_source, timestamp=timestamp(environment.active_s)
            )
            status.activity_signal.CopyFrom(signal)
        return status


class IdentityService(IdentityServiceHandler):
    """Every caller speaks for the environment: tokens are made for it, and the socket belongs to it."""

    def __init__(self, translator: Translator) -> None:
        """Answer with the translator's environment."""
        self._translator = translator

    async def get_authenticated_identity(
        self, _request: identity_pb2.GetAuthenticatedIdentityRequest, _call: Call
    ) -> identity_pb2.GetAuthenticatedIdentityResponse:
        """The environment, as the caller's subject."""
        return identity_pb2.GetAuthenticatedIdentityResponse(subject=self._translator.subject)


def spec_of(environment: Environment) -> pb.EnvironmentSpec:
    """The fields that clients set, as a message."""
    return Parse(environment.spec, pb.EnvironmentSpec(), ignore_unknown_fields=True)


def merge(spec: pb.EnvironmentSpec, update: pb.UpdateEnvironmentRequest.Spec) -> None:
    """Set the fields of `update` in `spec`. A list replaces the whole list before it."""
    for name in ("content", "automations_file", "timeout"):
        if update.HasField(name):
            mine, theirs = getattr(spec, name), getattr(update, name)
            for field, value in theirs.ListFields():
                if field.message_type is not None:
                    getattr(mine, field.name).CopyFrom(value)
                else:
                    setattr(mine, field.name, value)
    if update.ports:
        del spec.ports[:]
        spec.ports.extend(update.ports)
    if update.ssh_public_keys:
        kept = {key.id: key for key in spec.ssh_public_keys}
        for key in update.ssh_public_keys:
            kept[key.id] = pb.EnvironmentSpec.SSHPublicKey(id=key.id, value=key.value)
        keys = [key for key in kept.values() if key.value]
        del spec.ssh_public_keys[:]
        spec.ssh_public_keys.extend(keys)


def _refuse_unserved(update: pb.UpdateEnvironmentRequest.Spec) -> None:
    for name in ("devcontainer", "kernel_controls_config"):
        if update.HasField(name):
            text = f"spec.{name}: this supervisor does not change it; leave it out"
            raise ConnectError(Code.UNIMPLEMENTED, text)


def _file(environment: Environment) -> pb.EnvironmentStatus.AutomationsFile:
    states = pb.EnvironmentStatus
    presence = Presence(environment.file_presence)
    phase = states.CONTENT_PHASE_UNAVAILABLE if presence is Presence.ABSENT else states.CONTENT_PHASE_READY
    return states.AutomationsFile(
        session=environment.file_session,
        automations_file_path=text(environment.file_path),
        phase=states.CONTENT_PHASE_FAILED if environment.file_failure else phase,
        failure_message=text(environment.file_failure),
        automations_file_presence=PRESENCES[presence],
        warning_message=text(environment.file_warning),
    )
