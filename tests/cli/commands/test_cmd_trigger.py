"""`trigger` and `resumed` at a running supervisor."""

from __future__ import annotations

from tests.cli.running import Running


def test_trigger_prints_what_it_started(running: Running) -> None:
    kind, reference, id_ = running.out("trigger", "postMachineStart").split()

    assert (kind, reference) == ("task", "build")
    assert running.out("logs", id_, "-f") == "one\ntwo\nthree\n"
    nothing = running.cli("trigger", "prebuild")
    assert (nothing.process.returncode, nothing.out) == (0, "")
    assert running.cli("trigger", "manual").process.returncode == 2


def test_resumed_is_told_once(running: Running) -> None:
    assert running.out("resumed") == "fired postEnvironmentStart\n"
    again = running.cli("resumed")
    assert (again.process.returncode, again.out) == (0, "")
    assert again.err == "nothing fired: this resume is known already\n"
