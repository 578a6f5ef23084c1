"""`supervisor terminal`: shells of a running supervisor, in windows that are real pseudo terminals."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.running import Running
from tests.cli.terminal_window import TerminalWindow
from tests.e2e.harness import until

LEAVE = b"\x10\x11"


def window(running: Running, *arguments: str, cols: int = 80, rows: int = 24) -> TerminalWindow:
    env = running.project.env | {"PS1": "> ", "TERM": "xterm"}
    return TerminalWindow("terminal", *arguments, cwd=running.project.folder, env=env, cols=cols, rows=rows)


def opened(running: Running) -> TerminalWindow:
    """A window with a plain shell in a new terminal."""
    shell = window(running, "new", "/bin/sh", "--env", "PS1=> ", "--annotation", "for=tests")
    shell.until(">")
    return shell


@pytest.mark.slow
def test_terminal_is_left_listed_and_shown_again_in_another_size(running: Running) -> None:
    with opened(running) as first:
        first.type(b"echo $((6 * 7)) $TERM; stty size\r")
        assert first.until("24 80")[:3] == [
            "> echo $((6 * 7)) $TERM; stty size",
            "42 xterm-256color",
            "24 80",
        ]
        first.resize(60, 20)
        first.type(b"clear 2>/dev/null; until [ \"$(stty size)\" = '20 60' ]; do :; done; echo resi'zed'\r")
        first.until("resized")
        first.type(LEAVE)
        assert first.wait() == 0
        assert b"supervisor: left terminal" in first.printed
        assert first.mode() == first.before

    (listed,) = running.json("terminal", "list")
    id_ = listed["terminalId"]
    assert (listed["shell"], listed["cols"], listed["rows"]) == ("/bin/sh", 60, 20)
    assert listed["annotations"] == {"for": "tests"}
    head, row = running.out("terminal", "list").splitlines()
    assert head.split() == ["TERMINAL", "OPENED", "SIZE", "SHELL", "FOLDER", "NOTES"]
    assert row.split()[0] == id_
    assert row.endswith(f"60 x 20  /bin/sh  {running.project.folder}  for=tests")

    with window(running, "attach", id_[:6], cols=70, rows=10) as second:
        assert "resized" in second.until(">")
        second.type(b"exit 7\r")
        assert second.wait() == 7
        assert second.mode() == second.before
    assert running.json("terminal", "list") == []
    assert running.out("terminal", "list") == "there are no terminals\n"
    with window(running, "attach", id_) as ended:
        assert ended.wait() == 7
        assert "> exit 7" in ended.rows()


@pytest.mark.slow
def test_terminal_undoes_what_programs_switched_on_in_the_window(running: Running) -> None:
    with opened(running) as shell:
        shell.type(rb"printf '\033[?1049h\033[?1003;1006;2004h\033[?25l\033[2;5rthere\n'" + b"\r")
        shell.until("there")
        assert switched_on(shell) == ("alternate screen", "mouse", "paste", "no cursor", "region")
        shell.type(LEAVE)
        assert shell.wait() == 0
        assert switched_on(shell) == ()


def switched_on(shell: TerminalWindow) -> tuple[str, ...]:
    screen = shell.screen
    screen.settle()
    on = {
        "alternate screen": screen.alternate is not None,
        "mouse": screen.mouse or screen.mouse_form,
        "paste": any(screen.modes.values()),
        "no cursor": not screen.visible,
        "region": (screen.top, screen.bottom) != (0, screen.rows - 1),
    }
    return tuple(name for name, is_on in on.items() if is_on)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_terminal_gives_the_window_back_when_a_signal_ends_it(
    running: Running, number: signal.Signals
) -> None:
    with opened(running) as shell:
        assert shell.mode() != shell.before
        shell.send(number)
        assert shell.wait() == 128 + number
        assert shell.mode() == shell.before
    assert len(running.json("terminal", "list")) == 1


@pytest.mark.slow
def test_terminal_takes_the_window_again_after_it_was_stopped(running: Running) -> None:
    with opened(running) as shell:
        shell.send(signal.SIGSTOP)
        until(lambda: ") T " in Path(f"/proc/{shell.process.pid}/stat").read_text(), "the stop")
        shell.set_mode(shell.before)
        shell.send(signal.SIGCONT)
        until(lambda: shell.mode() != shell.before, "raw mode")
        shell.type(b"echo a'gain'\r")
        shell.until("again")
        shell.type(b"exit\r")
        assert shell.wait() == 0
        assert shell.mode() == shell.before


@pytest.mark.slow
def test_terminal_goes_on_when_its_window_is_closed_and_ends_when_it_is_closed_itself(
    running: Running,
) -> None:
    with opened(running) as shell:
        shell.type(b"echo $$ >shell; echo re'ady'\r")
        shell.until("ready")
        shell.close()
        shell.process.wait(20)
    (listed,) = running.json("terminal", "list")
    pid = int((running.project.folder / "shell").read_text())
    os.kill(pid, 0)

    assert running.out("terminal", "close", listed["terminalId"]) == ""
    until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the shell")
    until(lambda: running.json("terminal", "list") == [], "the end of the terminal")


@pytest.mark.slow
def test_terminal_is_shown_through_an_upgrade_and_a_kill_of_the_supervisor(running: Running) -> None:
    with opened(running) as shell:
        shell.type(b"echo be'fore'\r")
        shell.until("before")
        assert running.cli("upgrade").process.returncode == 0
        shell.type(b"echo be'tween'\r")
        shell.until("between")
        running.program.process.kill()
        running.program.wait()
        running.program.close()
        running.program = running.start()
        shell.type(b"echo af'ter'\r")
        assert {"before", "between"} <= set(shell.until("after"))
        shell.type(b"exit\r")
        assert shell.wait() == 0


@pytest.mark.slow
def test_terminal_refuses_what_cannot_be(running: Running) -> None:
    def refused(*arguments: str, status: int = 1) -> str:
        program = running.cli("terminal", *arguments)
        assert program.process.returncode == status
        return program.err

    assert "standard input and output have to be a terminal" in refused("new")
    assert "standard input and output have to be a terminal" in refused("attach", "x")
    assert running.json("terminal", "list") == []
    with window(running, "attach", "nothing") as unknown:
        assert unknown.wait() == 1
        assert b'cannot attach to terminal "nothing": there is none' in unknown.printed
    assert 'cannot detach by "ctrl-P"' in refused("attach", "x", "--detach-keys", "ctrl-P", status=2)
    assert 'cannot use --env "A": write NAME=VALUE' in refused("new", "-d", "--env", "A", status=2)
    assert refused("close", "nothing")
    (running.project.folder / "sub").mkdir()
    ids = [running.out("terminal", "new", "-d", "--cwd", "sub", "/bin/sh").strip() for _ in range(2)]
    assert [item["terminalId"] for item in running.json("terminal", "list")] == ids
    until(
        lambda: all(item["workingDirectory"].endswith("/sub") for item in running.json("terminal", "list")),
        "sub",
    )
    assert 'cannot tell which terminal "" is: 2 ids begin so' in refused("close", "")
    running.out("terminal", "close", *ids)
    until(lambda: running.json("terminal", "list") == [], "the end of the terminals")
