"""Watch: a stream of what changes in the workspace. Source: contract/ops.md, Watch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from platform_wire import environmentopts_pb2 as pb
from supervisor.workspace.ignore_rules import Patterns
from supervisor.workspace.jobs import STREAM, Job
from supervisor.workspace.names import shown, spellings
from supervisor.workspace.watch.shared_watch import reader
from supervisor.workspace.watch.unsent_changes import (
    ChangeKind,
    FileChange,
    GitChange,
    Overflow,
    Sent,
)

_TYPES = {
    ChangeKind.CREATED: pb.FILE_CHANGE_TYPE_CREATED,
    ChangeKind.UPDATED: pb.FILE_CHANGE_TYPE_UPDATED,
    ChangeKind.DELETED: pb.FILE_CHANGE_TYPE_DELETED,
}


def watch(request: pb.WatchRequest, job: Job) -> Iterator[pb.WatchResponse | None]:
    """Changes from now on, until the job is cancelled. None comes first, once they are watched."""
    wanted = set(request.event_types) - {pb.WATCH_EVENT_TYPE_UNSPECIFIED}
    files = not wanted or pb.WATCH_EVENT_TYPE_FILE_CHANGE in wanted
    git = not wanted or pb.WATCH_EVENT_TYPE_GIT_STATUS in wanted
    with reader(job.workspace, files, git, Patterns(_lines(request.file_exclude_patterns))) as changes:
        job.on_cancel(changes.wake)
        changes.await_start(job)
        yield None
        while True:
            yield _response(changes.next(job))


def _lines(patterns: Iterable[str]) -> list[bytes]:
    return [spelling for pattern in patterns for spelling in spellings(pattern)]


def _response(sent: Sent) -> pb.WatchResponse:
    match sent:
        case GitChange():
            return pb.WatchResponse(git_status_changed=pb.GitStatusChanged())
        case Overflow(reason):
            return pb.WatchResponse(overflow=pb.WatchOverflow(reason=reason))
        case list():
            return pb.WatchResponse(file_changes=pb.FileChangeEvents(events=map(_event, sent)))


def _event(change: FileChange) -> pb.FileChangeEvent:
    return pb.FileChangeEvent(
        path=shown(change.path), type=_TYPES[change.kind], is_directory=change.is_folder
    )


STREAM["Watch"] = (pb.WatchRequest, watch)
