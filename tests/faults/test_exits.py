"""How commands end, told as it was: every exit code, every signal, of tasks and of services, through the API."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from supervisor.model.exit import signal_name
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CODES = range(256)
HARMLESS = {
    *(signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH),  # ignored unless handled: signal(7)
    *(signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),  # these stop
    *(32, 33),  # the C library's own: its posix_spawn(3) has them ignored in what it starts
}
DEADLY = [number for number in range(1, signal.SIGRTMAX + 1) if number not in HARMLESS]


def tasks(commands: dict[str, str]) -> str:
    return "tasks:\n" + "".join(
        f"  {name}: {{name: x, triggeredBy: [postEnvironmentStart], command: '{command}'}}\n"
        for name, command in commands.items()
    )


def services(commands: dict[str, str]) -> str:
    return "services:\n" + "".join(
        f"  {name}: {{name: x, triggeredBy: [postEnvironmentStart], commands: {{start: '{command}'}}}}\n"
        for name, command in commands.items()
    )


def executions(scene: Scene) -> dict[str, tuple[int | None, str]]:
    """`{task's reference: (exit status, reason)}` of the last execution, once it is over."""
    references = {id_: reference for reference, id_ in scene.tasks().items()}
    client = scene.client()
    told = {}
    for execution in client.pages("ListTaskExecutions", "taskExecutions"):
        ended = client.execution(execution["id"])
        told[references[execution["metadata"]["taskId"]]] = ended["exitStatus"], ended["reason"]
    return told


def ended_services(scene: Scene) -> dict[str, tuple[str, str]]:
    """`{reference: (phase, first line of the failure)}`."""
    return {
        reference: (
            service["status"]["phase"].removeprefix("SERVICE_PHASE_"),
            service["status"].get("failureMessage", "").partition("\n")[0],
        )
        for reference, service in scene.services().items()
    }


def test_every_exit_code_of_a_task_is_told(scene: Scene) -> None:
    scene.project.write(tasks({f"c{code}": f"exit {code}" for code in CODES}))
    scene.start()

    until(lambda: not scene.client().status()["executions"], "the end of all tasks")

    assert executions(scene) == {
        f"c{code}": (code, f'step "c{code}" exited {code}' if code else "") for code in CODES
    }
    scene.end()


def test_every_exit_code_of_a_service_is_told(scene: Scene) -> None:
    scene.project.write(services({f"c{code}": f"exit {code}" for code in CODES}))
    scene.start()

    until(lambda: set(scene.client().status()["services"]) <= {"failed", "stopped"}, "the end of all")

    assert ended_services(scene) == {
        f"c{code}": ("FAILED", f"exited {code}") if code else ("STOPPED", "") for code in CODES
    }
    scene.end()


@pytest.mark.parametrize("died", [False, True], ids=["supervisor lives", "supervisor is away"])
def test_every_signal_that_ends_a_command_is_told(scene: Scene, died: bool) -> None:
    sleep = "ulimit -c 0; echo $$ >marks/{}; exec sleep 1000"
    scene.project.write(
        services({f"s{number}": sleep.format(f"s{number}") for number in DEADLY})
        + tasks({f"t{number}": sleep.format(f"t{number}") for number in DEADLY})
    )
    scene.start()
    count = 2 * len(DEADLY)
    until(lambda: len(sleepers(scene)) == count, "all commands")
    if died:
        scene.kill()

    for name, pid in sleepers(scene).items():
        os.kill(pid, int(name[1:]))
    until(lambda: not sleepers(scene), "the end of all commands")

    if died:
        scene.start()
    until(lambda: set(scene.client().status()["services"]) == {"failed"}, "the end of all services")
    until(lambda: not scene.client().status()["executions"], "the end of all tasks")
    assert ended_services(scene) == {
        f"s{number}": ("FAILED", f"was killed by {signal_name(number)}") for number in DEADLY
    }
    assert executions(scene) == {
        f"t{number}": (128 + number, f'step "t{number}" was killed by {signal_name(number)}')
        for number in DEADLY
    }
    scene.end()


def sleepers(scene: Scene) -> dict[str, int]:
    """`{reference: pid}` of the commands that have come to their sleep."""
    pids = {name: int(lines[0]) for name, lines in scene.marks().items() if lines}
    return {name: pid for name, pid in pids.items() if command(pid) == "sleep 1000"}


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""
