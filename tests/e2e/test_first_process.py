"""The supervisor as pid 1 of a PID namespace: orphans, signals, its own end and that of all others."""

import os
import signal
import sys
import textwrap
import time

import pytest

from tests.e2e.harness import Project, until
from tests.e2e.namespace import Namespace, unshare

pytestmark = pytest.mark.slow

ORPHANS = 10_000
CODES = range(1, 65)
MAKE_ORPHANS = textwrap.dedent(
    """
    # Prints how many processes have seen that pid 1 became their parent when their own had ended.
    import os, sys, time
    wanted, at_once = int(sys.argv[1]), 100
    read, write = os.pipe()
    seen = b""

    def family():
        alive, lives = os.pipe()
        for _ in range(at_once):
            if os.fork() == 0:
                os.close(lives)
                os.read(alive, 1)  # until the parent ends; the kernel closes its files before it gives children away
                tries = 10_000
                while os.getppid() != 1 and (tries := tries - 1):
                    time.sleep(0.001)
                os.write(write, b"1" if tries else b"0")
                os._exit(0)
        os._exit(0)

    for _ in range(wanted // at_once):
        if (parent := os.fork()) == 0:
            family()
        os.waitpid(parent, 0)
        for _ in range(at_once):
            seen += os.read(read, 1)
    print(seen.count(b"1"))
    """
)


@pytest.fixture
def first(project: Project) -> Project:
    """A project whose supervisors are pid 1, each in a namespace of its own."""
    words = unshare()
    if words is None:
        pytest.skip("no PID namespace can be made here: unshare is missing or refused")
    project.within = words
    return project


def with_sleeper(project: Project, more: str = "") -> None:
    project.write(
        "services:\n"
        "  sleeper:\n"
        "    name: Sleeper\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands: {start: echo up; exec sleep 1000}\n" + more
    )


@pytest.mark.timeout(180)
def test_ten_thousand_orphans_are_reaped_and_no_exit_code_is_lost(
    first: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = "".join(
        f"  t{code}: {{name: T, triggeredBy: [postEnvironmentStart], command: sleep 0.$((RANDOM % 9)); exit {code}}}\n"
        for code in CODES
    )
    with_sleeper(first, f"tasks:\n{tasks}")
    program = first.run()
    inside = Namespace(program)
    script = first.home / "orphans.py"
    script.write_text(MAKE_ORPHANS)
    began = time.monotonic()

    made = inside.run(sys.executable, "-I", str(script), str(ORPHANS))

    took_s = time.monotonic() - began
    assert made.stdout == f"{ORPHANS}\n", made.stderr
    for code in CODES:
        failed = program.event(kind="task", reference=f"t{code}", phase="failed")
        assert failed["detail"] == f'step "t{code}" exited {code}'
    until(lambda: not inside.zombies(), "the end of all zombies")
    os.kill(inside.pid1, signal.SIGTERM)
    assert first.end(program) == 0
    with capsys.disabled():
        print(
            f"\npid 1 reaped {ORPHANS} orphans in {took_s:.1f} s, meanwhile {len(CODES)} commands ended with the exit "
            "codes they had, and no zombie is left"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGPWR, signal.SIGRTMIN + 3])
def test_signal_to_pid_1_drains_and_exits_0(first: Project, number: int) -> None:
    with_sleeper(first)
    program = first.run()
    program.event(reference="sleeper", phase="running")

    os.kill(Namespace(program).pid1, number)

    assert first.end(program) == 0
    assert program.phases("sleeper")[-2:] == ["stopping", "stopped"]


def test_ctrl_c_comes_once_and_exits_130(first: Project) -> None:
    first.use("ignores-term")
    program = first.run("--logs")
    for reference in ("deaf", "stubborn"):
        program.event(kind="log", reference=reference, line="started")
    pid1 = Namespace(program).pid1

    os.killpg(os.getpgid(pid1), 0)  # it leads no group of its own: what follows reaches pid 1 alone
    os.kill(pid1, signal.SIGINT)
    program.event(kind="notice", text="stopping everything")
    assert program.phases("deaf")[-1] != "stopped", "one that comes twice kills"
    os.kill(pid1, signal.SIGINT)

    assert first.end(program) == 130
    assert program.phases("stubborn")[-1] == "failed"


def test_sigterm_at_once_after_the_start_is_obeyed(first: Project) -> None:
    with_sleeper(first)
    program = first.run()

    os.kill(Namespace(program).pid1, signal.SIGTERM)  # the supervisor below it has only been forked

    assert first.end(program) == 0


