"""`run --logs` shows prompts and progress bars while they wait, on a terminal and in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cli.terminal.terminal_model import Terminal
from tests.e2e.harness import ENTRY, Project

COLUMNS, LINES = 60, 12
FILE = """
tasks:
  ask:
    name: Ask
    triggeredBy: [postEnvironmentStart]
    command: |
      printf 'Continue? [y/N] '; until [ -e answer ]; do sleep 0.05; done; echo yes
  bar:
    name: Bar
    triggeredBy: [postEnvironmentStart]
    command: |
      until [ -e begin ]; do sleep 0.05; done
      for i in $(seq 1 20); do
        printf '\\r\\033[K%s %d%%' "$(printf '%*s' $i '' | tr ' ' '#')" $((i * 5)); sleep 0.05
      done
      until [ -e answer ]; do sleep 0.05; done
      printf '\\033]0;title\\007\\033[2J\\033[31m done\\n'
  wide:
    name: Wide
    triggeredBy: [postEnvironmentStart]
    command: |
      until [ -e begin ]; do sleep 0.05; done
      printf '%080d' 7; until [ -e answer ]; do sleep 0.05; done; echo; echo wide
"""


class OnTerminal:
    """The program on a terminal of which a model knows what it shows."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.leader, follower = pty.openpty()
        self.terminal = Terminal(COLUMNS, LINES)
        self.resize(COLUMNS)
        self.process = subprocess.Popen(
            [sys.executable, "-I", *ENTRY, *arguments], cwd=project.folder,
            env=project.env | {"TERM": "xterm", "NO_COLOR": "1"}, stdin=follower, stdout=follower, stderr=follower,
        )  # fmt: skip
        os.close(follower)

    def resize(self, columns: int) -> None:
        self.terminal.resize(columns)
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))

    def until(self, look: Callable[[list[str]], bool]) -> list[str]:
        deadline = time.monotonic() + 20
        while not look(self.terminal.text):
            assert time.monotonic() < deadline, self.terminal.text
            if select.select([self.leader], [], [], 0.1)[0]:
                try:
                    self.terminal.feed(os.read(self.leader, 65536))
                except OSError:  # it has ended
                    assert self.process.wait(20) is not None
                    assert look(self.terminal.text), self.terminal.text
        return self.terminal.text

    def close(self) -> None:
        self.process.kill()
        self.process.wait(20)
        os.close(self.leader)


@pytest.fixture
def on_terminal(project: Project) -> Iterator[OnTerminal]:
    project.write(FILE)
    words = ("run", "--logs", "--exit-when-done", "--listen", "none", "--state-dir", str(project.home / "s"))
    it = OnTerminal(project, *words)
    yield it
    it.close()


def test_terminal_shows_prompts_and_progress_bars_in_its_last_rows(
    project: Project, on_terminal: OnTerminal
) -> None:
    on_terminal.until(lambda text: text[-1:] == ["         ask | Continue? [y/N]"])
    (project.folder / "begin").touch()
    text = on_terminal.until(lambda text: f"         bar | {'#' * 20} 100%" in text[-3:])
    text = on_terminal.until(lambda text: any("…" in row for row in text[-3:]))
    assert sorted(row.strip() for row in text[-3:]) == [
        "ask | Continue? [y/N]", "bar | #################### 100%", f"wide | …{'7':0>41}"
    ]  # fmt: skip
    assert sum("bar |" in row for row in text) == 1

    on_terminal.resize(50)
    (project.folder / "answer").touch()
    on_terminal.until(lambda text: any("bar  " in row and "succeeded" in row for row in text))
    text = on_terminal.until(lambda _: on_terminal.process.returncode is not None)
    lines = [line.strip() for line in text]
    assert lines.count("ask | Continue? [y/N] yes") == 1
    assert lines.count("bar | #################### 100% done") == 1
    assert [row for row in lines if row.startswith("wide |")][-1] == "wide | wide"
    assert on_terminal.process.returncode == 0


def test_pipe_gets_a_prompt_after_a_moment_and_each_byte_once(project: Project) -> None:
    project.write(FILE)
    program = project.program("run", "--logs", "--exit-when-done", "--listen", "none")
    program.line(r"ask \| Continue\? \[y/N\] $")
    (project.folder / "begin").touch()
    program.line(r"bar \| #{20} 100%$")
    program.line(r"wide \| 0{79}7$")
    (project.folder / "answer").touch()
    assert program.wait() == 0

    lines = [line.lstrip() for line in program.out.splitlines() if " | " in line]
    assert [line for line in lines if line.startswith("ask")] == ["ask | Continue? [y/N] ", "ask | … yes"]
    # On a busy machine the bar may also stand still for a moment before its end. Who is the last to have begun a line
    # goes on in that.
    text = "".join(lines).replace(" | … ", " | ").replace("bar | ", "").replace("wide | ", "")
    assert text.count(f"{'#' * 20} 100%") == text.count(" done") == 1
    assert text.count(f"{'7':0>80}") == text.count("wide") == 1
    assert "\x1b" not in program.out


def test_prompt_is_seen_while_another_command_floods_the_terminal(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  flood: {name: F, triggeredBy: [postEnvironmentStart], command: seq 150000; exec sleep 30}\n"
        "  ask: {name: A, triggeredBy: [postEnvironmentStart], command: 'printf \"name? \"; exec sleep 30'}\n"
    )
    on_terminal = OnTerminal(project, "run", "--logs", "--listen", "none")
    printed = bytearray()
    while b"| 150000\r\n" not in printed[-70_000:]:
        printed += os.read(on_terminal.leader, 65536)
    on_terminal.process.send_signal(signal.SIGTERM)
    on_terminal.until(lambda _: on_terminal.process.returncode is not None)
    on_terminal.close()
    assert 0 < printed.find(b"ask | name? ") < printed.find(b"| 120000\r\n")
    numbers = re.findall(rb"flood \| (\d+)\r\n", printed)
    assert numbers == [b"%d" % number for number in range(1, 150_001)]
