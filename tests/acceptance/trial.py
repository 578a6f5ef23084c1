"""What the parts of the acceptance points are made of, and what they may use.

A part is a function that a decorator enters into PARTS. It gets a Trial, raises AssertionError (or anything else) if
the point does not hold, and returns in words what it measured.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.harness import SCENARIO_DEADLINE_S, Driver, Supervisor
from tests.clients.set_up import ONA_0_1, ROOT, SDK_1_2, Client
from tests.e2e.harness import DEADLINE_S, Project
from tests.e2e.ops_client import OpsClient

SDKS: tuple[Client, ...] = (SDK_1_2, ONA_0_1)
USER = "[user]\n\tname = Dev\n\temail = dev@example.com\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"
FIGURES = "figures"
"""In place of a point: what the program has to reach besides."""
TESTS_DEADLINE_S = 3600.0


class LeftOut(Exception):
    """A part that cannot be tried on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a point."""

    point: str
    what: str
    try_out: Callable[[Trial], str]


PARTS: list[Part] = []


def part(point: int | str, what: str) -> Callable[[Callable[[Trial], str]], Callable[[Trial], str]]:
    """Enter a function as a part of a point."""

    def enter(function: Callable[[Trial], str]) -> Callable[[Trial], str]:
        PARTS.append(Part(str(point), what, function))
        return function

    return enter


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part."""

    part: Part
    seconds: float
    verdict: str
    """ "ok", "FAILED" or "left out"."""
    measured: str
    trace: str = ""
    """Of a part that failed, for people."""


@dataclass(slots=True)
class Trial:
    """A folder of its own, how much is tried, and what is drawn."""

    folder: Path
    scale: float
    seed: int
    dice: random.Random
    _projects: int = 0

    def size(self, full: int, least: int = 1) -> int:
        """So many of what the contract names a number of."""
        return max(least, round(full * self.scale))

    @contextmanager
    def project(self, **env: str) -> Iterator[Project]:
        """A workspace of its own, whose user git knows. `env`: what its programs get besides."""
        self._projects += 1
        folder = self.folder / str(self._projects)
        folder.mkdir()
        project = Project(folder)
        project.env |= env
        (project.home / ".gitconfig").write_text(USER)
        try:
            yield project
        finally:
            project.close()

    @contextmanager
    def running(self, project: Project, *arguments: str) -> Iterator[Supervisor]:
        """A supervisor that ends as it must, complains about nothing and leaves nothing."""
        supervisor = Supervisor(project, *arguments)
        yield supervisor
        status = project.stop(supervisor.program)
        errors = supervisor.program.err
        assert status == 130, f"exit status {status}: {errors}"
        assert "Traceback" not in errors, errors

    @contextmanager
    def supervisor(self, **env: str) -> Iterator[Supervisor]:
        with self.project(**env) as project, self.running(project) as supervisor:
            yield supervisor

    @contextmanager
    def calls(self) -> Iterator[tuple[Supervisor, OpsClient]]:
        """A supervisor and who makes raw calls."""
        with self.supervisor() as supervisor:
            yield supervisor, OpsClient(supervisor.port, supervisor.token())

    def by_both(
        self,
        program: str,
        work: Callable[[Driver], str],
        patience_s: float = SCENARIO_DEADLINE_S,
        clients: tuple[Client, ...] = SDKS,
    ) -> str:
        """Have both SDKs do the same, each with a supervisor of its own. Returns what each has measured."""
        said, failures = [], []
        for client in clients:
            try:
                with self.supervisor() as supervisor:
                    measured = work(Driver(client, program, supervisor, patience_s))
            except AssertionError as failure:
                failures.append(failure)
                measured = f"FAILED, {str(failure).partition(chr(10))[0]}"
            said.append(f"{client.name}: {measured}")
        if failures:
            raise AssertionError("; ".join(said)) from failures[0]
        return "; ".join(said)

    def tests(self, *words: str) -> str:
        """Run tests that stand elsewhere. `words`: of pytest. Returns how many, and what those that passed printed."""
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-rPs", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "--seed", str(self.seed), "--basetemp", str(self.folder / "tests"), *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=TESTS_DEADLINE_S,
        )
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
        return "; ".join([f"tests: {summary(done.stdout)}", *printed_by_tests(done.stdout)])


def printed(function: Callable[..., Any], *arguments: Any) -> str:
    """Call a test of elsewhere. Returns what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        function(*arguments)
    return " ".join(line for line in out.getvalue().split("\n") if line) or "as it must be"


def summary(out: str) -> str:
    """The last line of pytest without its seconds: `12 passed, 1 skipped`."""
    return re.sub(r" in [\d.]+s.*", "", out.strip().splitlines()[-1]).strip("= ")


def printed_by_tests(out: str) -> Iterator[str]:
    """The lines that tests printed, as `pytest -rPs` shows them, and the reasons of skipped ones."""
    shows = False
    for line in out.splitlines():
        if re.match(r"(-{5}|_{5}|={3,5})", line) or re.search(r"\d+ passed", line):
            shows = "Captured stdout call" in line
        elif reason := re.match(r"SKIPPED \[\d+\] \S+ (.*)", line):
            yield f"skipped: {reason[1]}"
        elif shows and line.strip() and not line.startswith("--seed"):
            yield line.strip()


def tried(each: Part, scale: float, seed: int, folder: Path | None) -> Outcome:
    """Try a part. `folder`: where its workspaces, state and logs are to be."""
    began, trace = time.monotonic(), ""
    with tempfile.TemporaryDirectory(prefix="acc", dir=folder, ignore_cleanup_errors=True) as own:
        trial = Trial(Path(own), scale, seed, random.Random(f"{seed} {each.point} {each.what}"))
        try:
            verdict, measured = "ok", each.try_out(trial)
        except LeftOut as reason:
            verdict, measured = "left out", str(reason)
        except Exception as error:
            text = str(error).strip() or type(error).__name__
            verdict, measured, trace = "FAILED", text.splitlines()[0][:300], traceback.format_exc()
    return Outcome(each, time.monotonic() - began, verdict, measured, trace)


def until(condition: Callable[[], object], what: str, within_s: float = DEADLINE_S) -> None:
    """Wait for what nothing announces."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come in {within_s:g} s"
        time.sleep(0.01)


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]
