"""`supervisor logs` beside a running supervisor: one, several and all, past and to come."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import PROGRAM, run_program
from tests.cli.running import Running
from tests.e2e.harness import Program, until

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d\d:\d\d)"
FILE = """
services:
  web:
    name: Web
    commands: {start: 'echo "web $$"; while :; do sleep 0.05; if [ -e say ]; then cat say; rm say; fi; done'}
  all:
    name: All
    commands: {start: 'echo starts; exec sleep 1000', ready: 'echo probes; [ -e ready ]', stop: 'echo stops'}
  db: {name: Db, commands: {start: 'echo "db 1"; sleep 0.2; echo "db 2"; exec sleep 1000'}}
tasks:
  build: {name: Build, command: 'echo one; printf par; sleep 0.6; echo tial'}
  colours: {name: C, command: 'printf "\\033[32mgreen\\n\\033]52;c;aGk=\\007plain\\r\\n"'}
"""
LOOP = "i=0; while :; do i=$((i+1)); echo {} $i; sleep 0.02; done"


@pytest.fixture
def running(running: Running) -> Running:
    running.edit(FILE, at_once=True)
    return running


def lines(program: Program) -> list[str]:
    return program.out.splitlines()


def start(running: Running, *services: str) -> None:
    running.out("service", "start", *services, "--wait")


def test_all_logs_are_printed_in_the_order_of_their_times(running: Running) -> None:
    start(running, "db", "web")
    running.out("task", "start", "build", "--wait")

    out = running.out("logs", "-t").splitlines()

    names = [line.partition(" |")[0].strip() for line in out]
    assert sorted(names) == ["build", "build", "db", "db", "web"]
    assert all(re.match(rf"\w+ +\| {STAMP} ", line) for line in out)
    times = [line.split()[2] for line in out]
    assert times == sorted(times)


def test_some_are_printed_with_their_names_and_one_as_it_is(running: Running) -> None:
    start(running, "db")
    until(lambda: running.out("logs", "db") == "db 1\ndb 2\n", "both lines")
    running.out("task", "start", "build", "--wait")

    assert running.out("logs", "db", "build") == "db    | db 1\ndb    | db 2\nbuild | one\nbuild | partial\n"
    assert running.out("logs", "db", "build", "--tail", "1") == "db    | db 2\nbuild | partial\n"
    assert running.out("logs", "db", "build", "--grep", "1|one") == "db    | db 1\nbuild | one\n"
    assert running.out("logs", "build") == "one\npartial\n"
    assert running.out("logs", "build", "--grep", "^pa") == "partial\n"
    assert re.fullmatch(rf"({STAMP}) one\n({STAMP}) partial\n", running.out("logs", "build", "-t"))
    utc = running.out("task", "logs", "build", "--utc")
    assert [line[23:25] for line in utc.splitlines()] == ["Z ", "Z "]


def test_line_that_has_begun_is_printed_too(running: Running) -> None:
    running.edit("tasks: {ask: {name: A, command: 'printf \"Password: \"; sleep 1000'}}\n")
    running.out("task", "start", "ask")
    until(lambda: running.out("logs", "ask") == "Password: ", "the question")

    assert running.out("logs") == "ask | Password: \n"
    assert re.fullmatch(rf"{STAMP} Password: ", running.out("logs", "ask", "-t"))
    for arguments in (["logs", "-f"], ["logs", "-f", "ask", "-t"]):
        follower = running.project.program(*arguments)
        follower.line("Password: $")
        follower.interrupt()
        assert follower.wait() == 130


def test_a_time_chooses_lines_of_all_runs(running: Running) -> None:
    start(running, "db")
    until(lambda: "db 2" in running.out("logs", "db"), "both lines")
    running.out("service", "restart", "db", "--wait")
    until(lambda: "db 2" in running.out("logs", "db"), "both lines again")

    assert running.out("logs", "db") == "db 1\ndb 2\n"
    out = running.out("logs", "db", "--since", "5m", "-t").splitlines()
    assert [line.split(" ", 1)[1] for line in out if not line.startswith("---")] == ["db 1", "db 2"] * 2
    assert re.fullmatch(r"--- db: run \d+ began at \d\d:\d\d:\d\d ---", out[2])
    third = out[3].split()[0]
    assert running.out("logs", "db", "--since", third).splitlines()[-2:] == ["db 1", "db 2"]
    assert running.out("logs", "db", "--until", third).splitlines()[:2] == ["db 1", "db 2"]
    assert running.out("logs", "db", "--since", "5m", "--tail", "3").splitlines()[0] == "db 2"
    assert running.out("logs", "db", "--since", "5m", "--tail", "2") == "db 1\ndb 2\n"
    assert running.out("logs", "--since", "2000-01-01T00:00:00Z", "--until", "2001-01-01T00:00:00Z") == ""


def test_an_earlier_run_is_printed_and_listed(running: Running) -> None:
    start(running, "web")
    first = running.out("logs", "web")
    running.out("service", "restart", "web", "--wait")

    assert running.out("logs", "web", "--previous") == first != running.out("logs", "web")
    listed = [run for run in running.json("runs", "web") if run["kind"] == "start"]
    assert [bool(run["end"]) for run in listed] == [False, True]
    table = running.out("runs", "web").splitlines()
    assert table[0].split() == ["RUN", "KIND", "BEGAN", "TOOK", "SIZE", "END"]
    assert any(line.startswith(listed[0]["id"]) and line.endswith(" runs") for line in table)
    assert any("was killed by SIGTERM" in line and f"{len(first)} B" in line for line in table)
    id_ = listed[1]["id"]
    for name in (id_, id_.rpartition(".")[2]):
        assert running.out("logs", "web", "--run", name) == first
    assert running.out("logs", "--run", id_).endswith(f"| {first}")
    assert running.cli("logs", "db", "--previous").err == (
        'supervisor: there is no earlier run of "db" that is kept\n'
    )
    assert 'there is no run "77"' in running.cli("logs", "web", "--run", "77").err
    assert running.out("runs", "db") == "db has not run yet\n"
    assert 'there is no service, task or execution "bd"' in running.cli("runs", "bd").err


def test_follow_of_a_service_goes_on_over_restarts_and_ends_when_it_rests(running: Running) -> None:
    start(running, "web")
    follower = running.project.program("logs", "web", "-f")
    follower.line("web")
    running.out("service", "restart", "web", "--wait")
    follower.line("^web", 2)
    (running.project.folder / "say").write_text("more\n")
    follower.line("more")
    running.out("service", "stop", "web", "--wait")

    assert follower.wait() == 0
    first, notice, second, third = lines(follower)
    assert re.fullmatch(r"--- web: run \d+ began at \d\d:\d\d:\d\d ---", notice)
    assert (first[:4], second[:4], third) == ("web ", "web ", "more")
    assert first != second


def test_follow_of_everything_finds_new_runs_and_new_items_and_ends_with_the_supervisor(
    running: Running,
) -> None:
    start(running, "web")
    follower = running.project.program("logs", "-f")
    follower.line(r"web +\| web")
    running.out("task", "start", "build", "--wait")
    running.out("task", "start", "build", "--wait")
    running.edit(
        FILE.replace("tasks:", "  added: {name: A, commands: {start: 'echo is new; sleep 1000'}}\ntasks:")
    )
    running.out("service", "start", "added")
    follower.line(r"added +\| is new")
    running.out("service", "restart", "web")
    follower.line(r"--- web: run \d+ began at")
    follower.line(r"web +\| web", 2)
    running.project.stop(running.program)

    assert follower.wait() == 0
    assert follower.err == "supervisor: the supervisor has ended\n"
    out = [line.replace(" ", "") for line in lines(follower)]
    assert out.count("build|one") == 2
    assert sum(line.startswith("---build:anewrunbegan") for line in out) == 1
    # A line whose end takes long is shown in between; nothing came, so it goes on where it was.
    assert out.count("build|partial") == 2


def test_follow_of_several_ends_when_all_rest(running: Running) -> None:
    start(running, "db", "web")
    follower = running.project.program("logs", "-f", "db", "web", "build")
    follower.line(r"db +\| db 2")
    running.out("service", "stop", "web", "--wait")
    running.out("task", "start", "build", "--wait")
    follower.line(r"build +\| partial")
    assert follower.process.poll() is None
    running.out("service", "stop", "db", "--wait")

    assert follower.wait() == 0


def test_follow_ends_at_once_when_its_reader_has_gone(running: Running) -> None:
    start(running, "web", "db")
    for arguments in (["logs", "-f"], ["logs", "-f", "web"], ["logs", "-f", "web", "db"]):
        follower = running.project.program(*arguments)
        follower.line("web")
        began = time.monotonic()
        follower.close_output()
        follower.process.wait(5)
        assert time.monotonic() - began < 1
        assert (follower.process.returncode, follower.err) == (141, "")


def test_grep_that_has_found_ends_the_follow(running: Running) -> None:
    start(running, "web", "db")
    env = running.project.env
    follow = f"{sys.executable} -I {PROGRAM} logs -f"

    began = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", f"{follow} | grep -m1 'db 2'"],
        cwd=running.project.folder, env=env, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("db  | db 2\n", "")
    assert time.monotonic() - began < 5


def test_ctrl_c_ends_a_follow_with_130(running: Running) -> None:
    start(running, "web")
    for arguments in (["logs", "-f"], ["logs", "-f", "web"]):
        follower = running.project.program(*arguments)
        follower.line("web")
        follower.interrupt()
        assert (follower.wait(), follower.err) == (130, "")


def test_nothing_is_lost_or_doubled_between_what_was_and_what_comes(running: Running) -> None:
    names = [f"s{number}" for number in range(6)]
    services = "".join(
        f"  {name}: {{name: S, commands: {{start: '{LOOP.format(name)}'}}}}\n" for name in names
    )
    running.edit(f"services:\n{services}")
    running.out("service", "start", *names)
    until(lambda: "s5 30\n" in running.out("logs", "s5"), "some lines")
    follower = running.project.program("logs", "-f")
    for name in names:
        follower.line(rf"{name} \| {name} 120$")
    follower.interrupt()
    assert follower.wait() == 130

    for name in names:
        numbers = [int(line.split()[-1]) for line in lines(follower) if line.startswith(f"{name} | ")]
        assert numbers == list(range(1, len(numbers) + 1))


def test_an_upgrade_does_not_interrupt_a_follow(running: Running) -> None:
    running.edit(
        "services:\n"
        f"  a: {{name: A, commands: {{start: '{LOOP.format('a')}'}}}}\n"
        f"  b: {{name: B, commands: {{start: '{LOOP.format('b')}'}}}}\n"
    )
    running.out("service", "start", "a", "b")
    follower = running.project.program("logs", "-f", "-t")
    follower.line(r"a \| \S+ a 20$")
    running.out("upgrade")
    running.out("service", "restart", "b")
    follower.line(r"--- b: run 2 began")
    follower.line(r"b \| \S+ b 50$")
    follower.interrupt()
    assert follower.wait() == 130

    numbers = [int(line.split()[-1]) for line in lines(follower) if line.startswith("a | ")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_a_probe_printed_is_shown_by_its_kind(running: Running) -> None:
    running.out("service", "start", "all")
    until(lambda: running.out("logs", "all", "--kind", "ready") == "probes\n", "a probe")
    running.ready()
    running.out("service", "start", "all", "--wait")
    running.out("service", "stop", "all", "--wait")

    assert running.out("service", "logs", "all", "--kind", "stop") == "stops\n"
    both = running.out("logs", "--kind", "start", "--kind", "stop").splitlines()
    assert (both[0], both[-1]) == ("all      | starts", "all stop | stops")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--since", "yesterday"], '"yesterday" is not a time'),
        (["--grep", "("], '"(" is not a regular expression'),
        (["-f", "--until", "1m"], "--until ends the output"),
        (["--previous", "--run", "1"], "use one of them"),
        (["--kind", "strat"], 'did you mean "start"?'),
    ],
)
def test_wrong_usage(running: Running, arguments: list[str], error: str) -> None:
    done = running.cli("logs", *arguments)

    assert done.process.returncode == 2
    assert error in done.err


def on_terminal(running: Running, *arguments: str, **env: str) -> bytes:
    leader, follower = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", PROGRAM, *arguments],
            cwd=running.project.folder, env=running.project.env | {"TERM": "xterm"} | env,
            stdin=follower, stdout=follower,
        )  # fmt: skip
    finally:
        os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 1 << 16):
            shown += data
    except OSError:
        pass  # the last one that had the terminal open has ended
    os.close(leader)
    assert process.wait(20) == 0
    return shown


def test_terminal_shows_colours_and_nothing_that_takes_it_over(running: Running) -> None:
    running.out("task", "start", "colours", "--wait")
    running.out("task", "start", "build", "--wait")

    alone = on_terminal(running, "logs", "colours")
    assert alone.startswith(b"\x1b[32mgreen\r\n")
    assert b"plain" in alone
    assert b"]52" not in alone
    together = on_terminal(running, "logs")
    prefix = re.search(rb"\x1b\[[\d;]+mcolours \|\x1b\[0m ", together)
    assert prefix
    assert prefix[0] + b"\x1b[32mgreen\x1b[0m\r\n" in together
    assert prefix[0] + b"\x1b[32mplain\x1b[0m\r\n" in together  # nobody ended the colour
    assert prefix[0] in on_terminal(running, "logs", "colours", "web")  # the same colour among others
    plain = on_terminal(running, "logs", NO_COLOR="1")
    assert b"\x1b" not in plain
    assert b"colours | green\r\n" in plain
    assert running.cli("logs", "colours").bytes == b"\x1b[32mgreen\n\x1b]52;c;aGk=\x07plain\r\n"


def test_fifty_items_are_followed_at_once(running: Running) -> None:
    names = [f"s{number}" for number in range(50)]
    services = "".join(
        f"  {name}: {{name: S, commands: {{start: 'echo begun; read x < go-{name}; echo $x; exec sleep 1000'}}}}\n"
        for name in names
    )
    for name in names:
        os.mkfifo(running.project.folder / f"go-{name}")
    running.edit(f"services:\n{services}")
    running.out("service", "start", *names, "--wait")
    follower = running.project.program("logs", "-f")
    follower.line("begun", 50)
    for name in names:
        (running.project.folder / f"go-{name}").write_text("on\n")
    follower.line(r"\| on", 50)
    follower.interrupt()

    assert follower.wait() == 130
    assert sorted(lines(follower)) == sorted(
        f"{name:<3} | {word}" for name in names for word in ("begun", "on")
    )


def test_help_imports_nothing_that_follows_logs() -> None:
    code = (
        "import sys; from supervisor.cli.commands import cmd_logs; "
        "print([name for name in ('supervisor.cli.remote.log_session', 'heapq', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=20, check=True
    )

    assert done.stdout == "[]\n"
    assert "--follow" in run_program("logs", "--help").stdout
