"""How a supervisor ends: everything is stopped in order, and nothing is left, whatever it does."""

import signal

import pytest

from supervisor.host.proc.signals import MEANINGS, Meaning
from tests.e2e.harness import Project, until


def test_ctrl_c_stops_executions_before_services_and_runs_the_stop_command(project: Project) -> None:
    project.write(
        "services:\n"
        "  db:\n"
        "    name: Database\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands:\n"
        "      start: 'until [ -e bye ]; do sleep 0.02; done; echo stopped by its command; rm bye'\n"
        "      stop: 'touch bye; while [ -e bye ]; do sleep 0.02; done'\n"
        "tasks:\n"
        "  long: {name: Long, command: exec sleep 1000, triggeredBy: [postEnvironmentStart]}\n"
    )
    program = project.run("--logs")
    program.event(reference="db", phase="running")
    program.event(reference="long", phase="running")

    assert project.stop(program) == 130
    ended = [(e["reference"], e["phase"]) for e in program.events if e.get("phase", "").startswith("stop")]
    assert ended == [("long", "stopped"), ("db", "stopping"), ("db", "stopped")]
    program_lines = [event["line"] for event in program.events if event["kind"] == "log"]
    assert program_lines == ["stopped by its command"]


def test_sigterm_drains_as_ctrl_c_does(project: Project) -> None:
    project.use("stop-command")
    program = project.run("--logs")
    program.event(kind="log", reference="polite", line="started")

    program.send(signal.SIGTERM)

    assert project.end(program) == 0, "it did what it was asked for"
    assert program.phases("polite")[-2:] == ["stopping", "stopped"], program.out
    lines = [event["line"] for event in program.events if event["kind"] == "log"]
    assert "goodbye" in lines
    assert "got SIGTERM" not in lines


def test_drain_stops_dependents_first_and_waits_for_them(project: Project) -> None:
    project.write(
        "services:\n"
        "  db:\n"
        "    name: Database\n"
        "    commands:\n"
        "      start: exec sleep 1000\n"
        "      stop: 'if [ -e lives ]; then touch too-early; fi'\n"
        "tasks:\n"
        "  app:\n"
        "    name: Needs its database to the last moment\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    dependsOn: [db]\n"
        "    command: 'trap \"sleep 0.5; rm lives; exit\" TERM; touch lives; while :; do sleep 0.05; done'\n"
    )
    program = project.run()
    until((project.folder / "lives").exists, "the task")

    program.send(signal.SIGTERM)

    assert project.end(program) == 0
    assert not (project.folder / "too-early").exists()
    ended = [
        (e["reference"], e["phase"]) for e in program.events if e.get("phase") in ("stopped", "stopping")
    ]
    assert ended.index(("app", "stopped")) < ended.index(("db", "stopping"))


def test_drain_has_one_deadline_for_all_that_is_deaf(project: Project) -> None:
    project.use("ignores-term")
    program = project.run("--logs", "--drain-grace", "1s")
    for reference in ("deaf", "stubborn"):
        program.event(kind="log", reference=reference, line="started")

    program.send(signal.SIGTERM)

    # The task uses up the whole second; the service, which is stopped after it, gets no 2 minutes of its own.
    program.event(kind="service", reference="deaf", phase="stopped")
    assert program.phases("stubborn")[-1] == "failed"
    assert project.end(program) == 0


def test_failing_stop_command_is_told_and_its_service_killed(project: Project) -> None:
    project.use("stop-command-fails")
    program = project.run("--logs")
    program.event(kind="log", reference="torn", line="started")

    assert project.stop(program) == 130
    failure = "stop command exited 3: no connection"
    assert program.event(reference="torn", phase="failed")["detail"] == failure
    assert program.event(kind="log", reference="torn", line=f"supervisor: {failure}")


def test_second_ctrl_c_kills_what_ignores_sigterm(project: Project) -> None:
    project.use("ignores-term")
    program = project.run("--logs")
    for reference in ("deaf", "stubborn"):
        program.event(kind="log", reference=reference, line="started")
    program.interrupt()
    program.event(kind="notice", text="stopping everything; Ctrl-C again kills")

    assert project.stop(program) == 130
    assert program.phases("stubborn")[-1] == "failed"
    assert program.phases("deaf")[-1] == "stopped"


