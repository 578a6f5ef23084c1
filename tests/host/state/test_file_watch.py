"""The watch over the automations file, on real files, with a real inotify unless said otherwise."""

# ruff: noqa: ASYNC230, ASYNC240  Nothing else runs in these loops, and the files are tiny.

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from watchfiles import _rust_notify

from supervisor.host.state import file_watch as module
from supervisor.host.state.file_watch import watch
from supervisor.host.state.inotify import FolderWatch, NoWatch
from tests import leaks
from tests.host.proc.fuse import needs_fuse, silent_filesystem

NEVER = 1000.0


class Observer:
    """What a supervisor would do: read the file each time it is told, and note what it sees."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seen: list[str | None] = []
        self.warnings: list[str] = []
        self._told = anyio.Event()

    def changed(self) -> None:
        try:
            self.seen.append(self.file.read_text())
        except (FileNotFoundError, NotADirectoryError):
            self.seen.append(None)
        self._told.set()
        self._told = anyio.Event()

    async def sees(self, content: str | None) -> None:
        with anyio.fail_after(20):
            while not self.seen or self.seen[-1] != content:
                await self._told.wait()


def observe(
    file: Path,
    story: Callable[[Observer], Awaitable[None]],
    others: tuple[Path, ...] = (),
    look_s: float = NEVER,
) -> Observer:
    """Runs `story` beside a watch that stands."""

    async def run() -> Observer:
        observer = Observer(file)
        async with anyio.create_task_group() as group:
            paths = [str(path) for path in (*others, file)]
            group.start_soon(watch, paths, observer.changed, observer.warnings.append, look_s)
            await anyio.wait_all_tasks_blocked()
            await story(observer)
            group.cancel_scope.cancel()
        return observer

    return anyio.run(run)


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STEP_MS", 20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "ws/automations.yaml"
    file.parent.mkdir()
    file.write_text("one")
    return file


def save_by_rename(file: Path, content: str) -> None:
    aside = file.with_name(f".{file.name}.swp")
    aside.write_text(content)
    aside.rename(file)


def test_each_save_by_rename_is_reported(file: Path) -> None:
    async def story(observer: Observer) -> None:
        for content in ("two", "three", "four"):
            save_by_rename(file, content)
            await observer.sees(content)

    observe(file, story)


def test_write_in_place_is_reported(file: Path) -> None:
    async def story(observer: Observer) -> None:
        file.write_text("two")
        await observer.sees("two")
        with open(file, "r+") as out:
            out.write("ONE")
        await observer.sees("ONE")

    observe(file, story)


def test_delete_and_recreate_are_reported(file: Path) -> None:
    async def story(observer: Observer) -> None:
        file.unlink()
        await observer.sees(None)
        file.write_text("again")
        await observer.sees("again")

    observe(file, story)


def test_file_in_folders_that_appear_later_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "ws/.ona/automations.yaml"

    async def story(observer: Observer) -> None:
        file.parent.mkdir(parents=True)
        file.write_text("one")
        await observer.sees("one")
        file.write_text("two")
        await observer.sees("two")

    observe(file, story)


def test_folder_that_is_removed_and_made_again_is_watched_again(tmp_path: Path) -> None:
    file = tmp_path / "ws/.ona/automations.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("one")

    async def story(observer: Observer) -> None:
        for content in ("two", "three"):
            shutil.rmtree(tmp_path / "ws")
            await observer.sees(None)
            file.parent.mkdir(parents=True)
            file.write_text(content)
            await observer.sees(content)

    observe(file, story)


def test_folder_that_is_replaced_by_another_is_watched(tmp_path: Path) -> None:
    file = tmp_path / "ws/.ona/automations.yaml"
    for name in ("ws/.ona", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "automations.yaml").write_text(name)

    async def story(observer: Observer) -> None:
        (tmp_path / "ws/.ona").rename(tmp_path / "old")
        (tmp_path / "other").rename(tmp_path / "ws/.ona")
        await observer.sees("other")
        file.write_text("two")
        await observer.sees("two")

    observe(file, story)


def test_candidates_of_several_folders_are_watched_together(file: Path) -> None:
    preferred = file.parent / ".ona/automations.yaml"

    async def story(observer: Observer) -> None:
        preferred.parent.mkdir()
        preferred.write_text("preferred")
        with anyio.fail_after(20):
            while not observer.seen:
                await anyio.lowlevel.checkpoint()
        file.write_text("two")
        await observer.sees("two")

    observe(file, story, others=(preferred,))


def test_change_behind_a_link_is_reported(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles/real.yaml"
    target.parent.mkdir()
    target.write_text("one")
    link = tmp_path / "ws/automations.yaml"
    link.parent.mkdir()
    link.symlink_to("../dotfiles/real.yaml")

    async def story(observer: Observer) -> None:
        save_by_rename(target, "two")
        await observer.sees("two")
        link.unlink()
        link.write_text("no link")
        await observer.sees("no link")

    observe(link, story)


def test_many_writes_are_reported_together(file: Path) -> None:
    began = time.monotonic()

    async def story(observer: Observer) -> None:
        for number in range(300):
            file.write_text(str(number))
            await anyio.lowlevel.checkpoint()
        await observer.sees("299")

    observer = observe(file, story)

    assert len(observer.seen) <= 2 + (time.monotonic() - began) / 0.02


def test_changes_beside_the_file_and_below_are_not_reported(file: Path) -> None:
    (file.parent / "node_modules").mkdir()

    async def story(observer: Observer) -> None:
        (file.parent / "app.log").write_text("noise")
        (file.parent / "node_modules/left-pad").mkdir()
        file.read_text()
        (file.parent / "app.log").unlink()
        file.write_text("two")
        await observer.sees("two")

    assert observe(file, story).seen == ["two"]


def test_nothing_below_the_folder_is_watched(file: Path) -> None:
    for number in range(50):
        (file.parent / f"node_modules/{number}").mkdir(parents=True)

    async def story(observer: Observer) -> None:
        (inotify,) = [fd for fd, to in leaks.descriptors() if "inotify" in to]
        info = Path(f"/proc/self/fdinfo/{inotify}").read_text()
        assert info.count("inotify wd:") == 1

    observe(file, story)


def test_change_before_the_watch_stands_is_reported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = FolderWatch

    def make_late(folders: list[str]) -> object:
        save_by_rename(file, "two")
        return make(folders)

    monkeypatch.setattr(module, "FolderWatch", make_late)

    async def story(observer: Observer) -> None:
        await observer.sees("two")

    observe(file, story)


def test_folder_that_goes_away_before_the_watch_stands_is_no_fault(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = FolderWatch
    calls: list[list[str]] = []

    def make_late(folders: list[str]) -> object:
        if not calls:
            shutil.rmtree(file.parent)
        calls.append(folders)
        return make(folders)

    monkeypatch.setattr(module, "FolderWatch", make_late)

    async def story(observer: Observer) -> None:
        await observer.sees(None)
        file.parent.mkdir()
        file.write_text("two")
        await observer.sees("two")

    observe(file, story)
    assert calls[0] == [str(file.parent)]
    assert calls[1] == [str(file.parent.parent)]


def test_cancellation_ends_the_watch_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    ended = []

    async def story(observer: Observer) -> None:
        ended.append(time.monotonic())

    observe(file, story)

    assert time.monotonic() - ended[0] < 2  # one step of 200 ms; `awatch` takes up to 5 s


def test_without_inotify_the_file_is_looked_at_and_that_is_said_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folders: list[str]) -> object:
        raise NoWatch("too many watches")

    monkeypatch.setattr(module, "FolderWatch", refuse)

    async def story(observer: Observer) -> None:
        for content in ("two", "three"):
            save_by_rename(file, content)
            await observer.sees(content)
        file.unlink()
        await observer.sees(None)

    observer = observe(file, story, look_s=0.01)

    assert observer.warnings == [
        f"cannot watch {file.parent}: too many watches; an edit is noticed by looking every 0.01 s"
    ]


class PanicException(BaseException):
    """What PyO3 makes of a panic in Rust."""


@pytest.mark.parametrize(
    "error", [PanicException("failed to spawn thread"), RuntimeError("can't start new thread")]
)
def test_machine_without_a_thread_for_the_watch_is_waited_out(
    file: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    short = threading.Event()
    short.set()
    target, name = (
        (_rust_notify, "RustNotify") if isinstance(error, PanicException) else (threading.Thread, "start")
    )
    given = getattr(target, name)

    def maybe(*arguments: object, **more: object) -> object:
        # The threads that look are there already: see `host/proc/worker_threads`.
        if short.is_set() and getattr(arguments[0], "_target", int) is int:
            raise error
        return given(*arguments, **more)

    monkeypatch.setattr(target, name, maybe)

    async def story(observer: Observer) -> None:
        save_by_rename(file, "two")
        await observer.sees("two")
        short.clear()
        monkeypatch.setattr(
            module, "_identity", lambda path, content=False: ()
        )  # from now on only an event tells
        save_by_rename(file, "three")
        await observer.sees("three")

    observer = observe(file, story, look_s=0.02)
    assert len(observer.warnings) == 1
    assert str(error) in observer.warnings[0]


@needs_fuse
def test_filesystem_that_does_not_answer_delays_nothing(file: Path) -> None:
    with silent_filesystem(file.parent):

        async def run() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(watch, [str(file)], lambda: None, lambda _why: None)
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()

        anyio.run(run)


def test_change_that_causes_no_event_is_seen_by_looking(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network filesystem: the watch stands, over a folder where nothing happens."""
    silent = file.parent.parent / "silent"
    silent.mkdir()
    make = FolderWatch
    monkeypatch.setattr(module, "FolderWatch", lambda folders: make([str(silent)]))

    async def story(observer: Observer) -> None:
        save_by_rename(file, "two")
        await observer.sees("two")

    observe(file, story, look_s=0.3)


def test_exhausted_inotify_is_not_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderWatch([str(tmp_path / "missing")])

    # In a process of its own: in this one, what another test left to the garbage may free a descriptor meanwhile.
    code = (
        "import os, resource, sys\n"
        "from supervisor.host.state import inotify as watch\n"
        "first = watch.FolderWatch([sys.argv[1]])\n"  # kept: one that is closed frees descriptors a moment later
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "try:\n"
        "    while True: os.dup(0)\n"
        "except OSError: pass\n"
        "try: watch.FolderWatch([sys.argv[1]])\n"
        "except watch.NoWatch as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=20
    )

    assert told.stderr == ""
    assert "limit of open files" in told.stdout
