"""Commands that do strange things with their output: each byte of theirs is in the log, and they harm nobody else."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

REOPENED = """
for w in 1 2 3 4 5 6 7 8; do
    (for i in $(seq 1000); do echo "$w $i a" > /dev/stderr; echo "$w $i b" | tee /dev/stderr >/dev/null; done) &
done
for i in $(seq 3000); do echo "0 $i"; done
wait
"""
READS_ITS_OUTPUT = """
set +e
read -t 0.3 line < /dev/stdout
timeout 0.3 cat < /dev/stdout
timeout 0.3 dd if=/dev/stdout iflag=nonblock bs=1 count=1 2>/dev/null
cat <&1
head -c 1 /proc/self/fd/1 &
sleep 0.1
exec 3<>/dev/stdout
for i in $(seq 100); do echo eaten; done
timeout 0.3 cat <&3 >/dev/null
exec 3>&-
kill %1 2>/dev/null
echo last
"""
CLOSES = """
echo before
(sleep 0.3; echo from the child; echo and this >&2) &
exec >&- 2>&-
sleep 1
"""
NON_BLOCKING = """
import os, select, subprocess, sys
os.set_blocking(1, False)
child = subprocess.Popen(["sh", "-c", "seq -f 'child %.0f' 200000 >&2; exit $?"])
data = b"".join(b"parent %d\\n" % number for number in range(1, 200001))
while data:
    select.select([], [1], [])
    try:
        data = data[os.write(1, data[:100_000]):]
    except BlockingIOError:
        pass