def test_two_ctrl_c_at_once_leave_nothing_behind(project: Project) -> None:
    project.use("ignores-term")
    program = project.run("--logs")
    for reference in ("deaf", "stubborn"):
        program.event(kind="log", reference=reference, line="started")

    program.interrupt()
    program.send(signal.SIGTERM)

    assert project.end(program) == 130


def test_ctrl_c_before_there_is_an_event_loop_is_obeyed(project: Project) -> None:
    # The first commands are started without a loop. This one is quick enough, or it comes later and is an ordinary one.
    project.write(
        "tasks:\n"
        "  early:\n"
        "    name: Interrupts its supervisor\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: kill -INT $(head -1 ../s/supervisor/*/lock); exec sleep 1000\n"
    )

    assert project.end(project.run()) == 130


def test_what_forks_away_is_ended_too(project: Project) -> None:
    project.use("forks-away")
    program = project.run("--logs")
    program.event(kind="log", reference="both", line="started")
    program.event(reference="detach", phase="succeeded")
    program.event(reference="parent", phase="stopped")
    sleepers = {command for command in project.processes().values() if command.startswith("sleep")}
    assert sleepers >= {"sleep 1000", "sleep 1001"}
    assert "sleep 1002" not in sleepers, "it was ended with its parent"

    assert project.stop(program) == 130


def test_command_that_closes_its_output_runs_on(project: Project) -> None:
    project.use("closes-output")
    program = project.run("--logs")

    failed = program.event(reference="failing", phase="failed")
    assert failed["detail"] == 'step "failing" exited 3'
    assert program.phases("silent") == ["starting", "running"]
    assert project.stop(program) == 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_work_that_a_signal_cuts_off_is_not_taken_for_done(
    project: Project, number: signal.Signals, status: int
) -> None:
    project.write("tasks: {t: {name: T, triggeredBy: [postEnvironmentStart], command: exec sleep 1000}}\n")
    program = project.run("--exit-when-done")
    program.event(reference="t", phase="running")

    program.send(number)

    assert project.end(program) == status


def test_sigusr1_tells_what_runs_and_what_is_waited_for(project: Project) -> None:
    project.write(
        "services:\n"
        "  db: {name: D, triggeredBy: [postEnvironmentStart], commands: {start: exec sleep 1000, ready: exit 1}}\n"
        "  up: {name: U, triggeredBy: [postEnvironmentStart], commands: {start: exec sleep 1000}}\n"
        "  bad: {name: B, triggeredBy: [postEnvironmentStart], commands: {start: exit 1}}\n"
        "tasks: {t: {name: T, triggeredBy: [postEnvironmentStart], command: exec sleep 1000}}\n"
    )
    program = project.run()
    program.event(reference="bad", phase="failed")
    program.event(reference="up", phase="running")

    program.send(signal.SIGUSR1)

    said = program.event(kind="notice", text="1 service and 1 task run")["text"]
    assert "; waiting for service db to be ready" in said
    assert said.endswith("task t to end; failed: service bad")
    assert project.stop(program) == 130


def test_sigquit_writes_all_stacks_and_ends_nothing(project: Project) -> None:
    project.write("tasks: {t: {name: T, triggeredBy: [postEnvironmentStart], command: exec sleep 1000}}\n")
    program = project.run()
    program.event(reference="t", phase="running")

    program.send(signal.SIGQUIT)

    program.event(kind="notice", text=f"the stacks of all threads and tasks are in {project.state}/stacks")
    stacks = (project.state / "stacks").read_text()
    assert "most recent call first" in stacks
    assert "Engine.run" in stacks
    assert project.stop(program) == 130


def test_signals_that_ask_for_nothing_end_nothing(project: Project) -> None:
    project.write("tasks: {t: {name: T, triggeredBy: [postEnvironmentStart], command: exec sleep 1000}}\n")
    program = project.run()
    program.event(reference="t", phase="running")

    nothing = [number for number, meaning in MEANINGS.items() if meaning is Meaning.NOTHING]
    for number in nothing:
        program.process.send_signal(number)
    program.send(signal.SIGUSR1)

    program.event(kind="notice", text="1 task runs")
    assert project.stop(program) == 130