def test_signals_that_ask_for_nothing_end_nothing(first: Project) -> None:
    with_sleeper(first)
    program = first.run()
    program.event(reference="sleeper", phase="running")
    pid1 = Namespace(program).pid1

    for number in (
        signal.SIGUSR2,
        signal.SIGALRM,
        signal.SIGIO,
        signal.SIGWINCH,
        signal.SIGRTMAX,
        signal.SIGUSR1,
    ):
        os.kill(pid1, number)

    program.event(kind="notice", text="1 service runs")
    os.kill(pid1, signal.SIGTERM)
    assert first.end(program) == 0


def test_sighup_to_pid_1_reads_the_file_again(first: Project) -> None:
    with_sleeper(first)
    program = first.run("--no-watch")
    program.event(reference="sleeper", phase="running")
    with_sleeper(first, "  other: {name: Other, commands: {start: sleep 1000}}\n")

    os.kill(Namespace(program).pid1, signal.SIGHUP)

    program.event(kind="edit", text="added other (not started)")
    os.kill(Namespace(program).pid1, signal.SIGTERM)
    assert first.end(program) == 0


def test_killed_supervisor_is_started_again_and_goes_on(first: Project) -> None:
    with_sleeper(
        first, "tasks: {long: {name: L, triggeredBy: [postEnvironmentStart], command: sleep 4; exit 9}}\n"
    )
    program = first.run()
    program.event(reference="sleeper", phase="running")
    program.event(reference="long", phase="running")
    inside = Namespace(program)

    os.kill(inside.supervisor(), signal.SIGKILL)

    program.line("the supervisor is started again in 1 s, since signal 9 ended it; what it ran goes on")
    program.event(kind="notice", text="has left what ran: going on with it")
    program.event(reference="long", phase="failed", detail='step "long" exited 9')
    assert inside.zombies() == []
    os.kill(inside.pid1, signal.SIGTERM)
    assert first.end(program) == 0
    assert program.phases("sleeper").count("starting") == 1


def test_sigterm_while_there_is_no_supervisor_ends_what_it_left(first: Project) -> None:
    with_sleeper(first)
    program = first.run()
    program.event(reference="sleeper", phase="running")
    inside = Namespace(program)
    os.kill(inside.supervisor(), signal.SIGKILL)
    program.line("the supervisor is started again in 1 s")

    os.kill(inside.pid1, signal.SIGTERM)

    assert first.end(program) == 0
    assert program.phases("sleeper")[-2:] == ["stopping", "stopped"]


def test_what_others_started_inside_ends_too_after_it_was_asked_to(first: Project) -> None:
    with_sleeper(first)
    program = first.run()
    program.event(reference="sleeper", phase="running")
    inside = Namespace(program)
    ready, farewell = first.home / "ready", first.home / "farewell"
    trap = f"trap 'echo bye >{farewell}; exit' TERM; touch {ready}"
    polite = f"exec >/dev/null 2>&1; {trap}; while :; do sleep 0.05; done"
    inside.run("setsid", "--fork", "sh", "-c", polite)
    until(ready.exists, "the trap")

    os.kill(inside.pid1, signal.SIGTERM)

    assert first.end(program) == 0
    assert farewell.read_text() == "bye\n"


def test_exit_when_done_exits_with_its_status(first: Project) -> None:
    first.write("tasks: {bad: {name: B, triggeredBy: [postEnvironmentStart], command: exit 3}}\n")

    assert first.end(first.run("--exit-when-done")) == 1


def test_wrong_usage_is_not_tried_again(first: Project) -> None:
    program = first.run("--no-such-option")

    assert first.end(program) == 2
    assert "started again" not in program.err


def test_supervisor_that_detached_has_a_next_one_at_once(first: Project) -> None:
    with_sleeper(first)
    program = first.run()
    program.event(reference="sleeper", phase="running")
    first.within = ()

    shutdown = first.program("shutdown", "--detach")

    assert shutdown.wait() == 0, shutdown.err
    program.event(kind="notice", text="has left what ran: going on with it")
    os.kill(Namespace(program).pid1, signal.SIGTERM)
    assert first.end(program) == 0
    assert program.phases("sleeper").count("starting") == 1


def test_upgrade_below_pid_1_keeps_the_supervisor_and_what_it_runs(first: Project) -> None:
    with_sleeper(first)
    program = first.run()
    program.event(reference="sleeper", phase="running")
    inside = Namespace(program)
    supervisor = inside.supervisor()
    first.within = ()

    upgrade = first.program("upgrade")

    assert upgrade.wait() == 0, upgrade.err
    program.event(kind="notice", text="upgraded from")
    assert inside.supervisor() == supervisor
    os.kill(inside.pid1, signal.SIGTERM)
    assert first.end(program) == 0
    assert program.phases("sleeper").count("starting") == 1
    assert "started again" not in program.err


def test_machine_without_proc_is_told(first: Project) -> None:
    with_sleeper(first)
    first.within = (*first.within, "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")

    program = first.run()

    assert first.end(program) == 1
    assert "is /proc mounted? The supervisor needs it\n" in program.err
    assert "Traceback" not in program.err