sys.exit(child.wait())
"""


def task(scene: Scene, script: str, *arguments: str) -> tuple[int, bytes, float]:
    """`(exit status, log, seconds)` of a task."""
    indented = script.replace("\n", "\n      ")
    scene.project.write(f"tasks:\n  t:\n    name: x\n    command: |\n      {indented}\n")
    scene.start(*arguments)
    client = scene.client()
    began = time.monotonic()
    id_ = client.call("StartTask", id=scene.tasks()["t"])["taskExecution"]["id"]
    until(lambda: not client.status()["executions"], "the end of the task")
    lasted_s = time.monotonic() - began
    with client.log(f"executions/{id_}", follow=False) as pieces:
        log = b"".join(pieces)
    return client.execution(id_)["exitStatus"], log, lasted_s


def test_streams_opened_anew_by_several_writers_truncate_nothing(scene: Scene) -> None:
    status, log, _ = task(scene, REOPENED)

    lines = log.decode().splitlines()
    expected = [f"0 {i}" for i in range(1, 3001)]
    expected += [f"{w} {i} {which}" for w in range(1, 9) for i in range(1, 1001) for which in "ab"]
    assert status == 0
    assert sorted(lines) == sorted(expected)
    for writer in "12345678":
        of_one = [line for line in lines if line.startswith(f"{writer} ")]
        assert of_one == [f"{writer} {i} {which}" for i in range(1, 1001) for which in "ab"]
    scene.end()


def test_command_that_reads_its_own_output_ends_as_others_do(scene: Scene) -> None:
    status, log, lasted_s = task(scene, READS_ITS_OUTPUT)

    assert status == 0
    assert log.endswith(b"last\n")
    assert lasted_s < 6
    scene.end()


def test_command_that_closes_its_output_ends_as_others_do(scene: Scene) -> None:
    status, log, lasted_s = task(scene, CLOSES)

    assert (status, log) == (0, b"before\nfrom the child\nand this\n")
    assert lasted_s < 4
    assert not [*scene.state.glob("runs/*/fifo")]
    scene.end()


def test_non_blocking_output_of_a_parent_costs_its_child_nothing(scene: Scene) -> None:
    (scene.folder / "parent.py").write_text(NON_BLOCKING)
    status, log, _ = task(scene, f"exec {sys.executable} -I -S parent.py")

    assert status == 0
    for name in (b"parent", b"child"):
        # Pieces of the parent's may end anywhere, and lines of its child's come in between.
        numbers = [
            line.rpartition(name)[2] for line in log.split(b"\n") if line.rpartition(b" ")[0].endswith(name)
        ]
        assert len(numbers) > 190_000
    assert len(log) == sum(
        len(f"{name} {number}\n") for name in ("parent", "child") for number in range(1, 200_001)
    )
    scene.end()


@pytest.mark.parametrize("transport", ["pipe", "file"])
def test_line_without_an_end_costs_no_memory(scene: Scene, transport: str) -> None:
    """100 MB, which a client follows; the supervisor prints it, too."""
    size = 100_000_000
    scene.project.write(
        "services:\n  s:\n    name: x\n    commands:\n"
        f"      start: until [ -e go ]; do sleep 0.02; done; head -c {size} /dev/zero | tr '\\0' x; exec sleep 1000\n"
    )
    scene.start("--logs", "--log-limit", "1000", SUPERVISOR_LOG_TRANSPORT=transport)
    service = scene.services()["s"]["id"]
    scene.client().call("StartService", id=service)
    until(lambda: scene.phases() == {"s": "running"}, "the service")
    before = peak_mb(scene.supervisor.pid)
    count = 0
    with scene.client().log(f"services/{service}", follow=True) as pieces:
        (scene.folder / "go").touch()
        for piece in pieces:
            assert set(piece) == set(b"x")
            count += len(piece)
            if count >= size:
                break
    assert count == size
    assert peak_mb(scene.supervisor.pid) - before < 40
    for shim in scene.shims():
        assert peak_mb(shim) < 40
    scene.end()


def peak_mb(pid: int) -> float:
    """The most memory that a process has had."""
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


MIB = 1 << 20
ONE = 1 << 30
FAST, EACH = 100, 40_000


def test_limit_holds_for_a_gibibyte_of_one_and_short_lines_of_a_hundred(scene: Scene) -> None:
    """The allocated blocks of each log, looked at all the time, and offsets that stay true."""
    loop = f"i=0; while [ $i -lt {EACH} ]; do echo a short line of s$1, number $i; i=$((i+1)); done"
    scene.project.write(
        "services:\n"
        "  large:\n    name: x\n    triggeredBy: [postEnvironmentStart]\n    commands:\n"
        f"      start: |\n        head -c {ONE} /dev/zero | tr '\\0' '\\n'\n"
        "        echo last of large; echo $SUPERVISOR_RUN_ID >marks/large; exec sleep 1000\n"
        + "".join(
            f"  s{number}:\n    name: x\n    triggeredBy: [postEnvironmentStart]\n    commands:\n"
            f"      start: |\n        set {number}; {loop}\n"
            f"        echo last of s{number}; echo $SUPERVISOR_RUN_ID >marks/s{number}; exec sleep 1000\n"
            for number in range(FAST)
        )
    )
    scene.start("--log-limit", "1")
    most: dict[Path, int] = {}

    def look() -> bool:
        for log in scene.state.glob("runs/*/log"):
            most[log] = max(most.get(log, 0), log.stat().st_blocks * 512)
        return len(scene.marks()) == FAST + 1 and all(
            log.stat().st_size == sizes[name] for name, log in logs(scene).items()
        )

    sizes = {"large": ONE + len("last of large\n")}
    for number in range(FAST):
        fixed = len(f"a short line of s{number}, number \n") * EACH
        sizes[f"s{number}"] = fixed + DIGITS + len(f"last of s{number}\n")
    until(look, "all output", every_s=0.01)

    assert len(most) == FAST + 1
    assert max(most.values()) <= MIB * 5 // 4
    for name, log in logs(scene).items():
        data = log.read_bytes()[-MIB // 2 :]
        assert data.endswith(f"\nlast of {name}\n".encode())
        lines = data.splitlines()[1:-1]
        first = EACH - len(lines)
        assert name == "large" or lines == [
            f"a short line of {name}, number {number}".encode() for number in range(first, EACH)
        ]
    scene.end()


DIGITS = sum(len(str(number)) for number in range(EACH))


def logs(scene: Scene) -> dict[str, Path]:
    """`{name: log}` of those that have said that they have written all."""
    return {name: scene.state / "runs" / lines[0] / "log" for name, lines in scene.marks().items() if lines}


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_stopped_shim_holds_writers_up_and_costs_no_byte(
    scene: Scene, request: pytest.FixtureRequest
) -> None:
    """Their FIFOs are full soon. The supervisor answers meanwhile; its notes wait."""
    stall_s = float(request.config.getoption("--stall-seconds"))
    names = ["a", "b", "c"]
    scene.project.write(
        "tasks:\n"
        + "".join(
            f"  {name}: {{name: x, triggeredBy: [postEnvironmentStart], command: "
            f"'touch marks/{name}; until [ -e go ]; do sleep 0.02; done; seq -f \"{name} %.0f\" 200000; exit 3'}}\n"
            for name in names
        )
    )
    scene.start()
    until(lambda: sorted(scene.marks()) == names, "the writers")
    with stopped(scene.shims()):
        (scene.folder / "go").touch()
        began = time.monotonic()
        while time.monotonic() - began < stall_s:
            asked = time.monotonic()
            assert len(scene.client().status()["executions"]) == 1
            assert time.monotonic() - asked < 1.0
            time.sleep(0.2)
        sizes = [log.stat().st_size for log in scene.state.glob("runs/*/log")]
        assert sizes == [0, 0, 0]
    client = scene.client()
    until(lambda: not client.status()["executions"], "the ends of the tasks")
    references = {id_: reference for reference, id_ in scene.tasks().items()}
    for execution in client.pages("ListTaskExecutions", "taskExecutions"):
        name = references[execution["metadata"]["taskId"]]
        with client.log(f"executions/{execution['id']}", follow=False) as pieces:
            log = b"".join(pieces)
        assert log == b"".join(b"%s %d\n" % (name.encode(), number) for number in range(1, 200_001))
        assert client.execution(execution["id"])["exitStatus"] == 3
    scene.end()
