"""`supervisor task` and `supervisor logs`: tasks of a running supervisor."""

from __future__ import annotations

from tests.cli.running import Running


def test_task_is_started_and_its_execution_known_by_its_id(running: Running) -> None:
    id_ = running.out("task", "start", "build").strip()

    assert running.out("logs", id_, "-f") == "one\ntwo\nthree\n"
    assert running.out("logs", "build", "--tail", "2") == "two\nthree\n"
    assert running.out("task", "logs", id_, "--tail", "1") == "three\n"
    assert running.executions("build") == "succeeded"


def test_task_that_is_waited_for_gives_its_exit_code(running: Running) -> None:
    program = running.cli("task", "start", "seven", "--wait")

    assert program.process.returncode == 7
    assert program.err == 'supervisor: task "seven" has failed: step "seven" exited 7\n'
    assert [line.split()[:2] for line in running.out("task", "list").splitlines()[1:]] == [
        ["build", "succeeded"],
        ["seven", "failed"],
        ["long", "never"],
    ]


def test_task_that_ran_for_another_is_shown_with_that_run_and_its_log(running: Running) -> None:
    running.cli("task", "start", "seven", "--wait")

    build = running.out("task", "list").splitlines()[1].split()
    assert (build[0], build[1], build[3:5]) == ("build", "succeeded", ["task", "seven"])
    row = running.json("task", "list")[0]
    assert (row["lastExecution"], row["lastStep"]["phase"]) == (None, "succeeded")
    assert running.out("logs", "build") == "one\ntwo\nthree\n"
    assert running.out("task", "logs", "build") == "one\ntwo\nthree\n"
    running.out("task", "start", "build", "--wait")
    assert running.json("task", "list")[0]["lastStep"] is None


def test_last_of_a_tasks_own_executions_and_of_its_runs_for_others_is_shown(running: Running) -> None:
    running.edit("""
tasks:
  first: {name: First, command: '[ -e go ]'}
  middle: {name: Middle, dependsOn: [first], command: 'exit 7'}
  last: {name: Last, dependsOn: [middle], command: 'true'}
""")

    def middle() -> list[str]:
        return running.out("task", "list").splitlines()[2].split()

    (running.project.folder / "go").touch()
    assert running.cli("task", "start", "last", "--wait").process.returncode == 7
    shown = middle()
    assert (shown[:2], shown[3:]) == (["middle", "failed"], ["task", "last", "exited", "7"])

    # It does not come to a run of its own, and its execution is newer all the same.
    (running.project.folder / "go").unlink()
    assert running.cli("task", "start", "middle", "--wait").process.returncode == 1
    assert " ".join(middle()[3:]) == 'manual step "first" exited 1'


def test_service_in_the_place_of_a_task_is_named_and_what_to_use(running: Running) -> None:
    for command in (["run-task"], ["task", "start"], ["task", "stop"], ["task", "logs"], ["task", "delete"]):
        program = running.cli(*command, "web")
        assert program.process.returncode == 1
        assert '"web" is a service, not a task; "supervisor service"' in program.err
    for command in (["service", "start"], ["service", "stop"], ["service", "logs"], ["service", "delete"]):
        program = running.cli(*command, "build")
        assert program.process.returncode == 1
        assert '"build" is a task, not a service; "supervisor run-task build"' in program.err


def test_stop_ends_all_executions_of_a_task(running: Running) -> None:
    running.out("task", "start", "long")
    second = running.out("task", "start", "long").strip()

    running.out("task", "stop", second, "--wait")
    assert running.json("status")["executions"] == {"running": 1}
    running.out("task", "stop", "long", "--wait")

    assert running.json("status")["executions"] == {}
    assert running.executions("long") == "stopped"
    running.out("task", "stop", "long")  # none left: no error


def test_log_of_a_task_that_never_ran_says_so(running: Running) -> None:
    program = running.cli("logs", "build")

    assert program.process.returncode == 1
    assert program.err == (
        'supervisor: task "build" has no log: it never ran; "supervisor task start build" starts it\n'
    )
    unknown = running.cli("logs", "nothing")
    assert 'there is no service, task or execution "nothing"; there are build, long' in unknown.err


def test_task_that_another_depends_on_is_not_deleted(running: Running) -> None:
    program = running.cli("task", "delete", "build")

    assert program.process.returncode == 1
    assert '"seven"' in program.err
    running.out("task", "delete", "seven", "build")
    assert [row["task"]["metadata"]["reference"] for row in running.json("task", "list")] == ["long"]
