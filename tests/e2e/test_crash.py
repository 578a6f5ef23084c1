"""A supervisor that is killed: its commands live on, and the next one goes on with them."""

import signal

from tests.e2e.harness import Project, until

FILE = """\
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands: {start: echo started >>web; exec sleep 1000}
tasks:
  long:
    name: Long
    triggeredBy: [postEnvironmentStart]
    command: |
      echo started >>long
      until [ -e go ]; do sleep 0.02; done
      exit 7
  meanwhile:
    name: Ends while there is no supervisor
    triggeredBy: [postEnvironmentStart]
    command: |
      echo started >>meanwhile
      until [ -e die ]; do sleep 0.02; done
      touch dead
      exit 9
"""


def test_killed_supervisor_is_succeeded_without_anything_starting_again(project: Project) -> None:
    project.write(FILE)
    first = project.run()
    for reference in ("web", "long", "meanwhile"):
        first.event(reference=reference, phase="running")
        until(lambda name=reference: (project.folder / name).exists(), reference)  # type: ignore[misc]
    sleeper = next(pid for pid, command in project.processes().items() if command == "sleep 1000")

    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL, "and nothing that lives on holds its outputs"
    (project.folder / "die").touch()
    until(lambda: (project.folder / "dead").exists(), "the end of meanwhile")

    second = project.run()
    second.event(kind="notice", text="the supervisor before this one was cut off: going on with what it left")
    assert second.event(kind="task", reference="meanwhile", phase="failed")["detail"] == (
        'step "meanwhile" exited 9'
    )
    (project.folder / "go").touch()
    assert second.event(kind="task", reference="long", phase="failed")["detail"] == 'step "long" exited 7'
    assert project.processes()[sleeper] == "sleep 1000"
    assert project.stop(second) == 130
    assert second.phases("web") == ["stopping", "stopped"]
    for name in ("web", "long", "meanwhile"):
        assert (project.folder / name).read_text() == "started\n"


def test_output_and_failure_of_what_was_taken_over_are_reported(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  a:\n"
        "    name: A\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: 'echo old; touch here; until [ -e go ]; do sleep 0.02; done; echo new; exit 7'\n"
    )
    first = project.run()
    until(lambda: (project.folder / "here").exists(), "the command")
    first.send(signal.SIGKILL)
    first.wait()

    second = project.run("--logs", "--exit-when-done")
    second.event(kind="notice", text="cut off")
    (project.folder / "go").touch()

    assert project.end(second) == 1
    assert [event["line"] for event in second.events if event["kind"] == "log"] == ["new"]


def test_edit_between_two_supervisors_is_carried_out_by_the_second(project: Project) -> None:
    project.write(FILE)
    first = project.run()
    first.event(reference="web", phase="running")
    until(lambda: (project.folder / "web").exists(), "web")
    first.send(signal.SIGKILL)
    first.wait()

    project.write(FILE.replace("echo started >>web", "echo edited >>web"))
    second = project.run()

    second.event(kind="edit", text="restarted web")
    second.event(reference="web", phase="running")
    until(lambda: (project.folder / "web").read_text() == "started\nedited\n", "the new command")
    assert project.stop(second) == 130


def test_shim_that_is_killed_costs_only_the_exit_status(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  a:\n"
        "    name: A\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: 'touch here; until [ -e go ]; do sleep 0.02; done; exit 7'\n"
    )
    program = project.run("--exit-when-done")
    until((project.folder / "here").exists, "the command")
    (shim,) = (pid for pid, command in project.processes().items() if "shim.py" in command)

    project.kill(shim)
    (project.folder / "go").touch()

    assert project.end(program) == 1
    assert program.event(reference="a", phase="failed")["detail"] == 'step "a" ended, exit status unknown'
