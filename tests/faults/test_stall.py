"""A supervisor that stands still (SIGSTOP) while commands write fast: nothing waits for it, and no byte is lost."""

from __future__ import annotations

import hashlib
import signal
import sys
import time

import pytest

from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow]

WRITERS = 4
WRITER = """
import hashlib, os, sys, time
name, seconds = sys.argv[1], float(sys.argv[2])
digest, count, until = hashlib.sha256(), 0, time.monotonic() + seconds
while time.monotonic() < until:
    line = b"%s line %d %s\\n" % (name.encode(), count, b"x" * (count % 300))
    assert os.write(1, line) == len(line)
    digest.update(line)
    count += 1
    if count % 20 == 0:
        time.sleep(0.001)
with open("marks/" + name, "w") as file:
    file.write(digest.hexdigest())
sys.exit(count % 7 + 1)
"""


@pytest.mark.timeout(600)
def test_stopped_supervisor_costs_no_byte_and_no_status(scene: Scene, request: pytest.FixtureRequest) -> None:
    stall_s = float(request.config.getoption("--stall-seconds"))
    (scene.folder / "writer.py").write_text(WRITER)
    names = [f"w{number}" for number in range(WRITERS)]
    scene.project.write(
        "tasks:\n"
        + "".join(
            f"  {name}: {{name: x, triggeredBy: [postEnvironmentStart], "
            f"command: exec {sys.executable} -I writer.py {name} {stall_s * 0.8}}}\n"
            for name in names
        )
        + "services:\n  web: {name: x, triggeredBy: [postEnvironmentStart], commands: {start: sleep 1000}}\n"
    )
    # More than is written: what a limit takes away is no loss, and not what is asked here.
    scene.start("--log-limit", "100000")
    until(lambda: len(scene.client().status()["executions"]) and len(scene.machine()) == WRITERS + 1, "all")

    scene.supervisor.send(signal.SIGSTOP)
    began = time.monotonic()
    until(lambda: len(scene.marks()) == WRITERS, "the end of the writers, which wait for nobody")
    until(lambda: time.monotonic() - began > stall_s, "the end of the stall")
    scene.supervisor.send(signal.SIGCONT)

    client = scene.client()
    until(lambda: not client.status()["executions"], "the ends of the tasks, learnt afterwards")
    references = {id_: reference for reference, id_ in scene.tasks().items()}
    for execution in client.pages("ListTaskExecutions", "taskExecutions"):
        name = references[execution["metadata"]["taskId"]]
        with client.log(f"executions/{execution['id']}", follow=False) as pieces:
            log = b"".join(pieces)
        assert hashlib.sha256(log).hexdigest() == scene.marks()[name][0], f"{name}: {len(log)} bytes"
        count = log.count(b"\n")
        assert client.execution(execution["id"])["reason"] == f'step "{name}" exited {count % 7 + 1}'
    assert scene.phases() == {"web": "running"}
    scene.in_agreement()
    scene.end()
