"""`supervisor run --trigger prebuild`: prebuild items, then beforeSnapshot, then an exit status."""

from tests.e2e.harness import Project


def test_prebuild_runs_its_items_then_those_before_the_snapshot(project: Project) -> None:
    project.use("prebuild")

    program = project.run("--trigger", "prebuild")

    assert project.end(program) == 0, "optional fails, and nothing requires it"
    assert program.phases("compile") == ["running", "succeeded"]
    assert program.phases("optional") == ["running", "failed"]
    ended = [event["reference"] for event in program.events if event.get("phase") == "succeeded"]
    assert ended == ["compile", "clean"]
    assert (project.folder / ".scratch/cleaned").read_text() == "compiled\n"
    assert not (project.folder / ".scratch/must-not-exist").exists()
    # The service never exits by itself: it is waited for until it runs, and stopped at the end.
    assert program.phases("cache") == ["starting", "running", "stopping", "stopped"]


def test_prebuild_fails_when_a_required_task_does(project: Project) -> None:
    project.use("prebuild-fails")

    program = project.run("--trigger", "prebuild")

    assert project.end(program) == 1
    assert program.phases("required") == ["running", "failed"]
    assert (project.folder / ".scratch/cleaned").exists()


def test_prebuild_fails_when_a_required_task_before_the_snapshot_does(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  clean: {name: C, command: exit 1, prebuildRequiresSuccess: true, triggeredBy: [beforeSnapshot]}\n"
    )

    assert project.end(project.run("--trigger", "prebuild")) == 1


def test_ctrl_c_ends_a_prebuild_without_a_snapshot(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  long: {name: Long, command: exec sleep 1000, triggeredBy: [prebuild]}\n"
        "  clean: {name: Clean, command: touch cleaned, triggeredBy: [beforeSnapshot]}\n"
    )
    program = project.run("--trigger", "prebuild")
    program.event(reference="long", phase="running")

    assert project.stop(program) == 130
    assert program.phases("long") == ["running", "stopped"]
    assert not (project.folder / "cleaned").exists()
