"""A workspace with programs of all sorts, and two ways to run a text there: as the supervisor does, and as a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.command_line import CommandLine, command_line
from supervisor.model.action import RunKind, Spawn
from supervisor.model.ids import RunId, TaskId
from supervisor.shim.execute import execute
from supervisor.shim.protocol import SpawnRequest

SHOW = "cat /proc/self/cmdline /proc/self/environ"
"""Prints its arguments and its environment, as the kernel has them."""
_PROGRAMS = {
    "plain": '#!/bin/sh\necho plain "$#:$*"\nexit 7\n',
    "headless": 'echo headless "$#:$*" "${0##*/}"\nenv -0\nexit 8\n',
    "lost": "#!/no/such/interpreter\n",
    "garbage": "\x7fELF\x02\x01\x01 this is no program\x00\n",
    "killed": "#!/bin/sh\nkill -9 $$\n",
    "echo": "#!/bin/sh\necho this is not the builtin\n",
    "locked": "#!/bin/sh\n",
}


@dataclass(frozen=True)
class Outcome:
    """What came of a command. What is between NUL bytes is sorted: the order of the environment may be any."""

    status: int
    """As a shell reports it: 128 + N after a signal."""
    out: tuple[str, ...]
    err: str
    files: tuple[tuple[str, tuple[str, ...]], ...]
    """Of the files `*.made`: path and content."""


class World:
    """A folder `bin`, of PATH, and a workspace, in which the caller has to be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self._script = str(folder / "script.sh")
        for made in ("bin/folder", "workspace/sub", "home"):
            (folder / made).mkdir(parents=True)
        for name, text in _PROGRAMS.items():
            path = folder / "bin" / name
            path.write_text(text, encoding="latin-1")
            path.chmod(0o644 if name == "locked" else 0o755)
        for name in ("plain", "headless", "locked"):
            shutil.copy(folder / "bin" / name, self.workspace)
        shutil.copy(folder / "bin" / "plain", self.workspace / "sub" / "there")
        (self.workspace / "with space.txt").touch()
        self.env = {
            "PATH": f"{folder}/bin:/usr/bin:/bin",
            "PWD": str(self.workspace),
            "HOME": str(folder / "home"),
            "X": "a b  c*",
            "EMPTY": "",
        }

    def script_path(self, text: str) -> str:
        """A file that holds this text."""
        Path(self._script).write_text(text, encoding="utf-8", errors="surrogateescape")
        return self._script

    def line(
        self, text: str, env: Mapping[str, str] | None = None, kind: RunKind = RunKind.TASK
    ) -> CommandLine:
        """How the supervisor has a text executed."""
        spawn = Spawn(RunId("run"), kind, TaskId("task"), "task", text, None, ())
        env = self.env if env is None else env
        return command_line(spawn, RunDir(self.folder, "run"), dict(env), str(self.workspace), self)

    def as_a_file(self, text: str, env: Mapping[str, str], kind: RunKind = RunKind.TASK) -> Outcome:
        """Run a text as every text was run before there were forms: `bash [-e] FILE`."""
        options = ("-e",) if kind is RunKind.TASK else ()
        return self.outcome(CommandLine(("/bin/bash", *options, self.script_path(text)), dict(env)))

    def outcome(self, line: CommandLine) -> Outcome:
        """Execute it as the shim does."""
        for path in self.workspace.glob("**/*.made"):
            path.unlink()
        out, err = self.folder / "out", self.folder / "err"
        request = SpawnRequest(
            "r", line.argv, line.env, "", "", "", 0, program=line.program, words=line.words
        )
        with open("/dev/null", "rb") as null, open(out, "wb") as to_out, open(err, "wb") as to_err:
            pid = execute(request, null.fileno(), to_out.fileno(), to_err.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said = "".join(self._content(err))
        if 128 + 9 in (code, 128 - code):
            said = ""  # bash tells of a command that was killed, if it stays beside it
        return Outcome(128 - code if code < 0 else code, self._content(out), said, tuple(self._made()))

    def _made(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for path in sorted(self.workspace.glob("**/*.made")):
            yield str(path.relative_to(self.workspace)), self._content(path)

    def _content(self, path: Path) -> tuple[str, ...]:
        text = path.read_text(errors="surrogateescape").replace(self._script, "script.sh")
        return tuple(sorted(text.split("\0")))
