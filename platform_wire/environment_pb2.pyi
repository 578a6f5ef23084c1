import datetime

from platform_wire import environment_automation_pb2 as _environment_automation_pb2
from platform_wire import identity_pb2 as _identity_pb2
from platform_wire import secret_pb2 as _secret_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AdmissionLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADMISSION_LEVEL_UNSPECIFIED: _ClassVar[AdmissionLevel]
    ADMISSION_LEVEL_OWNER_ONLY: _ClassVar[AdmissionLevel]
    ADMISSION_LEVEL_EVERYONE: _ClassVar[AdmissionLevel]
    ADMISSION_LEVEL_ORGANIZATION: _ClassVar[AdmissionLevel]
    ADMISSION_LEVEL_CREATOR_ONLY: _ClassVar[AdmissionLevel]

class BPFDebugLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BPF_DEBUG_LEVEL_UNSPECIFIED: _ClassVar[BPFDebugLevel]
    BPF_DEBUG_LEVEL_INFO: _ClassVar[BPFDebugLevel]
    BPF_DEBUG_LEVEL_VERBOSE: _ClassVar[BPFDebugLevel]

class EnvironmentPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENVIRONMENT_PHASE_UNSPECIFIED: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_CREATING: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_STARTING: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_RUNNING: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_UPDATING: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_STOPPING: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_STOPPED: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_DELETING: _ClassVar[EnvironmentPhase]
    ENVIRONMENT_PHASE_DELETED: _ClassVar[EnvironmentPhase]

class EnvironmentRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENVIRONMENT_ROLE_UNSPECIFIED: _ClassVar[EnvironmentRole]
    ENVIRONMENT_ROLE_DEFAULT: _ClassVar[EnvironmentRole]
    ENVIRONMENT_ROLE_PREBUILD: _ClassVar[EnvironmentRole]
    ENVIRONMENT_ROLE_WORKFLOW: _ClassVar[EnvironmentRole]

class KernelControlsAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KERNEL_CONTROLS_ACTION_UNSPECIFIED: _ClassVar[KernelControlsAction]
    KERNEL_CONTROLS_ACTION_BLOCK: _ClassVar[KernelControlsAction]
    KERNEL_CONTROLS_ACTION_AUDIT: _ClassVar[KernelControlsAction]

