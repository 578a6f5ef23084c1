"""Completion of references from a running supervisor."""

from __future__ import annotations

from tests.cli.running import Running


def test_references_are_completed_from_the_supervisor(running: Running) -> None:
    running.json("service", "list")  # it serves: the status is answered before

    assert _completed(running, "service", "start", "w") == ["web"]
    assert _completed(running, "task", "stop", "") == ["build", "long", "seven"]
    assert _completed(running, "logs", "o") == ["once"]
    terminal = running.out("terminal", "new", "--detach", "/bin/sh").strip()
    assert _completed(running, "terminal", "attach", terminal[:3]) == [terminal]
    running.out("terminal", "close", terminal)
    running.out("exec", "--id", "build-17", "true")
    assert _completed(running, "exec", "--id", "bu") == ["build-17"]
    running.project.stop(running.program)
    assert _completed(running, "logs", "o") == []
    assert _completed(running, "exec", "--id", "bu") == []


def _completed(running: Running, *words: str) -> list[str]:
    program = running.project.program(
        _SUPERVISOR_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(("supervisor", *words)),
        COMP_CWORD=str(len(words)),
    )
    program.wait()
    assert program.err == ""
    return sorted(word.removeprefix("plain,") for word in program.out.split())
