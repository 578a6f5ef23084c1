"""GetGitStatus of a running supervisor beside `git status`: `python -m tests.workspace.git.status_speed`.

Both are asked in turn, so that other load on the machine meets both. Then 20 callers ask at once, and the calls of git
are counted by a git of our own on PATH.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import leaks
from tests.clients.harness import SocketConnection, Supervisor
from tests.e2e.harness import Project

ROUNDS = 15
CALLERS = 20
IN_A_FOLDER = 100
USER = "[user]\n\tname = Dev\n\temail = dev@example.com\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    count = parser.parse_args().files
    leaks.mark_session()
    with tempfile.TemporaryDirectory(prefix="status-speed-") as folder:
        measure(Path(folder), count)


def measure(folder: Path, count: int) -> None:
    """Print what was measured."""
    project = Project(folder)
    os.environ["HOME"] = str(project.home)
    (project.home / ".gitconfig").write_text(USER)
    fill(project.folder, count)
    calls = counting_git(folder, project)
    try:
        supervisor = Supervisor(project)
        compare("clean", project)
        for number in range(100):
            path = project.folder / f"{number % (count // IN_A_FOLDER)}/{number % IN_A_FOLDER}"
            path.write_text("changed\n")
            (project.folder / f"new {number}").touch()
        compare("100 changed, 100 new", project)
        calls.unlink()
        ask(project)
        alone = calls.read_text().count("\n")
        calls.unlink()
        at_once(project)
        print(
            f"processes of git: {alone} for one call, {calls.read_text().count(chr(10))} for {CALLERS} calls at once"
        )
        project.stop(supervisor.program)
    finally:
        project.close()


def fill(top: Path, count: int) -> None:
    """A repository with so many files, packed as a clone is."""
    for number in range(count // IN_A_FOLDER):
        (top / str(number)).mkdir()
        for name in range(IN_A_FOLDER):
            (top / str(number) / str(name)).write_text(f"{number} {name}\n")
    for arguments in ("init -q", "add .", "commit -qm x", "gc -q", "status"):
        subprocess.run(
            ["git", "-c", "gc.auto=0", *arguments.split()], cwd=top, stdout=subprocess.DEVNULL, check=True
        )


def counting_git(folder: Path, project: Project) -> Path:
    """Have the supervisor call a git that writes one line a call; the file with the lines."""
    programs, calls = folder / "bin", folder / "calls"
    programs.mkdir()
    git = programs / "git"
    git.write_text(f'#!/bin/sh\necho >> {calls}\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)
    project.env["PATH"] = f"{programs}:{project.env['PATH']}"
    return calls


def compare(what: str, project: Project) -> None:
    """Print how long both take, the median of some rounds."""
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}

    def git_status() -> None:
        subprocess.run(
            ["git", "status"], cwd=project.folder, env=environ, stdout=subprocess.DEVNULL, check=True
        )

    ask(project)
    pairs = [(seconds(git_status), seconds(lambda: ask(project))) for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = f"{ours / theirs:.2f}"
    print(f"{what}: git status {theirs * 1000:.0f} ms, GetGitStatus {ours * 1000:.0f} ms, ratio {ratio}")


def seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def ask(project: Project) -> dict[str, Any]:
    """Call GetGitStatus through the socket."""
    connection = SocketConnection(project.state / "api.sock")
    try:
        path = "/supervisor.v1.EnvironmentOpsService/GetGitStatus"
        connection.request("POST", path, "{}", {"Content-Type": "application/json"})
        return answer_of(connection)
    finally:
        connection.close()


def answer_of(connection: http.client.HTTPConnection) -> dict[str, Any]:
    response = connection.getresponse()
    found: dict[str, Any] = json.loads(response.read())
    if response.status != 200:
        raise SystemExit(f"GetGitStatus was refused: {found}")
    return found


def at_once(project: Project) -> None:
    """Ask by many connections at one moment."""
    threads = [threading.Thread(target=ask, args=(project,)) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
