"""Says when the automations file may have changed.

What is watched is the folder of each place where the file may be, or the nearest one above that exists, never what lies
below: editors save by renaming another file over the old one, so a watch on the file itself would stay with the old
one, and a workspace holds a hundred thousand folders. When such a folder appears or goes away, the watch moves.

Twice a look at the files makes up for what inotify does not tell: once after the watch stands, for what happened
before, and every few seconds, for network filesystems, where others change files without an event here. While inotify
gives no watch at all, that look is all there is, and somebody is told so once.

All of this is done in threads: on a filesystem that does not answer, which the user of the workspace may have mounted
there, a look never ends.

The package's own `awatch` is not used: its cancellation waits for its thread, up to 5 s. Here the thread is told to
stop and ends within one step. A step also costs an idle machine: 0.1 % of a core at 50 ms, 0.02 to 0.04 % at 250.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import anyio

from supervisor.host.proc import worker_threads
from supervisor.lean.frozen import dataclass

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_STEP_MS = 250
_AT_MOST_MS = 1000
"""Changes are told when one step was quiet, or this long after the first of them."""
_LOOK_S = 5.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """What there was at one moment."""

    folders: dict[str, tuple[int, ...]]
    """{folder to watch: its identity}"""
    files: dict[str, tuple[int, ...]]
    """{path: what changes with the content}"""
    names: frozenset[str]
    """Everything whose appearance or end may matter: the files and the folders above them."""


class _NoWatch(Exception):
    """Inotify does not serve here, for the reason given."""


async def watch(
    paths: Sequence[str],
    changed: Callable[[], None],
    warn: Callable[[str], None],
    look_s: float = _LOOK_S,
    since: Look | None = None,
) -> None:
    """Call `changed` whenever what one of `paths` holds may be another, until cancelled.

    The paths need not exist, nor their folders. The watch stands when this first waits; what changed since the call, or
    since an earlier look, is told. It may be called without a change, so compare the content. Many changes in a row are
    told together.

    Args:
        paths: where the file may be.
        changed: called in the event loop.
        warn: called when changes can only be seen by looking, with the reason as a sentence.
        look_s: how often to look at the files in any case.
        since: what `look` saw before the content was read.
    """
    paths = list(map(os.path.abspath, paths))
    seen = since or await look(paths)
    warned = False
    while True:
        try:
            watcher = await _in_thread(_watcher, [*seen.folders])
        except FileNotFoundError:  # gone since we looked
            await anyio.sleep(_STEP_MS / 1000)
            seen = _told(seen, await look(paths), changed)
            continue
        except _NoWatch as error:
            if not warned:
                warn(
                    # Not the folders that are watched: they tell whether what a link leads to exists.
                    f"cannot watch {os.path.commonpath(map(os.path.dirname, paths))}: {error}; "
                    f"an edit is noticed by looking every {look_s:g} s"
                )
            warned = True
            await anyio.sleep(look_s)
            seen = _told(seen, await look(paths), changed)
            continue
        warned = False
        with watcher:
            hint = False
            while (now := await look(paths)).folders == seen.folders:
                seen = _told(seen, now, changed, hint)
                touched = await _touched(watcher, look_s)
                hint = not touched.isdisjoint(now.names)
        seen = _told(seen, now, changed, hint)


def _told(before: Look, after: Look, changed: Callable[[], None], hint: bool = False) -> Look:
    # An event counts even if both looks agree: within the grain of a file's times two writes look like one.
    if hint or before.files != after.files:
        changed()
    return after


def _watcher(folders: Sequence[str]) -> RustNotify:
    # The package makes a thread of its own, and panics if it gets none: that ends in a word on standard error.
    try:
        threading.Thread(target=int, daemon=True).start()
    except RuntimeError as error:
        raise _NoWatch(str(error)) from error
    # Heavy, and not needed before the first command runs.
    from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

    try:
        return RustNotify(
            [*folders],
            debug=False,
            force_polling=False,
            poll_delay_ms=300,
            recursive=False,
            ignore_permission_denied=False,
        )
    except FileNotFoundError:
        raise
    except UnicodeEncodeError:
        raise _NoWatch("the name of one is not UTF-8, so inotify cannot be used") from None
    except WatchfilesRustInternalError as error:
        # EMFILE for both of what the sentence names.
        raise _NoWatch(f"{error}; raise fs.inotify.max_user_instances, or the limit of open files") from error
    except OSError as error:
        why = str(error).partition(" about [")[0]  # the rest is how Rust would print it
        raise _NoWatch(f"{why}; raise fs.inotify.max_user_watches if that is the limit") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of PyO3, which derives it from BaseException
            raise
        raise _NoWatch(f"its package failed: {error}") from error


async def _touched(watcher: RustNotify, timeout_s: float) -> set[str]:
    """The paths that had an event, once some had and a step was quiet; none after `timeout_s`."""
    stop, ended, touched = threading.Event(), anyio.Event(), set[str]()

    async def wait() -> None:
        # Not to be abandoned: the watcher cannot be closed while a thread waits for it.
        batch = await worker_threads.run(watcher.watch, _AT_MOST_MS, _STEP_MS, int(timeout_s * 1000), stop)
        if not isinstance(batch, str):
            touched.update(path for _, path in batch)
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        try:
            await ended.wait()
        finally:
            stop.set()
    return touched


async def look(paths: Sequence[str]) -> Look:
    """What there is now where the file may be, for `watch`."""
    return await _in_thread(_look, paths)


async def _in_thread(call: Callable[[Sequence[str]], T], paths: Sequence[str]) -> T:
    return await worker_threads.run(call, paths, abandon_on_cancel=True)


def _look(paths: Sequence[str]) -> Look:
    folders, files, names = {}, {}, set[str]()
    for path in _with_targets(paths):
        files[path] = _identity(path, content=True)
        folder = os.path.dirname(path)
        while not os.path.isdir(folder) and folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
        folders[folder] = _identity(folder)
        while path not in names:
            names.add(path)
            path = os.path.dirname(path)
    return Look(folders, files, frozenset(names))


def _identity(path: str, content: bool = False) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    if content:
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return status.st_dev, status.st_ino


def _with_targets(paths: Sequence[str]) -> Iterator[str]:
    """The paths, and where those that are links lead."""
    for path in paths:
        yield path
        if (target := os.path.realpath(path)) != path:
            yield target