class VetoFileSurface(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VETO_FILE_SURFACE_UNSPECIFIED: _ClassVar[VetoFileSurface]
    VETO_FILE_SURFACE_ACCESS: _ClassVar[VetoFileSurface]
    VETO_FILE_SURFACE_CONTENT_MUTATION: _ClassVar[VetoFileSurface]
    VETO_FILE_SURFACE_CONTENT_READ: _ClassVar[VetoFileSurface]
ADMISSION_LEVEL_UNSPECIFIED: AdmissionLevel
ADMISSION_LEVEL_OWNER_ONLY: AdmissionLevel
ADMISSION_LEVEL_EVERYONE: AdmissionLevel
ADMISSION_LEVEL_ORGANIZATION: AdmissionLevel
ADMISSION_LEVEL_CREATOR_ONLY: AdmissionLevel
BPF_DEBUG_LEVEL_UNSPECIFIED: BPFDebugLevel
BPF_DEBUG_LEVEL_INFO: BPFDebugLevel
BPF_DEBUG_LEVEL_VERBOSE: BPFDebugLevel
ENVIRONMENT_PHASE_UNSPECIFIED: EnvironmentPhase
ENVIRONMENT_PHASE_CREATING: EnvironmentPhase
ENVIRONMENT_PHASE_STARTING: EnvironmentPhase
ENVIRONMENT_PHASE_RUNNING: EnvironmentPhase
ENVIRONMENT_PHASE_UPDATING: EnvironmentPhase
ENVIRONMENT_PHASE_STOPPING: EnvironmentPhase
ENVIRONMENT_PHASE_STOPPED: EnvironmentPhase
ENVIRONMENT_PHASE_DELETING: EnvironmentPhase
ENVIRONMENT_PHASE_DELETED: EnvironmentPhase
ENVIRONMENT_ROLE_UNSPECIFIED: EnvironmentRole
ENVIRONMENT_ROLE_DEFAULT: EnvironmentRole
ENVIRONMENT_ROLE_PREBUILD: EnvironmentRole
ENVIRONMENT_ROLE_WORKFLOW: EnvironmentRole
KERNEL_CONTROLS_ACTION_UNSPECIFIED: KernelControlsAction
KERNEL_CONTROLS_ACTION_BLOCK: KernelControlsAction
KERNEL_CONTROLS_ACTION_AUDIT: KernelControlsAction
VETO_FILE_SURFACE_UNSPECIFIED: VetoFileSurface
VETO_FILE_SURFACE_ACCESS: VetoFileSurface
VETO_FILE_SURFACE_CONTENT_MUTATION: VetoFileSurface
VETO_FILE_SURFACE_CONTENT_READ: VetoFileSurface

class ContextURLInitializer(_message.Message):
    __slots__ = ("url",)
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class CreateEnvironmentAccessTokenRequest(_message.Message):
    __slots__ = ("environment_id",)
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    def __init__(self, environment_id: _Optional[str] = ...) -> None: ...

class CreateEnvironmentAccessTokenResponse(_message.Message):
    __slots__ = ("access_token",)
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    def __init__(self, access_token: _Optional[str] = ...) -> None: ...

class CreateEnvironmentLogsTokenRequest(_message.Message):
    __slots__ = ("environment_id",)
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    def __init__(self, environment_id: _Optional[str] = ...) -> None: ...

class CreateEnvironmentLogsTokenResponse(_message.Message):
    __slots__ = ("access_token",)
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    def __init__(self, access_token: _Optional[str] = ...) -> None: ...

class Environment(_message.Message):
    __slots__ = ("id", "metadata", "spec", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    metadata: EnvironmentMetadata
    spec: EnvironmentSpec
    status: EnvironmentStatus
    def __init__(self, id: _Optional[str] = ..., metadata: _Optional[_Union[EnvironmentMetadata, _Mapping]] = ..., spec: _Optional[_Union[EnvironmentSpec, _Mapping]] = ..., status: _Optional[_Union[EnvironmentStatus, _Mapping]] = ...) -> None: ...

class EnvironmentActivitySignal(_message.Message):
    __slots__ = ("source", "timestamp")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    source: str
    timestamp: _timestamp_pb2.Timestamp
    def __init__(self, source: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EnvironmentGitStatus(_message.Message):
    __slots__ = ("clone_url", "branch", "latest_commit", "unpushed_commits", "total_unpushed_commits", "changed_files", "total_changed_files")
    CLONE_URL_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    LATEST_COMMIT_FIELD_NUMBER: _ClassVar[int]
    UNPUSHED_COMMITS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_UNPUSHED_COMMITS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FILES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CHANGED_FILES_FIELD_NUMBER: _ClassVar[int]
    clone_url: str
    branch: str
    latest_commit: str
    unpushed_commits: _containers.RepeatedScalarFieldContainer[str]
    total_unpushed_commits: int
    changed_files: _containers.RepeatedCompositeFieldContainer[FileChange]
    total_changed_files: int
    def __init__(self, clone_url: _Optional[str] = ..., branch: _Optional[str] = ..., latest_commit: _Optional[str] = ..., unpushed_commits: _Optional[_Iterable[str]] = ..., total_unpushed_commits: _Optional[int] = ..., changed_files: _Optional[_Iterable[_Union[FileChange, _Mapping]]] = ..., total_changed_files: _Optional[int] = ...) -> None: ...

class EnvironmentInitializer(_message.Message):
    __slots__ = ("specs",)
    class Spec(_message.Message):
        __slots__ = ("git", "context_url")
        GIT_FIELD_NUMBER: _ClassVar[int]
        CONTEXT_URL_FIELD_NUMBER: _ClassVar[int]
        git: GitInitializer
        context_url: ContextURLInitializer
        def __init__(self, git: _Optional[_Union[GitInitializer, _Mapping]] = ..., context_url: _Optional[_Union[ContextURLInitializer, _Mapping]] = ...) -> None: ...
    SPECS_FIELD_NUMBER: _ClassVar[int]
    specs: _containers.RepeatedCompositeFieldContainer[EnvironmentInitializer.Spec]
    def __init__(self, specs: _Optional[_Iterable[_Union[EnvironmentInitializer.Spec, _Mapping]]] = ...) -> None: ...

class EnvironmentMetadata(_message.Message):
    __slots__ = ("organization_id", "annotations", "name", "creator", "original_context_url", "created_at", "project_id", "runner_id", "last_started_at", "archived_at", "role", "prebuild_id", "lockdown_at", "session_id")
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_CONTEXT_URL_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    RUNNER_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PREBUILD_ID_FIELD_NUMBER: _ClassVar[int]
    LOCKDOWN_AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    organization_id: str
    annotations: _containers.ScalarMap[str, str]
    name: str
    creator: _identity_pb2.Subject
    original_context_url: str
    created_at: _timestamp_pb2.Timestamp
    project_id: str
    runner_id: str
    last_started_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    role: EnvironmentRole
    prebuild_id: str
    lockdown_at: _timestamp_pb2.Timestamp
    session_id: str
    def __init__(self, organization_id: _Optional[str] = ..., annotations: _Optional[_Mapping[str, str]] = ..., name: _Optional[str] = ..., creator: _Optional[_Union[_identity_pb2.Subject, _Mapping]] = ..., original_context_url: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., project_id: _Optional[str] = ..., runner_id: _Optional[str] = ..., last_started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., role: _Optional[_Union[EnvironmentRole, str]] = ..., prebuild_id: _Optional[str] = ..., lockdown_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_id: _Optional[str] = ...) -> None: ...

class EnvironmentSpec(_message.Message):
    __slots__ = ("spec_version", "desired_phase", "machine", "content", "secrets", "ports", "timeout", "admission", "devcontainer", "ssh_public_keys", "automations_file", "workflow_action_id", "kernel_controls_config", "security_policy_id")
    class AutomationsFile(_message.Message):
        __slots__ = ("session", "automations_file_path", "trigger_filter")
        SESSION_FIELD_NUMBER: _ClassVar[int]
        AUTOMATIONS_FILE_PATH_FIELD_NUMBER: _ClassVar[int]
        TRIGGER_FILTER_FIELD_NUMBER: _ClassVar[int]
        session: str
        automations_file_path: str
        trigger_filter: _containers.RepeatedCompositeFieldContainer[_environment_automation_pb2.AutomationTrigger]
        def __init__(self, session: _Optional[str] = ..., automations_file_path: _Optional[str] = ..., trigger_filter: _Optional[_Iterable[_Union[_environment_automation_pb2.AutomationTrigger, _Mapping]]] = ...) -> None: ...
    class Content(_message.Message):
        __slots__ = ("session", "initializer", "git_username", "git_email")
        SESSION_FIELD_NUMBER: _ClassVar[int]
        INITIALIZER_FIELD_NUMBER: _ClassVar[int]
        GIT_USERNAME_FIELD_NUMBER: _ClassVar[int]
        GIT_EMAIL_FIELD_NUMBER: _ClassVar[int]
        session: str
        initializer: EnvironmentInitializer
        git_username: str
        git_email: str
        def __init__(self, session: _Optional[str] = ..., initializer: _Optional[_Union[EnvironmentInitializer, _Mapping]] = ..., git_username: _Optional[str] = ..., git_email: _Optional[str] = ...) -> None: ...
    class DevContainer(_message.Message):
        __slots__ = ("session", "devcontainer_file_path", "dotfiles", "default_devcontainer_image", "lifecycle_stage")
        class LifecycleStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            LIFECYCLE_STAGE_UNSPECIFIED: _ClassVar[EnvironmentSpec.DevContainer.LifecycleStage]
            LIFECYCLE_STAGE_FULL: _ClassVar[EnvironmentSpec.DevContainer.LifecycleStage]
            LIFECYCLE_STAGE_PREBUILD: _ClassVar[EnvironmentSpec.DevContainer.LifecycleStage]
        LIFECYCLE_STAGE_UNSPECIFIED: EnvironmentSpec.DevContainer.LifecycleStage
        LIFECYCLE_STAGE_FULL: EnvironmentSpec.DevContainer.LifecycleStage
        LIFECYCLE_STAGE_PREBUILD: EnvironmentSpec.DevContainer.LifecycleStage
        class Dotfiles(_message.Message):
            __slots__ = ("repository",)
            REPOSITORY_FIELD_NUMBER: _ClassVar[int]
            repository: str
            def __init__(self, repository: _Optional[str] = ...) -> None: ...
        SESSION_FIELD_NUMBER: _ClassVar[int]
        DEVCONTAINER_FILE_PATH_FIELD_NUMBER: _ClassVar[int]
        DOTFILES_FIELD_NUMBER: _ClassVar[int]
        DEFAULT_DEVCONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
        LIFECYCLE_STAGE_FIELD_NUMBER: _ClassVar[int]
        session: str
        devcontainer_file_path: str
        dotfiles: EnvironmentSpec.DevContainer.Dotfiles
        default_devcontainer_image: str
        lifecycle_stage: EnvironmentSpec.DevContainer.LifecycleStage
        def __init__(self, session: _Optional[str] = ..., devcontainer_file_path: _Optional[str] = ..., dotfiles: _Optional[_Union[EnvironmentSpec.DevContainer.Dotfiles, _Mapping]] = ..., default_devcontainer_image: _Optional[str] = ..., lifecycle_stage: _Optional[_Union[EnvironmentSpec.DevContainer.LifecycleStage, str]] = ...) -> None: ...
    class EnvironmentPort(_message.Message):
        __slots__ = ("port", "admission", "name", "protocol", "auth_nonce")
        class Protocol(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            PROTOCOL_UNSPECIFIED: _ClassVar[EnvironmentSpec.EnvironmentPort.Protocol]
            PROTOCOL_HTTP: _ClassVar[EnvironmentSpec.EnvironmentPort.Protocol]
            PROTOCOL_HTTPS: _ClassVar[EnvironmentSpec.EnvironmentPort.Protocol]
        PROTOCOL_UNSPECIFIED: EnvironmentSpec.EnvironmentPort.Protocol
        PROTOCOL_HTTP: EnvironmentSpec.EnvironmentPort.Protocol
        PROTOCOL_HTTPS: EnvironmentSpec.EnvironmentPort.Protocol
        PORT_FIELD_NUMBER: _ClassVar[int]
        ADMISSION_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        PROTOCOL_FIELD_NUMBER: _ClassVar[int]
        AUTH_NONCE_FIELD_NUMBER: _ClassVar[int]
        port: int
        admission: AdmissionLevel
        name: str
        protocol: EnvironmentSpec.EnvironmentPort.Protocol
        auth_nonce: int
        def __init__(self, port: _Optional[int] = ..., admission: _Optional[_Union[AdmissionLevel, str]] = ..., name: _Optional[str] = ..., protocol: _Optional[_Union[EnvironmentSpec.EnvironmentPort.Protocol, str]] = ..., auth_nonce: _Optional[int] = ...) -> None: ...
    class Machine(_message.Message):
        __slots__ = ("session", "prefer_dual_disk")
        SESSION_FIELD_NUMBER: _ClassVar[int]
        CLASS_FIELD_NUMBER: _ClassVar[int]
        PREFER_DUAL_DISK_FIELD_NUMBER: _ClassVar[int]
        session: str
        prefer_dual_disk: bool
        def __init__(self, session: _Optional[str] = ..., prefer_dual_disk: _Optional[bool] = ..., **kwargs) -> None: ...
    class SSHPublicKey(_message.Message):
        __slots__ = ("id", "value")
        ID_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        id: str
        value: str
        def __init__(self, id: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class Secret(_message.Message):
        __slots__ = ("name", "source", "source_ref", "file_path", "environment_variable", "git_credential_host", "container_registry_basic_auth_host", "api_only", "session", "id", "scope", "credential_proxy", "source_details")
        class Scope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            SCOPE_UNSPECIFIED: _ClassVar[EnvironmentSpec.Secret.Scope]
            SCOPE_ORGANIZATION: _ClassVar[EnvironmentSpec.Secret.Scope]
            SCOPE_PROJECT: _ClassVar[EnvironmentSpec.Secret.Scope]
            SCOPE_USER: _ClassVar[EnvironmentSpec.Secret.Scope]
            SCOPE_SERVICE_ACCOUNT: _ClassVar[EnvironmentSpec.Secret.Scope]
            SCOPE_RUNNER: _ClassVar[EnvironmentSpec.Secret.Scope]
        SCOPE_UNSPECIFIED: EnvironmentSpec.Secret.Scope
        SCOPE_ORGANIZATION: EnvironmentSpec.Secret.Scope
        SCOPE_PROJECT: EnvironmentSpec.Secret.Scope
        SCOPE_USER: EnvironmentSpec.Secret.Scope
        SCOPE_SERVICE_ACCOUNT: EnvironmentSpec.Secret.Scope
        SCOPE_RUNNER: EnvironmentSpec.Secret.Scope
        NAME_FIELD_NUMBER: _ClassVar[int]
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        SOURCE_REF_FIELD_NUMBER: _ClassVar[int]
        FILE_PATH_FIELD_NUMBER: _ClassVar[int]
        ENVIRONMENT_VARIABLE_FIELD_NUMBER: _ClassVar[int]
        GIT_CREDENTIAL_HOST_FIELD_NUMBER: _ClassVar[int]
        CONTAINER_REGISTRY_BASIC_AUTH_HOST_FIELD_NUMBER: _ClassVar[int]
        API_ONLY_FIELD_NUMBER: _ClassVar[int]
        SESSION_FIELD_NUMBER: _ClassVar[int]
        ID_FIELD_NUMBER: _ClassVar[int]
        SCOPE_FIELD_NUMBER: _ClassVar[int]
        CREDENTIAL_PROXY_FIELD_NUMBER: _ClassVar[int]
        SOURCE_DETAILS_FIELD_NUMBER: _ClassVar[int]
        name: str
        source: str
        source_ref: str
        file_path: str
        environment_variable: str
        git_credential_host: str
        container_registry_basic_auth_host: str
        api_only: bool
        session: str
        id: str
        scope: EnvironmentSpec.Secret.Scope
        credential_proxy: _secret_pb2.Secret.CredentialProxy
        source_details: _secret_pb2.Secret.Source
        def __init__(self, name: _Optional[str] = ..., source: _Optional[str] = ..., source_ref: _Optional[str] = ..., file_path: _Optional[str] = ..., environment_variable: _Optional[str] = ..., git_credential_host: _Optional[str] = ..., container_registry_basic_auth_host: _Optional[str] = ..., api_only: _Optional[bool] = ..., session: _Optional[str] = ..., id: _Optional[str] = ..., scope: _Optional[_Union[EnvironmentSpec.Secret.Scope, str]] = ..., credential_proxy: _Optional[_Union[_secret_pb2.Secret.CredentialProxy, _Mapping]] = ..., source_details: _Optional[_Union[_secret_pb2.Secret.Source, _Mapping]] = ...) -> None: ...
    class Timeout(_message.Message):
        __slots__ = ("disconnected",)
        DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
        disconnected: _duration_pb2.Duration
        def __init__(self, disconnected: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    DESIRED_PHASE_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    ADMISSION_FIELD_NUMBER: _ClassVar[int]
    DEVCONTAINER_FIELD_NUMBER: _ClassVar[int]
    SSH_PUBLIC_KEYS_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIONS_FILE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    KERNEL_CONTROLS_CONFIG_FIELD_NUMBER: _ClassVar[int]
    SECURITY_POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    spec_version: int
    desired_phase: EnvironmentPhase
    machine: EnvironmentSpec.Machine
    content: EnvironmentSpec.Content
    secrets: _containers.RepeatedCompositeFieldContainer[EnvironmentSpec.Secret]
    ports: _containers.RepeatedCompositeFieldContainer[EnvironmentSpec.EnvironmentPort]
    timeout: EnvironmentSpec.Timeout
    admission: AdmissionLevel
    devcontainer: EnvironmentSpec.DevContainer
    ssh_public_keys: _containers.RepeatedCompositeFieldContainer[EnvironmentSpec.SSHPublicKey]
    automations_file: EnvironmentSpec.AutomationsFile
    workflow_action_id: str
    kernel_controls_config: KernelControlsConfig
    security_policy_id: str
    def __init__(self, spec_version: _Optional[int] = ..., desired_phase: _Optional[_Union[EnvironmentPhase, str]] = ..., machine: _Optional[_Union[EnvironmentSpec.Machine, _Mapping]] = ..., content: _Optional[_Union[EnvironmentSpec.Content, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[EnvironmentSpec.Secret, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[EnvironmentSpec.EnvironmentPort, _Mapping]]] = ..., timeout: _Optional[_Union[EnvironmentSpec.Timeout, _Mapping]] = ..., admission: _Optional[_Union[AdmissionLevel, str]] = ..., devcontainer: _Optional[_Union[EnvironmentSpec.DevContainer, _Mapping]] = ..., ssh_public_keys: _Optional[_Iterable[_Union[EnvironmentSpec.SSHPublicKey, _Mapping]]] = ..., automations_file: _Optional[_Union[EnvironmentSpec.AutomationsFile, _Mapping]] = ..., workflow_action_id: _Optional[str] = ..., kernel_controls_config: _Optional[_Union[KernelControlsConfig, _Mapping]] = ..., security_policy_id: _Optional[str] = ...) -> None: ...

class EnvironmentStatus(_message.Message):
    __slots__ = ("status_version", "runner_ack", "phase", "failure_message", "environment_urls", "machine", "secrets", "content", "devcontainer", "ssh_public_keys", "warning_message", "automations_file", "activity_signal")
    class ContentPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CONTENT_PHASE_UNSPECIFIED: _ClassVar[EnvironmentStatus.ContentPhase]
        CONTENT_PHASE_CREATING: _ClassVar[EnvironmentStatus.ContentPhase]
        CONTENT_PHASE_INITIALIZING: _ClassVar[EnvironmentStatus.ContentPhase]
        CONTENT_PHASE_READY: _ClassVar[EnvironmentStatus.ContentPhase]
        CONTENT_PHASE_UPDATING: _ClassVar[EnvironmentStatus.ContentPhase]
        CONTENT_PHASE_FAILED: _ClassVar[EnvironmentStatus.ContentPhase]
        CONTENT_PHASE_UNAVAILABLE: _ClassVar[EnvironmentStatus.ContentPhase]
    CONTENT_PHASE_UNSPECIFIED: EnvironmentStatus.ContentPhase
    CONTENT_PHASE_CREATING: EnvironmentStatus.ContentPhase
    CONTENT_PHASE_INITIALIZING: EnvironmentStatus.ContentPhase
    CONTENT_PHASE_READY: EnvironmentStatus.ContentPhase
    CONTENT_PHASE_UPDATING: EnvironmentStatus.ContentPhase
    CONTENT_PHASE_FAILED: EnvironmentStatus.ContentPhase
    CONTENT_PHASE_UNAVAILABLE: EnvironmentStatus.ContentPhase
    class AutomationsFile(_message.Message):
        __slots__ = ("session", "automations_file_path", "phase", "failure_message", "automations_file_presence", "warning_message")
        class Presence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            PRESENCE_UNSPECIFIED: _ClassVar[EnvironmentStatus.AutomationsFile.Presence]
            PRESENCE_ABSENT: _ClassVar[EnvironmentStatus.AutomationsFile.Presence]
            PRESENCE_DISCOVERED: _ClassVar[EnvironmentStatus.AutomationsFile.Presence]
            PRESENCE_SPECIFIED: _ClassVar[EnvironmentStatus.AutomationsFile.Presence]
        PRESENCE_UNSPECIFIED: EnvironmentStatus.AutomationsFile.Presence
        PRESENCE_ABSENT: EnvironmentStatus.AutomationsFile.Presence
        PRESENCE_DISCOVERED: EnvironmentStatus.AutomationsFile.Presence
        PRESENCE_SPECIFIED: EnvironmentStatus.AutomationsFile.Presence
        SESSION_FIELD_NUMBER: _ClassVar[int]
        AUTOMATIONS_FILE_PATH_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        AUTOMATIONS_FILE_PRESENCE_FIELD_NUMBER: _ClassVar[int]
        WARNING_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        session: str
        automations_file_path: str
        phase: EnvironmentStatus.ContentPhase
        failure_message: str
        automations_file_presence: EnvironmentStatus.AutomationsFile.Presence
        warning_message: str
        def __init__(self, session: _Optional[str] = ..., automations_file_path: _Optional[str] = ..., phase: _Optional[_Union[EnvironmentStatus.ContentPhase, str]] = ..., failure_message: _Optional[str] = ..., automations_file_presence: _Optional[_Union[EnvironmentStatus.AutomationsFile.Presence, str]] = ..., warning_message: _Optional[str] = ...) -> None: ...
    class Content(_message.Message):
        __slots__ = ("session", "phase", "git", "content_location_in_machine", "failure_message", "warning_message")
        SESSION_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        GIT_FIELD_NUMBER: _ClassVar[int]
        CONTENT_LOCATION_IN_MACHINE_FIELD_NUMBER: _ClassVar[int]
        FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        WARNING_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        session: str
        phase: EnvironmentStatus.ContentPhase
        git: EnvironmentGitStatus
        content_location_in_machine: str
        failure_message: str
        warning_message: str
        def __init__(self, session: _Optional[str] = ..., phase: _Optional[_Union[EnvironmentStatus.ContentPhase, str]] = ..., git: _Optional[_Union[EnvironmentGitStatus, _Mapping]] = ..., content_location_in_machine: _Optional[str] = ..., failure_message: _Optional[str] = ..., warning_message: _Optional[str] = ...) -> None: ...
    class DevContainer(_message.Message):
        __slots__ = ("session", "phase", "devcontainer_file_path", "devcontainerconfig_in_sync", "secrets_in_sync", "failure_message", "remote_user", "remote_workspace_folder", "container_name", "container_id", "warning_message", "devcontainer_file_presence")
        class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            PHASE_UNSPECIFIED: _ClassVar[EnvironmentStatus.DevContainer.Phase]
            PHASE_CREATING: _ClassVar[EnvironmentStatus.DevContainer.Phase]
            PHASE_RUNNING: _ClassVar[EnvironmentStatus.DevContainer.Phase]
            PHASE_STOPPED: _ClassVar[EnvironmentStatus.DevContainer.Phase]
            PHASE_FAILED: _ClassVar[EnvironmentStatus.DevContainer.Phase]
        PHASE_UNSPECIFIED: EnvironmentStatus.DevContainer.Phase
        PHASE_CREATING: EnvironmentStatus.DevContainer.Phase
        PHASE_RUNNING: EnvironmentStatus.DevContainer.Phase
        PHASE_STOPPED: EnvironmentStatus.DevContainer.Phase
        PHASE_FAILED: EnvironmentStatus.DevContainer.Phase
        class Presence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            PRESENCE_UNSPECIFIED: _ClassVar[EnvironmentStatus.DevContainer.Presence]
            PRESENCE_GENERATED: _ClassVar[EnvironmentStatus.DevContainer.Presence]
            PRESENCE_DISCOVERED: _ClassVar[EnvironmentStatus.DevContainer.Presence]
            PRESENCE_SPECIFIED: _ClassVar[EnvironmentStatus.DevContainer.Presence]
        PRESENCE_UNSPECIFIED: EnvironmentStatus.DevContainer.Presence
        PRESENCE_GENERATED: EnvironmentStatus.DevContainer.Presence
        PRESENCE_DISCOVERED: EnvironmentStatus.DevContainer.Presence
        PRESENCE_SPECIFIED: EnvironmentStatus.DevContainer.Presence
        SESSION_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        DEVCONTAINER_FILE_PATH_FIELD_NUMBER: _ClassVar[int]
        DEVCONTAINERCONFIG_IN_SYNC_FIELD_NUMBER: _ClassVar[int]
        SECRETS_IN_SYNC_FIELD_NUMBER: _ClassVar[int]
        FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        REMOTE_USER_FIELD_NUMBER: _ClassVar[int]
        REMOTE_WORKSPACE_FOLDER_FIELD_NUMBER: _ClassVar[int]
        CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
        CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
        WARNING_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        DEVCONTAINER_FILE_PRESENCE_FIELD_NUMBER: _ClassVar[int]
        session: str
        phase: EnvironmentStatus.DevContainer.Phase
        devcontainer_file_path: str
        devcontainerconfig_in_sync: bool
        secrets_in_sync: bool
        failure_message: str
        remote_user: str
        remote_workspace_folder: str
        container_name: str
        container_id: str
        warning_message: str
        devcontainer_file_presence: EnvironmentStatus.DevContainer.Presence
        def __init__(self, session: _Optional[str] = ..., phase: _Optional[_Union[EnvironmentStatus.DevContainer.Phase, str]] = ..., devcontainer_file_path: _Optional[str] = ..., devcontainerconfig_in_sync: _Optional[bool] = ..., secrets_in_sync: _Optional[bool] = ..., failure_message: _Optional[str] = ..., remote_user: _Optional[str] = ..., remote_workspace_folder: _Optional[str] = ..., container_name: _Optional[str] = ..., container_id: _Optional[str] = ..., warning_message: _Optional[str] = ..., devcontainer_file_presence: _Optional[_Union[EnvironmentStatus.DevContainer.Presence, str]] = ...) -> None: ...
    class EnvironmentPortURL(_message.Message):
        __slots__ = ("port", "url")
        PORT_FIELD_NUMBER: _ClassVar[int]
        URL_FIELD_NUMBER: _ClassVar[int]
        port: int
        url: str
        def __init__(self, port: _Optional[int] = ..., url: _Optional[str] = ...) -> None: ...
    class EnvironmentSSHURL(_message.Message):
        __slots__ = ("url",)
        URL_FIELD_NUMBER: _ClassVar[int]
        url: str
        def __init__(self, url: _Optional[str] = ...) -> None: ...
    class EnvironmentURLs(_message.Message):
        __slots__ = ("ssh", "ports", "logs", "support_bundle", "ops", "vm_live_usage")
        SSH_FIELD_NUMBER: _ClassVar[int]
        PORTS_FIELD_NUMBER: _ClassVar[int]
        LOGS_FIELD_NUMBER: _ClassVar[int]
        SUPPORT_BUNDLE_FIELD_NUMBER: _ClassVar[int]
        OPS_FIELD_NUMBER: _ClassVar[int]
        VM_LIVE_USAGE_FIELD_NUMBER: _ClassVar[int]
        ssh: EnvironmentStatus.EnvironmentSSHURL
        ports: _containers.RepeatedCompositeFieldContainer[EnvironmentStatus.EnvironmentPortURL]
        logs: str
        support_bundle: str
        ops: str
        vm_live_usage: str
        def __init__(self, ssh: _Optional[_Union[EnvironmentStatus.EnvironmentSSHURL, _Mapping]] = ..., ports: _Optional[_Iterable[_Union[EnvironmentStatus.EnvironmentPortURL, _Mapping]]] = ..., logs: _Optional[str] = ..., support_bundle: _Optional[str] = ..., ops: _Optional[str] = ..., vm_live_usage: _Optional[str] = ...) -> None: ...
    class Machine(_message.Message):
        __slots__ = ("session", "phase", "failure_message", "timeout", "versions", "warning_message", "dual_disk")
        class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            PHASE_UNSPECIFIED: _ClassVar[EnvironmentStatus.Machine.Phase]
            PHASE_CREATING: _ClassVar[EnvironmentStatus.Machine.Phase]
            PHASE_STARTING: _ClassVar[EnvironmentStatus.Machine.Phase]
            PHASE_RUNNING: _ClassVar[EnvironmentStatus.Machine.Phase]
            PHASE_STOPPING: _ClassVar[EnvironmentStatus.Machine.Phase]
            PHASE_STOPPED: _ClassVar[EnvironmentStatus.Machine.Phase]
            PHASE_DELETING: _ClassVar[EnvironmentStatus.Machine.Phase]
            PHASE_DELETED: _ClassVar[EnvironmentStatus.Machine.Phase]
        PHASE_UNSPECIFIED: EnvironmentStatus.Machine.Phase
        PHASE_CREATING: EnvironmentStatus.Machine.Phase
        PHASE_STARTING: EnvironmentStatus.Machine.Phase
        PHASE_RUNNING: EnvironmentStatus.Machine.Phase
        PHASE_STOPPING: EnvironmentStatus.Machine.Phase
        PHASE_STOPPED: EnvironmentStatus.Machine.Phase
        PHASE_DELETING: EnvironmentStatus.Machine.Phase
        PHASE_DELETED: EnvironmentStatus.Machine.Phase
        class Versions(_message.Message):
            __slots__ = ("supervisor_version", "supervisor_commit", "ami_id")
            SUPERVISOR_VERSION_FIELD_NUMBER: _ClassVar[int]
            SUPERVISOR_COMMIT_FIELD_NUMBER: _ClassVar[int]
            AMI_ID_FIELD_NUMBER: _ClassVar[int]
            supervisor_version: str
            supervisor_commit: str
            ami_id: str
            def __init__(self, supervisor_version: _Optional[str] = ..., supervisor_commit: _Optional[str] = ..., ami_id: _Optional[str] = ...) -> None: ...
        SESSION_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        TIMEOUT_FIELD_NUMBER: _ClassVar[int]
        VERSIONS_FIELD_NUMBER: _ClassVar[int]
        WARNING_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        DUAL_DISK_FIELD_NUMBER: _ClassVar[int]
        session: str
        phase: EnvironmentStatus.Machine.Phase
        failure_message: str
        timeout: str
        versions: EnvironmentStatus.Machine.Versions
        warning_message: str
        dual_disk: bool
        def __init__(self, session: _Optional[str] = ..., phase: _Optional[_Union[EnvironmentStatus.Machine.Phase, str]] = ..., failure_message: _Optional[str] = ..., timeout: _Optional[str] = ..., versions: _Optional[_Union[EnvironmentStatus.Machine.Versions, _Mapping]] = ..., warning_message: _Optional[str] = ..., dual_disk: _Optional[bool] = ...) -> None: ...
    class RunnerACK(_message.Message):
        __slots__ = ("spec_version", "status_code", "message")
        class StatusCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            STATUS_CODE_UNSPECIFIED: _ClassVar[EnvironmentStatus.RunnerACK.StatusCode]
            STATUS_CODE_OK: _ClassVar[EnvironmentStatus.RunnerACK.StatusCode]
            STATUS_CODE_INVALID_RESOURCE: _ClassVar[EnvironmentStatus.RunnerACK.StatusCode]
            STATUS_CODE_FAILED_PRECONDITION: _ClassVar[EnvironmentStatus.RunnerACK.StatusCode]
        STATUS_CODE_UNSPECIFIED: EnvironmentStatus.RunnerACK.StatusCode
        STATUS_CODE_OK: EnvironmentStatus.RunnerACK.StatusCode
        STATUS_CODE_INVALID_RESOURCE: EnvironmentStatus.RunnerACK.StatusCode
        STATUS_CODE_FAILED_PRECONDITION: EnvironmentStatus.RunnerACK.StatusCode
        SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
        STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        spec_version: int
        status_code: EnvironmentStatus.RunnerACK.StatusCode
        message: str
        def __init__(self, spec_version: _Optional[int] = ..., status_code: _Optional[_Union[EnvironmentStatus.RunnerACK.StatusCode, str]] = ..., message: _Optional[str] = ...) -> None: ...
    class SSHPublicKey(_message.Message):
        __slots__ = ("id", "phase")
        ID_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        id: str
        phase: EnvironmentStatus.ContentPhase
        def __init__(self, id: _Optional[str] = ..., phase: _Optional[_Union[EnvironmentStatus.ContentPhase, str]] = ...) -> None: ...
    class Secret(_message.Message):
        __slots__ = ("id", "phase", "secret_name", "failure_message", "warning_message", "session")
        ID_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        SECRET_NAME_FIELD_NUMBER: _ClassVar[int]
        FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        WARNING_MESSAGE_FIELD_NUMBER: _ClassVar[int]
        SESSION_FIELD_NUMBER: _ClassVar[int]
        id: str
        phase: EnvironmentStatus.ContentPhase
        secret_name: str
        failure_message: str
        warning_message: str
        session: str
        def __init__(self, id: _Optional[str] = ..., phase: _Optional[_Union[EnvironmentStatus.ContentPhase, str]] = ..., secret_name: _Optional[str] = ..., failure_message: _Optional[str] = ..., warning_message: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...
    STATUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNNER_ACK_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_URLS_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DEVCONTAINER_FIELD_NUMBER: _ClassVar[int]
    SSH_PUBLIC_KEYS_FIELD_NUMBER: _ClassVar[int]
    WARNING_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIONS_FILE_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    status_version: int
    runner_ack: EnvironmentStatus.RunnerACK
    phase: EnvironmentPhase
    failure_message: _containers.RepeatedScalarFieldContainer[str]
    environment_urls: EnvironmentStatus.EnvironmentURLs
    machine: EnvironmentStatus.Machine
    secrets: _containers.RepeatedCompositeFieldContainer[EnvironmentStatus.Secret]
    content: EnvironmentStatus.Content
    devcontainer: EnvironmentStatus.DevContainer
    ssh_public_keys: _containers.RepeatedCompositeFieldContainer[EnvironmentStatus.SSHPublicKey]
    warning_message: _containers.RepeatedScalarFieldContainer[str]
    automations_file: EnvironmentStatus.AutomationsFile
    activity_signal: EnvironmentActivitySignal
    def __init__(self, status_version: _Optional[int] = ..., runner_ack: _Optional[_Union[EnvironmentStatus.RunnerACK, _Mapping]] = ..., phase: _Optional[_Union[EnvironmentPhase, str]] = ..., failure_message: _Optional[_Iterable[str]] = ..., environment_urls: _Optional[_Union[EnvironmentStatus.EnvironmentURLs, _Mapping]] = ..., machine: _Optional[_Union[EnvironmentStatus.Machine, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[EnvironmentStatus.Secret, _Mapping]]] = ..., content: _Optional[_Union[EnvironmentStatus.Content, _Mapping]] = ..., devcontainer: _Optional[_Union[EnvironmentStatus.DevContainer, _Mapping]] = ..., ssh_public_keys: _Optional[_Iterable[_Union[EnvironmentStatus.SSHPublicKey, _Mapping]]] = ..., warning_message: _Optional[_Iterable[str]] = ..., automations_file: _Optional[_Union[EnvironmentStatus.AutomationsFile, _Mapping]] = ..., activity_signal: _Optional[_Union[EnvironmentActivitySignal, _Mapping]] = ...) -> None: ...

class FileChange(_message.Message):
    __slots__ = ("path", "change_type", "old_path")
    class ChangeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CHANGE_TYPE_UNSPECIFIED: _ClassVar[FileChange.ChangeType]
        CHANGE_TYPE_ADDED: _ClassVar[FileChange.ChangeType]
        CHANGE_TYPE_MODIFIED: _ClassVar[FileChange.ChangeType]
        CHANGE_TYPE_DELETED: _ClassVar[FileChange.ChangeType]
        CHANGE_TYPE_RENAMED: _ClassVar[FileChange.ChangeType]
        CHANGE_TYPE_COPIED: _ClassVar[FileChange.ChangeType]
        CHANGE_TYPE_UPDATED_BUT_UNMERGED: _ClassVar[FileChange.ChangeType]
        CHANGE_TYPE_UNTRACKED: _ClassVar[FileChange.ChangeType]
    CHANGE_TYPE_UNSPECIFIED: FileChange.ChangeType
    CHANGE_TYPE_ADDED: FileChange.ChangeType
    CHANGE_TYPE_MODIFIED: FileChange.ChangeType
    CHANGE_TYPE_DELETED: FileChange.ChangeType
    CHANGE_TYPE_RENAMED: FileChange.ChangeType
    CHANGE_TYPE_COPIED: FileChange.ChangeType
    CHANGE_TYPE_UPDATED_BUT_UNMERGED: FileChange.ChangeType
    CHANGE_TYPE_UNTRACKED: FileChange.ChangeType
    PATH_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    OLD_PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    change_type: FileChange.ChangeType
    old_path: str
    def __init__(self, path: _Optional[str] = ..., change_type: _Optional[_Union[FileChange.ChangeType, str]] = ..., old_path: _Optional[str] = ...) -> None: ...

class GetEnvironmentRequest(_message.Message):
    __slots__ = ("environment_id",)
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    def __init__(self, environment_id: _Optional[str] = ...) -> None: ...

class GetEnvironmentResponse(_message.Message):
    __slots__ = ("environment",)
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    environment: Environment
    def __init__(self, environment: _Optional[_Union[Environment, _Mapping]] = ...) -> None: ...

class GitInitializer(_message.Message):
    __slots__ = ("remote_uri", "upstream_remote_uri", "target_mode", "clone_target", "checkout_location")
    class CloneTargetMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CLONE_TARGET_MODE_UNSPECIFIED: _ClassVar[GitInitializer.CloneTargetMode]
        CLONE_TARGET_MODE_REMOTE_HEAD: _ClassVar[GitInitializer.CloneTargetMode]
        CLONE_TARGET_MODE_REMOTE_COMMIT: _ClassVar[GitInitializer.CloneTargetMode]
        CLONE_TARGET_MODE_REMOTE_BRANCH: _ClassVar[GitInitializer.CloneTargetMode]
        CLONE_TARGET_MODE_LOCAL_BRANCH: _ClassVar[GitInitializer.CloneTargetMode]
        CLONE_TARGET_MODE_REMOTE_TAG: _ClassVar[GitInitializer.CloneTargetMode]
    CLONE_TARGET_MODE_UNSPECIFIED: GitInitializer.CloneTargetMode
    CLONE_TARGET_MODE_REMOTE_HEAD: GitInitializer.CloneTargetMode
    CLONE_TARGET_MODE_REMOTE_COMMIT: GitInitializer.CloneTargetMode
    CLONE_TARGET_MODE_REMOTE_BRANCH: GitInitializer.CloneTargetMode
    CLONE_TARGET_MODE_LOCAL_BRANCH: GitInitializer.CloneTargetMode
    CLONE_TARGET_MODE_REMOTE_TAG: GitInitializer.CloneTargetMode
    REMOTE_URI_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_REMOTE_URI_FIELD_NUMBER: _ClassVar[int]
    TARGET_MODE_FIELD_NUMBER: _ClassVar[int]
    CLONE_TARGET_FIELD_NUMBER: _ClassVar[int]
    CHECKOUT_LOCATION_FIELD_NUMBER: _ClassVar[int]
    remote_uri: str
    upstream_remote_uri: str
    target_mode: GitInitializer.CloneTargetMode
    clone_target: str
    checkout_location: str
    def __init__(self, remote_uri: _Optional[str] = ..., upstream_remote_uri: _Optional[str] = ..., target_mode: _Optional[_Union[GitInitializer.CloneTargetMode, str]] = ..., clone_target: _Optional[str] = ..., checkout_location: _Optional[str] = ...) -> None: ...

class KernelControlsConfig(_message.Message):
    __slots__ = ("veto", "bpf_debug_level")
    VETO_FIELD_NUMBER: _ClassVar[int]
    BPF_DEBUG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    veto: Veto
    bpf_debug_level: BPFDebugLevel
    def __init__(self, veto: _Optional[_Union[Veto, _Mapping]] = ..., bpf_debug_level: _Optional[_Union[BPFDebugLevel, str]] = ...) -> None: ...

class MarkEnvironmentActiveRequest(_message.Message):
    __slots__ = ("environment_id", "activity_signal")
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    activity_signal: EnvironmentActivitySignal
    def __init__(self, environment_id: _Optional[str] = ..., activity_signal: _Optional[_Union[EnvironmentActivitySignal, _Mapping]] = ...) -> None: ...

class MarkEnvironmentActiveResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartEnvironmentRequest(_message.Message):
    __slots__ = ("environment_id",)
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    def __init__(self, environment_id: _Optional[str] = ...) -> None: ...

class StartEnvironmentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopEnvironmentRequest(_message.Message):
    __slots__ = ("environment_id",)
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    def __init__(self, environment_id: _Optional[str] = ...) -> None: ...

class StopEnvironmentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UpdateEnvironmentRequest(_message.Message):
    __slots__ = ("environment_id", "metadata", "spec")
    class AutomationsFile(_message.Message):
        __slots__ = ("session", "automations_file_path")
        SESSION_FIELD_NUMBER: _ClassVar[int]
        AUTOMATIONS_FILE_PATH_FIELD_NUMBER: _ClassVar[int]
        session: str
        automations_file_path: str
        def __init__(self, session: _Optional[str] = ..., automations_file_path: _Optional[str] = ...) -> None: ...
    class Content(_message.Message):
        __slots__ = ("session", "initializer", "git_username", "git_email")
        SESSION_FIELD_NUMBER: _ClassVar[int]
        INITIALIZER_FIELD_NUMBER: _ClassVar[int]
        GIT_USERNAME_FIELD_NUMBER: _ClassVar[int]
        GIT_EMAIL_FIELD_NUMBER: _ClassVar[int]
        session: str
        initializer: EnvironmentInitializer
        git_username: str
        git_email: str
        def __init__(self, session: _Optional[str] = ..., initializer: _Optional[_Union[EnvironmentInitializer, _Mapping]] = ..., git_username: _Optional[str] = ..., git_email: _Optional[str] = ...) -> None: ...
    class DevContainer(_message.Message):
        __slots__ = ("session", "devcontainer_file_path")
        SESSION_FIELD_NUMBER: _ClassVar[int]
        DEVCONTAINER_FILE_PATH_FIELD_NUMBER: _ClassVar[int]
        session: str
        devcontainer_file_path: str
        def __init__(self, session: _Optional[str] = ..., devcontainer_file_path: _Optional[str] = ...) -> None: ...
    class Metadata(_message.Message):
        __slots__ = ("name", "lockdown_at")
        NAME_FIELD_NUMBER: _ClassVar[int]
        LOCKDOWN_AT_FIELD_NUMBER: _ClassVar[int]
        name: str
        lockdown_at: _timestamp_pb2.Timestamp
        def __init__(self, name: _Optional[str] = ..., lockdown_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    class SSHPublicKey(_message.Message):
        __slots__ = ("id", "value")
        ID_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        id: str
        value: str
        def __init__(self, id: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class Spec(_message.Message):
        __slots__ = ("content", "ssh_public_keys", "devcontainer", "ports", "timeout", "automations_file", "kernel_controls_config")
        CONTENT_FIELD_NUMBER: _ClassVar[int]
        SSH_PUBLIC_KEYS_FIELD_NUMBER: _ClassVar[int]
        DEVCONTAINER_FIELD_NUMBER: _ClassVar[int]
        PORTS_FIELD_NUMBER: _ClassVar[int]
        TIMEOUT_FIELD_NUMBER: _ClassVar[int]
        AUTOMATIONS_FILE_FIELD_NUMBER: _ClassVar[int]
        KERNEL_CONTROLS_CONFIG_FIELD_NUMBER: _ClassVar[int]
        content: UpdateEnvironmentRequest.Content
        ssh_public_keys: _containers.RepeatedCompositeFieldContainer[UpdateEnvironmentRequest.SSHPublicKey]
        devcontainer: UpdateEnvironmentRequest.DevContainer
        ports: _containers.RepeatedCompositeFieldContainer[EnvironmentSpec.EnvironmentPort]
        timeout: UpdateEnvironmentRequest.Timeout
        automations_file: UpdateEnvironmentRequest.AutomationsFile
        kernel_controls_config: KernelControlsConfig
        def __init__(self, content: _Optional[_Union[UpdateEnvironmentRequest.Content, _Mapping]] = ..., ssh_public_keys: _Optional[_Iterable[_Union[UpdateEnvironmentRequest.SSHPublicKey, _Mapping]]] = ..., devcontainer: _Optional[_Union[UpdateEnvironmentRequest.DevContainer, _Mapping]] = ..., ports: _Optional[_Iterable[_Union[EnvironmentSpec.EnvironmentPort, _Mapping]]] = ..., timeout: _Optional[_Union[UpdateEnvironmentRequest.Timeout, _Mapping]] = ..., automations_file: _Optional[_Union[UpdateEnvironmentRequest.AutomationsFile, _Mapping]] = ..., kernel_controls_config: _Optional[_Union[KernelControlsConfig, _Mapping]] = ...) -> None: ...
    class Timeout(_message.Message):
        __slots__ = ("disconnected",)
        DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
        disconnected: _duration_pb2.Duration
        def __init__(self, disconnected: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    environment_id: str
    metadata: UpdateEnvironmentRequest.Metadata
    spec: UpdateEnvironmentRequest.Spec
    def __init__(self, environment_id: _Optional[str] = ..., metadata: _Optional[_Union[UpdateEnvironmentRequest.Metadata, _Mapping]] = ..., spec: _Optional[_Union[UpdateEnvironmentRequest.Spec, _Mapping]] = ...) -> None: ...

class UpdateEnvironmentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Veto(_message.Message):
    __slots__ = ("exec", "file")
    class Exec(_message.Message):
        __slots__ = ("enabled", "denylist", "action", "resolve_bare_names", "untouchable", "watch", "deny_block_devices")
        ENABLED_FIELD_NUMBER: _ClassVar[int]
        DENYLIST_FIELD_NUMBER: _ClassVar[int]
        ACTION_FIELD_NUMBER: _ClassVar[int]
        RESOLVE_BARE_NAMES_FIELD_NUMBER: _ClassVar[int]
        UNTOUCHABLE_FIELD_NUMBER: _ClassVar[int]
        WATCH_FIELD_NUMBER: _ClassVar[int]
        DENY_BLOCK_DEVICES_FIELD_NUMBER: _ClassVar[int]
        enabled: bool
        denylist: _containers.RepeatedScalarFieldContainer[str]
        action: KernelControlsAction
        resolve_bare_names: bool
        untouchable: bool
        watch: bool
        deny_block_devices: bool
        def __init__(self, enabled: _Optional[bool] = ..., denylist: _Optional[_Iterable[str]] = ..., action: _Optional[_Union[KernelControlsAction, str]] = ..., resolve_bare_names: _Optional[bool] = ..., untouchable: _Optional[bool] = ..., watch: _Optional[bool] = ..., deny_block_devices: _Optional[bool] = ...) -> None: ...
    class File(_message.Message):
        __slots__ = ("enabled", "paths", "block_devices", "supervisor_protection")
        class SupervisorProtection(_message.Message):
            __slots__ = ("enabled", "effect")
            ENABLED_FIELD_NUMBER: _ClassVar[int]
            EFFECT_FIELD_NUMBER: _ClassVar[int]
            enabled: bool
            effect: KernelControlsAction
            def __init__(self, enabled: _Optional[bool] = ..., effect: _Optional[_Union[KernelControlsAction, str]] = ...) -> None: ...
        ENABLED_FIELD_NUMBER: _ClassVar[int]
        PATHS_FIELD_NUMBER: _ClassVar[int]
        BLOCK_DEVICES_FIELD_NUMBER: _ClassVar[int]
        SUPERVISOR_PROTECTION_FIELD_NUMBER: _ClassVar[int]
        enabled: bool
        paths: VetoFilePathPolicy
        block_devices: VetoFileBlockDevicesPolicy
        supervisor_protection: Veto.File.SupervisorProtection
        def __init__(self, enabled: _Optional[bool] = ..., paths: _Optional[_Union[VetoFilePathPolicy, _Mapping]] = ..., block_devices: _Optional[_Union[VetoFileBlockDevicesPolicy, _Mapping]] = ..., supervisor_protection: _Optional[_Union[Veto.File.SupervisorProtection, _Mapping]] = ...) -> None: ...
    EXEC_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    exec: Veto.Exec
    file: Veto.File
    def __init__(self, exec: _Optional[_Union[Veto.Exec, _Mapping]] = ..., file: _Optional[_Union[Veto.File, _Mapping]] = ...) -> None: ...

class VetoFileBlockDevicesPolicy(_message.Message):
    __slots__ = ("enabled", "action")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    action: KernelControlsAction
    def __init__(self, enabled: _Optional[bool] = ..., action: _Optional[_Union[KernelControlsAction, str]] = ...) -> None: ...

class VetoFilePathEntry(_message.Message):
    __slots__ = ("path", "surface", "effect", "track_changes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    TRACK_CHANGES_FIELD_NUMBER: _ClassVar[int]
    path: str
    surface: VetoFileSurface
    effect: KernelControlsAction
    track_changes: bool
    def __init__(self, path: _Optional[str] = ..., surface: _Optional[_Union[VetoFileSurface, str]] = ..., effect: _Optional[_Union[KernelControlsAction, str]] = ..., track_changes: _Optional[bool] = ...) -> None: ...

class VetoFilePathPolicy(_message.Message):
    __slots__ = ("entries", "default_surface", "default_effect")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_SURFACE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_EFFECT_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[VetoFilePathEntry]
    default_surface: VetoFileSurface
    default_effect: KernelControlsAction
    def __init__(self, entries: _Optional[_Iterable[_Union[VetoFilePathEntry, _Mapping]]] = ..., default_surface: _Optional[_Union[VetoFileSurface, str]] = ..., default_effect: _Optional[_Union[KernelControlsAction, str]] = ...) -> None: ...
