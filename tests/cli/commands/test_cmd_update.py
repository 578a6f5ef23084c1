"""`update` at a running supervisor."""

from __future__ import annotations

import subprocess

from tests.cli.running import FILE, Running


def test_update_carries_out_a_file_and_says_what_changed(running: Running) -> None:
    other = running.project.home / "other.yaml"
    other.write_text(FILE.replace("tasks:", "  new: {name: New, commands: {start: x}}\ntasks:"))

    assert running.out("update", str(other), "--dry-run") == "would be added: new\n"
    assert running.out("update", str(other)) == "added: new\n"
    assert running.out("update") == "removed: new\n"  # what the workspace's file says
    assert running.out("update") == "nothing has changed\n"
    assert running.json("update", "--dry-run")["changes"]["unchanged"] == [
        "web",
        "once",
        "build",
        "seven",
        "long",
    ]


def test_update_with_a_bad_file_prints_its_problems(running: Running) -> None:
    bad = running.project.home / "bad.yaml"
    bad.write_text("tasks:\n  a: {name: A, comand: x}\n")

    program = running.cli("update", str(bad))

    assert program.process.returncode == 1
    assert f'{bad}:2:16: tasks.a.comand: unknown field "comand"; did you mean "command"?' in program.err
    assert "nothing changes" in program.err
    bad.write_bytes(b"\xff")
    assert "UTF-8" in running.cli("update", str(bad)).err
    missing = running.cli("update", "missing.yaml")
    assert "missing.yaml: cannot read the file: no such file or directory" in missing.err


def piped(running: Running, text: str, *arguments: str) -> str:
    """What `update -` prints."""
    done = subprocess.run(
        [*running.program.process.args[:3], "update", "-", *arguments],  # type: ignore[index]
        cwd=running.project.folder,
        env=running.project.env,
        input=text,
        capture_output=True,
        timeout=20,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_update_adds_what_standard_input_has_beside_the_file(running: Running) -> None:
    one, two = (
        f"tasks: {{{name}: {{name: New, command: x, triggeredBy: [manual]}}}}" for name in ("one", "two")
    )

    assert piped(running, one, "--dry-run") == "would be added: one\n"
    assert piped(running, one) == "added: one\n"
    running.edit(FILE.replace("echo two", "echo other"))
    assert running.program.event(kind="edit")["removed"] == []
    assert running.out("update") == "nothing has changed\n"
    assert piped(running, two, "--replace", "--dry-run") == "would be added: two\nwould be removed: one\n"
    assert piped(running, two, "--replace") == "added: two\nremoved: one\n"
    assert piped(running, "{}") == "nothing has changed\n"
    assert running.cli("update", "--replace").process.returncode == 2
    names = {row["task"]["metadata"]["reference"] for row in running.json("task", "list")}
    assert names == {"build", "seven", "long", "two"}
