"""Much at once: a thousand services, racing supervisors, and a hammer of requests with random gaps."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from supervisor.model.errors import SupervisorError
from tests.e2e.harness import ENTRY
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

THOUSAND = 1000
RACERS = 6


def services(count: int, command: str, trigger: str) -> str:
    return "services:\n" + "".join(
        f"  s{number}: {{name: x, triggeredBy: [{trigger}], commands: {{start: '{command}'}}}}\n"
        for number in range(count)
    )


def test_thousand_services_start_and_stop_at_once(scene: Scene) -> None:
    scene.project.write(services(THOUSAND, "exec sleep 1000", "postEnvironmentStart"))

    scene.start()

    until(lambda: scene.client().status()["services"] == {"running": THOUSAND}, "all services")
    assert len(scene.machine()) == THOUSAND
    assert scene.disagreements() == []
    client = scene.client()
    for service in scene.services().values():
        client.call("StopService", id=service["id"])
    until(lambda: scene.client().status()["services"] == {"stopped": THOUSAND}, "the end of all services")
    assert scene.machine() == {}
    assert scene.client().control("trigger", name="postEnvironmentStart")["services"].__len__() == THOUSAND
    until(lambda: scene.client().status()["services"] == {"running": THOUSAND}, "all services again")
    scene.in_agreement()
    scene.end()


def test_of_racing_supervisors_one_wins_and_the_others_say_so(scene: Scene) -> None:
    scene.project.write(
        services(5, "echo $SUPERVISOR_RUN_ID >>marks/all; exec sleep 1000", "postEnvironmentStart")
    )
    argv = [sys.executable, "-I", *map(str, ENTRY), "run", "--listen", "none"]

    racers = [
        subprocess.Popen(
            argv,
            cwd=scene.folder,
            env=scene.project.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(RACERS)
    ]
    try:
        until(lambda: sum(racer.poll() is not None for racer in racers) == RACERS - 1, "one winner")
        (winner,) = (racer for racer in racers if racer.poll() is None)
        for loser in racers:
            if loser is not winner:
                _, errors = loser.communicate(timeout=60)
                assert loser.returncode == 4
                assert b"another supervisor" in errors
                assert errors.count(b"\n") == 1, errors
        until(lambda: len(scene.marks().get("all", [])) == 5, "the services of the winner")
        scene.in_agreement()
        assert len(scene.shims()) == 1, "the shims that the losers had started early are gone"
        winner.send_signal(signal.SIGINT)
        _, errors = winner.communicate(timeout=60)
        assert (winner.returncode, errors) == (130, b"")
        assert until(lambda: scene.project.left() == [], "the end of all")
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


def test_hammered_services_come_to_what_was_asked_last(scene: Scene, dice: random.Random) -> None:
    names = [f"s{number}" for number in range(8)]
    scene.project.write(
        "services:\n"
        + "".join(
            f"  {name}:\n    name: x\n    commands: {{start: '{MARKED.format(name)}'}}\n" for name in names
        )
    )
    scene.start()
    ids = {reference: service["id"] for reference, service in scene.services().items()}
    wanted: dict[str, str] = {}
    errors: list[BaseException] = []

    def hammer(name: str, seed: int) -> None:
        """One client a service: what it was answered last is what must be."""
        draw, client = random.Random(seed), scene.client()
        try:
            for _ in range(25):
                method = draw.choice(["StartService", "StopService", "ListServices"])
                client.call(method, **({} if method == "ListServices" else {"id": ids[name]}))
                if method != "ListServices":
                    wanted[name] = "running" if method == "StartService" else "stopped"
                time.sleep(draw.choice([0, 0, 0.001, 0.01, 0.05]))
        except (SupervisorError, OSError) as error:
            errors.append(error)

    threads = [threading.Thread(target=hammer, args=(name, dice.random())) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert errors == []
    assert not any(thread.is_alive() for thread in threads), "a client waits for ever"
    until(lambda: scene.phases().items() >= wanted.items(), "what was asked last")
    scene.in_agreement()
    scene.end()


MARKED = "echo $SUPERVISOR_RUN_ID >>marks/{}; exec sleep 1000"


def test_services_that_are_killed_as_soon_as_they_start_are_told(scene: Scene) -> None:
    """The kill comes from beside, as fast as the process can be found, and by the command itself."""
    scene.project.write(
        services(50, "kill -9 $$", "postEnvironmentStart")
        + "".join(f"  k{number}: {{name: x, commands: {{start: exec sleep 1000}}}}\n" for number in range(50))
    )
    scene.start()
    until(lambda: scene.client().status()["services"].get("failed") == 50, "the end of those")

    client = scene.client()
    listed = scene.services()
    for number in range(50):
        client.call("StartService", id=listed[f"k{number}"]["id"])
        client.call("DeleteService", id=listed[f"k{number}"]["id"], force=True)

    until(lambda: len(scene.phases()) == 50, "the deletion of the others")
    assert set(scene.phases().values()) == {"failed"}
    assert {service["status"]["failureMessage"] for service in scene.services().values()} == {
        "was killed by SIGKILL"
    }
    scene.in_agreement()
    scene.end()


def test_grandchild_that_holds_the_log_holds_up_nothing(scene: Scene) -> None:
    """It has a session of its own, ignores SIGTERM, and writes into the log that it inherited."""
    scene.project.write(
        "services:\n  web:\n    name: x\n    commands:\n      start: |\n"
        "        setsid bash -c 'trap \"\" TERM; echo $$ >marks/pid; while :; do echo more; sleep 0.01; done' &\n"
        "        until [ -s marks/pid ]; do sleep 0.01; done; echo $$ >marks/main; exec sleep 1000\n"
        "tasks:\n  build: {name: x, command: 'setsid sleep 1000 & exit 0'}\n"
    )
    scene.start()
    client = scene.client()
    execution = client.call("StartTask", id=scene.tasks()["build"])["taskExecution"]["id"]
    until(lambda: client.execution(execution)["phase"] == "succeeded", "the task, whatever it left behind")

    service = scene.services()["web"]["id"]
    client.call("StartService", id=service)
    until(lambda: (scene.marks_folder / "main").exists(), "the grandchild")
    client.call("DeleteService", id=service, force=True)

    until(lambda: scene.phases() == {}, "the end of the service with all that it started")
    grandchild = (scene.marks_folder / "pid").read_text().strip()
    assert f"{grandchild} " not in " ".join(scene.project.left())
    scene.end()
