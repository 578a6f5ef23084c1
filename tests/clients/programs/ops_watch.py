"""Watch, as gitpod-sdk 1.2.0 and ona-sdk 0.1.1 reach it with parts of their wheels: SCENARIO ARGUMENTS, as JSON."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ops_parts import Ops, Result, environment, refusal, said, show

DEADLINE_S = 20.0


class Watching:
    """Reads a stream in a thread."""

    def __init__(self, ops: Ops, workspace: Path, **request: object) -> None:
        self.came: list[Result] = []
        self.end: Result | None = None
        self._workspace = workspace
        self._numbers = itertools.count()
        self._news = threading.Condition()
        threading.Thread(target=self._read, args=(ops, request), daemon=True).start()

    def _read(self, ops: Ops, request: Result) -> None:
        def stream() -> None:
            for message in ops.stream("Watch", **request):
                with self._news:
                    self.came.append(said(message))
                    self._news.notify_all()

        try:
            end = refusal(stream) or {"kind": "", "code": "", "message": "it has ended"}
        except Exception as error:
            end = {"kind": type(error).__name__, "code": "", "message": str(error)}
        with self._news:
            self.end = end
            self._news.notify_all()

    def until(self, condition: Callable[[], object], within_s: float = DEADLINE_S) -> None:
        with self._news:
            if not self._news.wait_for(condition, within_s):
                raise AssertionError(f"it did not come: {self.came[-20:]}, {self.end}")

    def begin(self) -> None:
        """Touch files until one is told of: then the stream has begun."""
        while not self.events():
            (self._workspace / f"begin-{next(self._numbers)}").touch()
            with self._news:
                self._news.wait_for(self.events, 0.3)
        self.all()

    def events(self) -> list[str]:
        signs = {"CREATED": "+", "UPDATED": "*", "DELETED": "-"}
        return [
            signs[event["type"].rpartition("_")[2]] + event["path"] + "/" * event.get("isDirectory", False)
            for message in self.came
            for event in message.get("fileChanges", {}).get("events", [])
        ]

    def count(self, kind: str) -> int:
        return sum(kind in message for message in self.came)

    def all(self, anew: bool = True) -> list[str]:
        """What came until now, without the files that are made to know that. `anew`: forget it then."""
        while True:
            name = f"mark-{next(self._numbers)}"
            (self._workspace / name).touch()
            lost = self.count("overflow")
            self.until(lambda n=name, o=lost: f"+{n}" in self.events() or self.count("overflow") > o)
            os.unlink(self._workspace / name)
            if f"+{name}" in self.events():
                break
        found = [event for event in self.events() if event[1:6] not in ("mark-", "begin")]
        if anew:
            self.came.clear()
        return found


def watch(environment_id: str, arguments: Result) -> Result:
    """Edits, ignored files, a commit, and a client that asks for the status all the time."""
    ops, workspace = Ops(environment(environment_id)), Path(arguments["workspace"])
    (workspace / ".gitignore").write_text("out/\n")
    (workspace / "out").mkdir()
    git(workspace, "init", "-q", "-b", "main")
    watching = Watching(ops, workspace)
    watching.begin()
    found: Result = {}

    began_s = time.monotonic()
    (workspace / "edited").write_text("x")
    watching.until(watching.events)
    found["toldAfterS"] = time.monotonic() - began_s
    (workspace / "out/ignored").write_text("x")
    ops.call("WriteFile", path="written", content=b"by a call")
    found["events"] = sorted(watching.all())

    git(workspace, "add", "-A")
    git(workspace, "commit", "-q", "-m", "first")
    watching.came.clear()
    git(workspace, "commit", "-q", "-m", "second", "--allow-empty")
    began_s = time.monotonic()
    watching.until(lambda: watching.count("gitStatusChanged"))
    found["commitToldAfterS"] = time.monotonic() - began_s
    found["eventsOfGit"] = watching.all()
    return found


def asking(environment_id: str, arguments: Result) -> Result:
    """A client that asks for the status all the time."""
    ops, workspace = Ops(environment(environment_id)), Path(arguments["workspace"])
    git(workspace, "init", "-q", "-b", "main")
    (workspace / "changed").write_text("1\n")
    git(workspace, "add", "-A")
    git(workspace, "commit", "-q", "-m", "first")
    os.utime(workspace / "changed")  # git would write the index anew, to know the file by its new time
    watching = Watching(ops, workspace)
    watching.begin()
    watching.until(lambda: watching.count("gitStatusChanged"))
    time.sleep(1.2)  # what is still to be told of the files above
    watching.came.clear()
    for _ in range(20):
        ops.call("GetGitStatus")
        ops.call("GetGitDiff", path="changed")
    time.sleep(1.2)
    return {"came": watching.came}


def broken(environment_id: str, arguments: Result) -> Result:
    """A stream that breaks because the supervisor is killed, and a new one."""
    watching = Watching(Ops(environment(environment_id)), Path(arguments["workspace"]))
    watching.begin()
    Path(arguments["ready"]).touch()
    watching.until(lambda: watching.end)
    until(lambda: Path(arguments["again"]).exists())
    again = Watching(Ops(environment(environment_id)), Path(arguments["workspace"]))
    again.begin()
    (Path(arguments["workspace"]) / "later").touch()
    return {"end": watching.end, "events": again.all()}


def many(environment_id: str, arguments: Result) -> Result:
    """A checkout that changes many files."""
    workspace = Path(arguments["workspace"])
    git(workspace, "init", "-q", "-b", "main")
    git(workspace, "commit", "-q", "--allow-empty", "-m", "first")
    (workspace / "many").mkdir()
    for number in range(arguments["count"]):
        (workspace / f"many/{number}").write_text("x")
    git(workspace, "add", "-A")
    git(workspace, "commit", "-q", "-m", "many")
    git(workspace, "checkout", "-q", "HEAD~")
    watching = Watching(Ops(environment(environment_id)), workspace)
    watching.begin()
    began_s = time.monotonic()
    git(workspace, "checkout", "-q", "main")
    took_s = time.monotonic() - began_s
    while True:  # until all is told, also what came behind an overflow
        overflows = watching.count("overflow")
        told = len({event for event in watching.all(anew=False) if event.startswith("+many/")} - {"+many/"})
        if watching.count("overflow") == overflows:
            break
    watching.came.clear()
    (workspace / "many/7").write_text("changed")
    return {"checkoutS": took_s, "overflows": overflows, "told": told, "events": watching.all()}


def until(condition: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > give_up_at:
            raise AssertionError("it did not become true")
        time.sleep(0.01)


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=folder, check=True)


show({each.__name__: each for each in (watch, asking, broken, many)})
