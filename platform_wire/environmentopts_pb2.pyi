import datetime

from platform_wire import environment_pb2 as _environment_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Capability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPABILITY_UNSPECIFIED: _ClassVar[Capability]
    CAPABILITY_WATCH: _ClassVar[Capability]
    CAPABILITY_BROWSER: _ClassVar[Capability]

class FileChangeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILE_CHANGE_TYPE_UNSPECIFIED: _ClassVar[FileChangeType]
    FILE_CHANGE_TYPE_CREATED: _ClassVar[FileChangeType]
    FILE_CHANGE_TYPE_UPDATED: _ClassVar[FileChangeType]
    FILE_CHANGE_TYPE_DELETED: _ClassVar[FileChangeType]

class WatchEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WATCH_EVENT_TYPE_UNSPECIFIED: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_FILE_CHANGE: _ClassVar[WatchEventType]
    WATCH_EVENT_TYPE_GIT_STATUS: _ClassVar[WatchEventType]

class WriteMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WRITE_MODE_UNSPECIFIED: _ClassVar[WriteMode]
    WRITE_MODE_CREATE: _ClassVar[WriteMode]
    WRITE_MODE_TRUNCATE: _ClassVar[WriteMode]
    WRITE_MODE_CREATE_OR_TRUNCATE: _ClassVar[WriteMode]
    WRITE_MODE_APPEND: _ClassVar[WriteMode]
CAPABILITY_UNSPECIFIED: Capability
CAPABILITY_WATCH: Capability
CAPABILITY_BROWSER: Capability
FILE_CHANGE_TYPE_UNSPECIFIED: FileChangeType
FILE_CHANGE_TYPE_CREATED: FileChangeType
FILE_CHANGE_TYPE_UPDATED: FileChangeType
FILE_CHANGE_TYPE_DELETED: FileChangeType
WATCH_EVENT_TYPE_UNSPECIFIED: WatchEventType
WATCH_EVENT_TYPE_FILE_CHANGE: WatchEventType
WATCH_EVENT_TYPE_GIT_STATUS: WatchEventType
WRITE_MODE_UNSPECIFIED: WriteMode
WRITE_MODE_CREATE: WriteMode
WRITE_MODE_TRUNCATE: WriteMode
WRITE_MODE_CREATE_OR_TRUNCATE: WriteMode
WRITE_MODE_APPEND: WriteMode

class AttachTerminalRequest(_message.Message):
    __slots__ = ("terminal_id",)
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    def __init__(self, terminal_id: _Optional[str] = ...) -> None: ...

class AttachTerminalResponse(_message.Message):
    __slots__ = ("replay", "data", "exited")
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    EXITED_FIELD_NUMBER: _ClassVar[int]
    replay: TerminalReplay
    data: TerminalData
    exited: TerminalExited
    def __init__(self, replay: _Optional[_Union[TerminalReplay, _Mapping]] = ..., data: _Optional[_Union[TerminalData, _Mapping]] = ..., exited: _Optional[_Union[TerminalExited, _Mapping]] = ...) -> None: ...

class CancelExecRequest(_message.Message):
    __slots__ = ("operation_id",)
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    def __init__(self, operation_id: _Optional[str] = ...) -> None: ...

class CancelExecResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CloseTerminalRequest(_message.Message):
    __slots__ = ("terminal_id",)
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    def __init__(self, terminal_id: _Optional[str] = ...) -> None: ...

class CloseTerminalResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ConfigTerminalProfile(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class CreateTerminalRequest(_message.Message):
    __slots__ = ("shell", "working_directory", "initial_cols", "initial_rows", "env", "annotations")
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SHELL_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    INITIAL_COLS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    shell: str
    working_directory: str
    initial_cols: int
    initial_rows: int
    env: _containers.ScalarMap[str, str]
    annotations: _containers.ScalarMap[str, str]
    def __init__(self, shell: _Optional[str] = ..., working_directory: _Optional[str] = ..., initial_cols: _Optional[int] = ..., initial_rows: _Optional[int] = ..., env: _Optional[_Mapping[str, str]] = ..., annotations: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CreateTerminalResponse(_message.Message):
    __slots__ = ("terminal_id",)
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    def __init__(self, terminal_id: _Optional[str] = ...) -> None: ...

class DirectoryListing(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[FileInfo]
    def __init__(self, entries: _Optional[_Iterable[_Union[FileInfo, _Mapping]]] = ...) -> None: ...

class ExecRequest(_message.Message):
    __slots__ = ("operation_id", "command", "working_directory", "timeout_seconds")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    command: str
    working_directory: str
    timeout_seconds: int
    def __init__(self, operation_id: _Optional[str] = ..., command: _Optional[str] = ..., working_directory: _Optional[str] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class ExecResponse(_message.Message):
    __slots__ = ("exit_code", "stdout", "stderr")
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    exit_code: int
    stdout: str
    stderr: str
    def __init__(self, exit_code: _Optional[int] = ..., stdout: _Optional[str] = ..., stderr: _Optional[str] = ...) -> None: ...

class FileChangeEvent(_message.Message):
    __slots__ = ("path", "type", "is_directory")
    PATH_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    IS_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    path: str
    type: FileChangeType
    is_directory: bool
    def __init__(self, path: _Optional[str] = ..., type: _Optional[_Union[FileChangeType, str]] = ..., is_directory: _Optional[bool] = ...) -> None: ...

class FileChangeEvents(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[FileChangeEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[FileChangeEvent, _Mapping]]] = ...) -> None: ...

class FileContent(_message.Message):
    __slots__ = ("data", "total_size", "content_hash")
    DATA_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    total_size: int
    content_hash: str
    def __init__(self, data: _Optional[bytes] = ..., total_size: _Optional[int] = ..., content_hash: _Optional[str] = ...) -> None: ...

class FileInfo(_message.Message):
    __slots__ = ("path", "is_directory", "size")
    PATH_FIELD_NUMBER: _ClassVar[int]
    IS_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    path: str
    is_directory: bool
    size: int
    def __init__(self, path: _Optional[str] = ..., is_directory: _Optional[bool] = ..., size: _Optional[int] = ...) -> None: ...

class FindRequest(_message.Message):
    __slots__ = ("path", "pattern", "type", "max_depth", "fuzzy")
    class FileType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FILE_TYPE_UNSPECIFIED: _ClassVar[FindRequest.FileType]
        FILE_TYPE_FILE: _ClassVar[FindRequest.FileType]
        FILE_TYPE_DIRECTORY: _ClassVar[FindRequest.FileType]
        FILE_TYPE_ANY: _ClassVar[FindRequest.FileType]
    FILE_TYPE_UNSPECIFIED: FindRequest.FileType
    FILE_TYPE_FILE: FindRequest.FileType
    FILE_TYPE_DIRECTORY: FindRequest.FileType
    FILE_TYPE_ANY: FindRequest.FileType
    PATH_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MAX_DEPTH_FIELD_NUMBER: _ClassVar[int]
    FUZZY_FIELD_NUMBER: _ClassVar[int]
    path: str
    pattern: str
    type: FindRequest.FileType
    max_depth: int
    fuzzy: bool
    def __init__(self, path: _Optional[str] = ..., pattern: _Optional[str] = ..., type: _Optional[_Union[FindRequest.FileType, str]] = ..., max_depth: _Optional[int] = ..., fuzzy: _Optional[bool] = ...) -> None: ...

class FindResponse(_message.Message):
    __slots__ = ("files", "truncated")
    FILES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[FileInfo]
    truncated: bool
    def __init__(self, files: _Optional[_Iterable[_Union[FileInfo, _Mapping]]] = ..., truncated: _Optional[bool] = ...) -> None: ...

class GetDefaultBranchRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDefaultBranchResponse(_message.Message):
    __slots__ = ("branch",)
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    branch: str
    def __init__(self, branch: _Optional[str] = ...) -> None: ...

class GetFileDiffContentRequest(_message.Message):
    __slots__ = ("path", "include_binary_content", "base_ref")
    PATH_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_BINARY_CONTENT_FIELD_NUMBER: _ClassVar[int]
    BASE_REF_FIELD_NUMBER: _ClassVar[int]
    path: str
    include_binary_content: bool
    base_ref: str
    def __init__(self, path: _Optional[str] = ..., include_binary_content: _Optional[bool] = ..., base_ref: _Optional[str] = ...) -> None: ...

class GetFileDiffContentResponse(_message.Message):
    __slots__ = ("file_change", "original_content", "new_content", "is_binary")
    FILE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_CONTENT_FIELD_NUMBER: _ClassVar[int]
    NEW_CONTENT_FIELD_NUMBER: _ClassVar[int]
    IS_BINARY_FIELD_NUMBER: _ClassVar[int]
    file_change: _environment_pb2.FileChange
    original_content: bytes
    new_content: bytes
    is_binary: bool
    def __init__(self, file_change: _Optional[_Union[_environment_pb2.FileChange, _Mapping]] = ..., original_content: _Optional[bytes] = ..., new_content: _Optional[bytes] = ..., is_binary: _Optional[bool] = ...) -> None: ...

class GetGitDiffFilesRequest(_message.Message):
    __slots__ = ("base_ref",)
    BASE_REF_FIELD_NUMBER: _ClassVar[int]
    base_ref: str
    def __init__(self, base_ref: _Optional[str] = ...) -> None: ...

class GetGitDiffFilesResponse(_message.Message):
    __slots__ = ("changed_files", "total_changed_files")
    CHANGED_FILES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CHANGED_FILES_FIELD_NUMBER: _ClassVar[int]
    changed_files: _containers.RepeatedCompositeFieldContainer[_environment_pb2.FileChange]
    total_changed_files: int
    def __init__(self, changed_files: _Optional[_Iterable[_Union[_environment_pb2.FileChange, _Mapping]]] = ..., total_changed_files: _Optional[int] = ...) -> None: ...

class GetGitDiffRequest(_message.Message):
    __slots__ = ("path", "unified", "base_ref")
    PATH_FIELD_NUMBER: _ClassVar[int]
    UNIFIED_FIELD_NUMBER: _ClassVar[int]
    BASE_REF_FIELD_NUMBER: _ClassVar[int]
    path: str
    unified: int
    base_ref: str
    def __init__(self, path: _Optional[str] = ..., unified: _Optional[int] = ..., base_ref: _Optional[str] = ...) -> None: ...

class GetGitDiffResponse(_message.Message):
    __slots__ = ("file_change", "hunks", "is_binary")
    FILE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    HUNKS_FIELD_NUMBER: _ClassVar[int]
    IS_BINARY_FIELD_NUMBER: _ClassVar[int]
    file_change: _environment_pb2.FileChange
    hunks: _containers.RepeatedCompositeFieldContainer[GitHunk]
    is_binary: bool
    def __init__(self, file_change: _Optional[_Union[_environment_pb2.FileChange, _Mapping]] = ..., hunks: _Optional[_Iterable[_Union[GitHunk, _Mapping]]] = ..., is_binary: _Optional[bool] = ...) -> None: ...

class GetGitStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetGitStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _environment_pb2.EnvironmentGitStatus
    def __init__(self, status: _Optional[_Union[_environment_pb2.EnvironmentGitStatus, _Mapping]] = ...) -> None: ...

class GitHunk(_message.Message):
    __slots__ = ("original_start_line", "original_lines", "original_no_newline_at", "new_start_line", "new_lines", "section", "start_position", "body")
    ORIGINAL_START_LINE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_LINES_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_NO_NEWLINE_AT_FIELD_NUMBER: _ClassVar[int]
    NEW_START_LINE_FIELD_NUMBER: _ClassVar[int]
    NEW_LINES_FIELD_NUMBER: _ClassVar[int]
    SECTION_FIELD_NUMBER: _ClassVar[int]
    START_POSITION_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    original_start_line: int
    original_lines: int
    original_no_newline_at: int
    new_start_line: int
    new_lines: int
    section: str
    start_position: int
    body: str
    def __init__(self, original_start_line: _Optional[int] = ..., original_lines: _Optional[int] = ..., original_no_newline_at: _Optional[int] = ..., new_start_line: _Optional[int] = ..., new_lines: _Optional[int] = ..., section: _Optional[str] = ..., start_position: _Optional[int] = ..., body: _Optional[str] = ...) -> None: ...

class GitStatusChanged(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListCapabilitiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListCapabilitiesResponse(_message.Message):
    __slots__ = ("capabilities",)
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    def __init__(self, capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ...) -> None: ...

class ListTerminalProfilesRequest(_message.Message):
    __slots__ = ("include_detected_profiles", "config_profiles")
    class ConfigProfilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ConfigTerminalProfile
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ConfigTerminalProfile, _Mapping]] = ...) -> None: ...
    INCLUDE_DETECTED_PROFILES_FIELD_NUMBER: _ClassVar[int]
    CONFIG_PROFILES_FIELD_NUMBER: _ClassVar[int]
    include_detected_profiles: bool
    config_profiles: _containers.MessageMap[str, ConfigTerminalProfile]
    def __init__(self, include_detected_profiles: _Optional[bool] = ..., config_profiles: _Optional[_Mapping[str, ConfigTerminalProfile]] = ...) -> None: ...

class ListTerminalProfilesResponse(_message.Message):
    __slots__ = ("profiles",)
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    profiles: _containers.RepeatedCompositeFieldContainer[TerminalProfile]
    def __init__(self, profiles: _Optional[_Iterable[_Union[TerminalProfile, _Mapping]]] = ...) -> None: ...

class ListTerminalsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListTerminalsResponse(_message.Message):
    __slots__ = ("terminals",)
    TERMINALS_FIELD_NUMBER: _ClassVar[int]
    terminals: _containers.RepeatedCompositeFieldContainer[TerminalInfo]
    def __init__(self, terminals: _Optional[_Iterable[_Union[TerminalInfo, _Mapping]]] = ...) -> None: ...

class ReadFileRequest(_message.Message):
    __slots__ = ("path", "offset", "length")
    PATH_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    path: str
    offset: int
    length: int
    def __init__(self, path: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class ReadFileResponse(_message.Message):
    __slots__ = ("content", "directory")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    content: FileContent
    directory: DirectoryListing
    def __init__(self, content: _Optional[_Union[FileContent, _Mapping]] = ..., directory: _Optional[_Union[DirectoryListing, _Mapping]] = ...) -> None: ...

class ReadTerminalRequest(_message.Message):
    __slots__ = ("terminal_id", "skip_history")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    SKIP_HISTORY_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    skip_history: bool
    def __init__(self, terminal_id: _Optional[str] = ..., skip_history: _Optional[bool] = ...) -> None: ...

class ReadTerminalResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class ResizeTerminalRequest(_message.Message):
    __slots__ = ("terminal_id", "cols", "rows")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    COLS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    cols: int
    rows: int
    def __init__(self, terminal_id: _Optional[str] = ..., cols: _Optional[int] = ..., rows: _Optional[int] = ...) -> None: ...

class ResizeTerminalResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartBrowserRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartBrowserResponse(_message.Message):
    __slots__ = ("proxy_port", "container_name", "was_already_running")
    PROXY_PORT_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    WAS_ALREADY_RUNNING_FIELD_NUMBER: _ClassVar[int]
    proxy_port: int
    container_name: str
    was_already_running: bool
    def __init__(self, proxy_port: _Optional[int] = ..., container_name: _Optional[str] = ..., was_already_running: _Optional[bool] = ...) -> None: ...

class TerminalData(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class TerminalExited(_message.Message):
    __slots__ = ("exit_code",)
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    exit_code: int
    def __init__(self, exit_code: _Optional[int] = ...) -> None: ...

class TerminalInfo(_message.Message):
    __slots__ = ("terminal_id", "shell", "working_directory", "cols", "rows", "created_at", "annotations")
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    SHELL_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    COLS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    shell: str
    working_directory: str
    cols: int
    rows: int
    created_at: _timestamp_pb2.Timestamp
    annotations: _containers.ScalarMap[str, str]
    def __init__(self, terminal_id: _Optional[str] = ..., shell: _Optional[str] = ..., working_directory: _Optional[str] = ..., cols: _Optional[int] = ..., rows: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., annotations: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TerminalProfile(_message.Message):
    __slots__ = ("profile_name", "path", "is_auto_detected")
    PROFILE_NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    IS_AUTO_DETECTED_FIELD_NUMBER: _ClassVar[int]
    profile_name: str
    path: str
    is_auto_detected: bool
    def __init__(self, profile_name: _Optional[str] = ..., path: _Optional[str] = ..., is_auto_detected: _Optional[bool] = ...) -> None: ...

class TerminalReplay(_message.Message):
    __slots__ = ("data", "cols", "rows")
    DATA_FIELD_NUMBER: _ClassVar[int]
    COLS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    cols: int
    rows: int
    def __init__(self, data: _Optional[bytes] = ..., cols: _Optional[int] = ..., rows: _Optional[int] = ...) -> None: ...

class WatchOverflow(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("event_types", "file_exclude_patterns")
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    FILE_EXCLUDE_PATTERNS_FIELD_NUMBER: _ClassVar[int]
    event_types: _containers.RepeatedScalarFieldContainer[WatchEventType]
    file_exclude_patterns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, event_types: _Optional[_Iterable[_Union[WatchEventType, str]]] = ..., file_exclude_patterns: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("file_changes", "git_status_changed", "overflow")
    FILE_CHANGES_FIELD_NUMBER: _ClassVar[int]
    GIT_STATUS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    file_changes: FileChangeEvents
    git_status_changed: GitStatusChanged
    overflow: WatchOverflow
    def __init__(self, file_changes: _Optional[_Union[FileChangeEvents, _Mapping]] = ..., git_status_changed: _Optional[_Union[GitStatusChanged, _Mapping]] = ..., overflow: _Optional[_Union[WatchOverflow, _Mapping]] = ...) -> None: ...

class WriteFileRequest(_message.Message):
    __slots__ = ("path", "content", "mode")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    path: str
    content: bytes
    mode: WriteMode
    def __init__(self, path: _Optional[str] = ..., content: _Optional[bytes] = ..., mode: _Optional[_Union[WriteMode, str]] = ...) -> None: ...

class WriteFileResponse(_message.Message):
    __slots__ = ("bytes_written",)
    BYTES_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    bytes_written: int
    def __init__(self, bytes_written: _Optional[int] = ...) -> None: ...

class WriteTerminalRequest(_message.Message):
    __slots__ = ("terminal_id", "data")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    terminal_id: str
    data: bytes
    def __init__(self, terminal_id: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class WriteTerminalResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
