"""The real command line as a process, in a project folder of its own; every wait has a deadline.

Whatever a project starts carries the project's marker in its environment: that is how the end of a test sees that
nothing is left, the shim included.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tests import leaks
from tests.program import PROGRAM

ROOT = Path(__file__).resolve().parents[2]
ENTRY = (ROOT / "supervisor/__main__.py",)
BEHAVIOURS = ROOT / "fixtures/behaviours"
DEADLINE_S = 20.0
MARKER = "E2E_PROJECT"
T = TypeVar("T")


class Program:
    """One run of the command line. What it prints is read while something is waited for."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        cwd: Path,
        env: Mapping[str, str],
        stdout: int,
        within: tuple[str, ...] = (),
        entry: tuple[Path | str, ...] = ENTRY,
    ) -> None:
        """`within`: words before the program, of one that executes the rest of its command line; `entry`: the script
        that stands for the command line, and what it is given before the arguments.
        """
        self.process = subprocess.Popen(
            [*within, sys.executable, "-I", *entry, *arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        self._raw_out, self._raw_err = bytearray(), bytearray()
        self._pipes = {
            pipe.fileno(): into
            for pipe, into in ((self.process.stdout, self._raw_out), (self.process.stderr, self._raw_err))
            if pipe is not None
        }
        self._open = set(self._pipes)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def bytes(self) -> bytes:
        return bytes(self._raw_out)

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._raw_out.decode()

    @property
    def err(self) -> str:
        return self._raw_err.decode()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of standard output, of `--format json`."""
        return [json.loads(line) for line in self.out.splitlines(keepends=True) if line.endswith("\n")]

    def line(self, pattern: str, count: int = 1) -> str:
        """Wait until so many lines match, on either output; returns the last of them."""

        def matching() -> str | None:
            lines = [line for line in (self.out + self.err).splitlines() if re.search(pattern, line)]
            return lines[count - 1] if len(lines) >= count else None

        return self._until(matching, f"a line that matches {pattern!r}")

    def event(self, count: int = 1, **expected: str) -> dict[str, Any]:
        """Wait for the `count`-th event that has these values; in texts for people a part is enough."""

        def matching() -> dict[str, Any] | None:
            events = [event for event in self.events if _has(event, expected)]
            return events[count - 1] if len(events) >= count else None

        return self._until(matching, f"an event with {expected}")

    def phases(self, reference: str, kind: str | None = None) -> list[str]:
        """The phases that the events tell of a service, task or step."""
        return [
            event["phase"]
            for event in self.events
            if event.get("reference") == reference and "phase" in event and kind in (None, event["kind"])
        ]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.send(signal.SIGINT)

    def wait(self) -> int:
        """Wait until it has ended and nobody holds its outputs; returns the exit status, negative for a signal."""
        self._until(lambda: None if self._open else True, "the end", must_live=False)
        self.process.wait(DEADLINE_S)
        return self.process.returncode

    def close_output(self) -> None:
        """Read what it prints no more."""
        assert self.process.stdout
        self._open.discard(self.process.stdout.fileno())
        self.process.stdout.close()

    def close(self) -> None:
        """Let go of it, alive or not."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        self._open.clear()

    def _until(self, look: Callable[[], T | None], what: str, must_live: bool = True) -> T:
        deadline = time.monotonic() + DEADLINE_S
        while (found := look()) is None:
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"{what} did not come in time; there was:\n{self.out}{self.err}"
            assert self._open or not must_live, f"it ended without {what}; there was:\n{self.out}{self.err}"
            self._read(left_s)
        return found

    def _read(self, timeout_s: float) -> None:
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(timeout_s * 1000):
            data = os.read(fd, 1 << 16)
            self._pipes[fd] += data
            if not data:
                self._open.discard(fd)


class Project:
    """A workspace with an automations file, a home, a place for state, and the programs started for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.home = folder / "home"
        self.folder.mkdir()
        self.home.mkdir()
        self.file = self.folder / "automations.yaml"
        self.within: tuple[str, ...] = ()
        """As of `Program`, for all that are started here."""
        self._programs: list[Program] = []
        self.marker = f"{MARKER}={uuid.uuid4().hex}"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(folder / "s"),  # a socket's path must be short
            "SUPERVISOR_TEST_SESSION": os.environ["SUPERVISOR_TEST_SESSION"],
            MARKER: self.marker.partition("=")[2],
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        }

    @property
    def state(self) -> Path:
        """The state directory, once a supervisor has made it."""
        (path,) = (self.home.parent / "s/supervisor").iterdir()
        return path

    def write(self, text: str) -> None:
        """Write the automations file as editors do: aside, then renamed."""
        aside = self.folder / ".automations.yaml.swp"
        aside.write_text(text)
        aside.replace(self.file)

    def use(self, behaviour: str) -> None:
        """Take one of the behaviour files."""
        self.write((BEHAVIOURS / f"{behaviour}.yaml").read_text())

    def program(
        self,
        *arguments: str,
        stdout: int = subprocess.PIPE,
        cwd: Path | None = None,
        **env: str,
    ) -> Program:
        """Start the command line, in the workspace if no other folder is said."""
        return self.keep(Program(arguments, cwd or self.folder, self.env | env, stdout, self.within))

    def keep(self, program: Program) -> Program:
        """Have a program ended with the project, if it has not ended."""
        self._programs.append(program)
        return program

    def adopt(self, program: Program) -> None:
        """End this one too in `close`."""
        self._programs.append(program)

    def run(self, *arguments: str, **env: str) -> Program:
        """Start `supervisor run` with one JSON object a line."""
        return self.program("run", "--format", "json", *arguments, stdout=subprocess.PIPE, cwd=None, **env)

    def run_copy(self, copy: Path, *arguments: str, **replaced: tuple[str, str]) -> Program:
        """The same with a copy of the program, changed. `replaced`: `{package__module: (text, new text)}`."""
        for name in PROGRAM:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for module, (old, new) in replaced.items():
            path = copy / "supervisor" / f"{module.replace('__', '/')}.py"
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new))
        words = ("run", "--format", "json", *arguments)
        entry = ("-S", copy / "supervisor/__main__.py")
        return self.keep(Program(words, self.folder, self.env, subprocess.PIPE, self.within, entry))

    def run_task(self, reference: str, *arguments: str, **env: str) -> Program:
        return self.program(
            "run-task", reference, "--standalone", *arguments, stdout=subprocess.PIPE, cwd=None, **env
        )

    def end(self, program: Program) -> int:
        """Wait for the end of a program; nothing may be left of all that was started. Returns the exit status."""
        status = program.wait()
        assert self.left_after_a_moment() == [], "left behind"
        return status

    def stop(self, program: Program) -> int:
        """Ctrl-C and `end`."""
        program.interrupt()
        return self.end(program)

    def logs(self) -> list[str]:
        """The logs of all runs that have one, the eldest run first."""
        logs = sorted((self.state / "runs").glob("*/log"), key=lambda log: log.stat().st_ctime_ns)
        return [log.read_text() for log in logs]

    def left(self) -> list[str]:
        """What lives and carries the marker, as `pid command line`."""
        return [f"{pid} {command}" for pid, command in self.processes().items()]

    def left_after_a_moment(self) -> list[str]:
        """What still lives after the time that a process takes to go, the shim with no one to serve, say."""
        deadline = time.monotonic() + 2.0
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.005)
        return left

    def processes(self) -> dict[int, str]:
        """`{pid: command line}` of what lives and carries the marker."""
        found = {}
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if self.marker.encode() in environment:
                    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(pid)] = command.decode(errors="replace").strip()
            except OSError:
                continue  # gone by now
        return found

    def shims(self) -> list[int]:
        """The pids of the shims.

        A child of a shim looks like one until its exec, or until it has become the keeper.
        """
        found = [pid for pid, command in self.processes().items() if "shim.py" in command]
        return [pid for pid in found if leaks.parent(str(pid)) not in (None, *found)]

    def keepers(self) -> list[int]:
        """The pids of the processes that hold FIFOs."""
        return [pid for pid, command in self.processes().items() if "log-keeper" in command]

    def kill(self, pid: int) -> None:
        """End one of the processes that were started here."""
        assert pid in self.processes()
        os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """End all that lives and was started here."""
        for program in self._programs:
            program.close()
        deadline = time.monotonic() + 5.0
        while (processes := self.processes()) and time.monotonic() < deadline:
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.005)
        for name in ("work", "s"):
            shutil.rmtree(self.home.parent / name, ignore_errors=True)


def until(condition: Callable[[], T], what: str) -> T:
    """Wait for what nothing announces. Returns what the condition did."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true in time"
        time.sleep(0.01)
    return value


def _has(event: dict[str, Any], expected: Mapping[str, str]) -> bool:
    return all(
        value in event.get(key, "") if key in ("text", "detail", "line") else event.get(key) == value
        for key, value in expected.items()
    )
