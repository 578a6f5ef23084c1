"""`events` of a running supervisor."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.running import Running
from tests.e2e.harness import Program, until


@pytest.mark.parametrize("format_", ["text", "json"])
def test_events_are_printed_as_they_happen(running: Running, format_: str) -> None:
    events = _watching(running, "--format", format_)
    running.cli("task", "start", "build", "--wait")

    if format_ == "json":
        events.line('"resourceType": "RESOURCE_TYPE_TASK_EXECUTION"', 2)
        assert json.loads(events.out.splitlines()[0])["operation"] == "RESOURCE_OPERATION_CREATE"
    else:
        events.line(r"^\d\d:\d\d:\d\d execution build \S+ succeeded$")
        assert " created" in events.out.splitlines()[0]
    events.interrupt()
    assert (events.wait(), events.err) == (130, "")


def test_recent_events_are_those_that_have_happened(running: Running) -> None:
    running.cli("task", "start", "build", "--wait")

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d run build live -> ended \(exited 0\)\n"
        r"\d\d:\d\d:\d\d execution build running -> succeeded\n",
        running.out("events", "--recent", "2"),
    )
    told = [
        json.loads(line) for line in running.out("events", "--recent", "500", "--format", "json").splitlines()
    ]
    assert [each["after"] for each in told if each["kind"] == "execution"][-1] == "succeeded"
    assert running.cli("events", "--recent", "0").process.returncode == 2


def test_events_end_with_the_supervisor(running: Running) -> None:
    events = _watching(running)
    running.project.stop(running.program)

    assert events.wait() == 1
    assert events.err in ("supervisor: the supervisor stops\n", "supervisor: the supervisor went away\n")


def _watching(running: Running, *arguments: str) -> Program:
    """The subcommand `events`, once it sees what happens."""
    before = running.watchers()
    events = running.project.program("events", *arguments)
    until(lambda: running.watchers() > before, "the watch")
    return events
