"""Reports when the automations file may have changed.

The watch is on the folder of each place where the file may be, or on the nearest one above that exists, never on what
lies below. Editors save by renaming another file over the old one, so a watch on the file itself would stay with the
old one; and a workspace holds a hundred thousand folders. When such a folder appears or goes away, the watch moves.

The files are looked at as well, since inotify misses some changes: once after the watch stands, for what happened
before, and every few seconds, for network filesystems, where others change files without an event here. Where inotify
gives no watch at all, these looks are all there is, and `warn` is called once.

All of this runs in threads: on a filesystem that does not answer, which the user of the workspace may have mounted
there, a look never ends.

A step costs an idle machine 0.1 % of a core at 50 ms, 0.02 to 0.04 % at 250.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import anyio

from supervisor.host.proc import worker_threads
from supervisor.host.state.inotify import FolderWatch, NoWatch

_STEP_MS = 250
_AT_MOST_MS = 1000
"""Changes are reported when one step was quiet, or this long after the first of them."""
_LOOK_S = 5.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """The files and folders as they were at one moment."""

    folders: dict[str, tuple[int, ...]]
    """{folder to watch: its identity}"""
    files: dict[str, tuple[int, ...]]
    """{path: what changes with the content}"""
    names: frozenset[str]
    """The files and the folders above them: whatever may appear or disappear."""


async def watch(
    paths: Sequence[str],
    changed: Callable[[], None],
    warn: Callable[[str], None],
    look_s: float = _LOOK_S,
    since: Look | None = None,
) -> None:
    """Call `changed` whenever the content of one of `paths` may have changed, until cancelled.

    The paths need not exist, nor their folders. A change counts from the call on, or from an earlier look. `changed`
    may be called without a change, so compare the content; it is called once for many changes in a row.

    Args:
        paths: where the file may be.
        changed: called in the event loop.
        warn: called with a sentence when inotify gives no watch.
        look_s: how often to look at the files in any case.
        since: what `look` returned before the content was read.
    """
    paths = list(map(os.path.abspath, paths))
    seen = since or await look(paths)
    warned = False
    while True:
        try:
            watcher = await _in_thread(FolderWatch, [*seen.folders])
        except FileNotFoundError:  # gone since we looked
            await anyio.sleep(_STEP_MS / 1000)
            seen = _compared(seen, await look(paths), changed)
            continue
        except NoWatch as error:
            if not warned:
                warn(
                    # Not the folders that are watched: they tell whether what a link leads to exists.
                    f"cannot watch {os.path.commonpath(map(os.path.dirname, paths))}: {error}; "
                    f"an edit is noticed by looking every {look_s:g} s"
                )
            warned = True
            await anyio.sleep(look_s)
            seen = _compared(seen, await look(paths), changed)
            continue
        warned = False
        with watcher:
            hint = False
            while (now := await look(paths)).folders == seen.folders:
                seen = _compared(seen, now, changed, hint)
                touched = await _touched(watcher, look_s)
                hint = not touched.isdisjoint(now.names)
        seen = _compared(seen, now, changed, hint)


def _compared(before: Look, after: Look, changed: Callable[[], None], hint: bool = False) -> Look:
    # An event counts even if both looks agree: within the grain of a file's times two writes look like one.
    if hint or before.files != after.files:
        changed()
    return after


async def _touched(watcher: FolderWatch, timeout_s: float) -> set[str]:
    """Wait for events. Returns the paths that had one; none after `timeout_s`."""
    stop, ended, touched = threading.Event(), anyio.Event(), set[str]()

    async def wait() -> None:
        touched.update(
            await worker_threads.run(watcher.wait, _AT_MOST_MS, _STEP_MS, int(timeout_s * 1000), stop)
        )
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        try:
            await ended.wait()
        finally:
            stop.set()
    return touched


async def look(paths: Sequence[str]) -> Look:
    """Look at the places where the file may be, for `watch`."""
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
