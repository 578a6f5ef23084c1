"""Points 1 to 5: the way into the environment, and commands."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from platform_wire import environmentopts_pb2 as pb
from tests.acceptance.others import Others, capabilities_of
from tests.acceptance.trial import SDKS, Trial, part, until
from tests.clients import test_ops_environment, test_ops_exec
from tests.clients.harness import Driver
from tests.clients.set_up import SDK_1_2
from tests.e2e.ops_client import OpsClient
from tests.faults.exec_kills import ExecKills, wrong
from tests.faults.scene import Scene

PROGRAM = "ops_exec.py"
LIMIT_LINE = test_ops_exec.LIMIT_LINE
EXAMPLE = "site-packages/examples/start_environment_and_run_command/main.py"
"""In gitpod-sdk's wheel; ona-sdk has none, and takes the same."""
KEPT_BYTES = 64 << 20
"""Of each end of a stream."""
CALLER = """
import http.client, sys
port, token, length = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
body = sys.stdin.buffer.read(length)
connection = http.client.HTTPConnection("127.0.0.1", port)
head = {"Content-Type": "application/proto", "Authorization": "Bearer " + token}
connection.request("POST", "/supervisor.v1.EnvironmentOpsService/Exec", body, head)
connection.getresponse().read()
"""
"""A client that is killed."""


@part(1, "workspace_dir() and what else the environment says of itself")
def workspace(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        test_ops_environment.test_the_sdk_finds_the_workspace_and_the_way_to_work_in_it(driver)
        return "it is the workspace"

    return trial.by_both("ops_environment.py", work)


@part(1, "the SDK's example from that line to its last read")
def example(trial: Trial) -> str:
    (source,) = SDK_1_2.folder.glob(f"lib/*/{EXAMPLE}")

    def work(driver: Driver) -> str:
        folder = driver.supervisor.project.folder
        (folder / "README.md").write_text("read me\n")
        found = driver.run("example", example=str(source))
        lines, written = found["printed"], folder / "ona-sdk-example.txt"
        assert "workspace_dir()" in found["first"], found
        assert "exit_code: 0" in lines, lines
        assert f"read 8 bytes from {folder}/README.md" in lines, lines
        assert f"wrote {written.stat().st_size} bytes to {written}" in lines, lines
        assert lines[-1] == f"verified file content: {written.read_text().strip()}", lines
        return f"{len(lines)} lines printed, the last of them what was written"

    return trial.by_both("ops_environment.py", work)


@part(2, "exit codes, signals, streams, odd bytes, `read x`, 200 KiB, `sleep 300 & echo hi`")
def results(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        folder, codes = (
            driver.supervisor.project.folder,
            list(range(0, 256, round(1 / min(1.0, trial.scale)))),
        )
        (folder / "sub").mkdir()
        found = driver.run("results", codes=codes, step=1)
        test_ops_exec.check_results(found, codes, folder)
        assert found["backgroundSeconds"] < 1, found["backgroundSeconds"]
        hi_ms = found["backgroundSeconds"] * 1000
        return f"{len(codes)} codes, {len(found['signals'])} signals, hi after {hi_ms:.0f} ms"

    return trial.by_both(PROGRAM, work, 120)


@part(2, "timeout_seconds=1 on `sleep 60`")
def limit(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        found = driver.run("limits")
        assert found["result"] == [124, "begun\n", LIMIT_LINE], found
        assert 1 <= found["seconds"] < 2, found
        return f"124 after {found['seconds']:.2f} s"

    return trial.by_both(PROGRAM, work)


@part(2, "timeout_seconds=1 on a tree that ignores SIGTERM and calls setsid")
def stubborn(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        mark = uuid.uuid4().hex
        found = driver.run("stubborn", mark=mark)
        assert found["result"] == [124, "", LIMIT_LINE], found
        assert found["seconds"] < 17, found
        left = [line for line in driver.supervisor.project.left() if mark in line or "sleep" in line]
        assert left == [], left
        return f"124 after {found['seconds']:.1f} s, none left"

    return trial.by_both(PROGRAM, work)


@part(2, "CancelExec with three callers of one id, later ones, unknown ids")
def cancelled(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        found = driver.run("cancelled")
        assert [*found["answers"], found["later"]] == [test_ops_exec.CANCELLED] * 4, found
        assert [found[name] for name in ("cancel", "again", "unknown", "empty")] == [{}] * 4, found
        return "130 four times, {} for the others"

    return trial.by_both(PROGRAM, work)


@part(2, "what is refused, and how the SDK says it")
def refused(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        folder = driver.supervisor.project.folder
        (folder / "file").touch()
        (folder / "closed").mkdir(mode=0)
        found = driver.run("refused")
        test_ops_exec.check_refusals(found)
        return f"{sum(bool(each) and 'kind' in each for each in found.values())} refusals"

    return trial.by_both(PROGRAM, work)


@part(3, "`sleep 600; echo done` comes back")
def slow(trial: Trial) -> str:
    seconds = trial.size(600)
    said: list[str] = []

    def drive(driver: Driver) -> str:
        found = driver.run("slow", command=f"sleep {seconds}; echo done")
        assert found["result"] == [0, "done\n", ""], found
        return f"after {found['seconds']:.1f} s"

    # Side by side, since they only wait.
    with trial.supervisor() as first, trial.supervisor() as second:
        drivers = [
            Driver(client, PROGRAM, supervisor, seconds + 60)
            for client, supervisor in zip(SDKS, (first, second), strict=True)
        ]
        errors: list[BaseException] = []

        def carry_out(driver: Driver) -> None:
            try:
                said.append(f"{driver.client.name}: {drive(driver)}")
            except BaseException as error:  # shown by the thread that waits
                errors.append(error)

        threads = [threading.Thread(target=carry_out, args=(driver,)) for driver in drivers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in errors:
            raise error
    return "; ".join(sorted(said))


@part(3, "run_command(timeout=2): the client leaves, the command goes on")
def patience(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        found = driver.run("patience", seconds=2)
        assert found["error"]["kind"] == "EnvironmentUnreachableError", found
        assert 2 <= found["seconds"] < 3, found
        until((driver.supervisor.project.folder / "done").exists, "the end of the command")
        return f"{found['error']['kind']} after {found['seconds']:.2f} s, and the command has ended"

    return trial.by_both(PROGRAM, work)


@part(3, "a raw Exec whose client is killed, and the same id again")
def killed_client(trial: Trial) -> str:
    count = trial.size(20)
    with trial.calls() as (supervisor, ops):
        folder = supervisor.project.folder
        for number in range(count):
            command = f"echo ran >>count-{number}; until [ -e go-{number} ]; do sleep 0.01; done; cat count-{number}"
            request = pb.ExecRequest(operation_id=f"one-{number}", command=command)
            body = request.SerializeToString()
            words = [sys.executable, "-I", "-S", "-c", CALLER, str(ops.port), ops.token, str(len(body))]
            with subprocess.Popen(words, stdin=subprocess.PIPE, env=supervisor.project.env) as client:
                assert client.stdin is not None
                client.stdin.write(body)
                client.stdin.flush()
                until((folder / f"count-{number}").exists, "the command")
                time.sleep(trial.dice.uniform(0, 0.05))
                client.kill()
            (folder / f"go-{number}").touch()
            answer = ops.unary("Exec", request, pb.ExecResponse)
            assert (answer.exit_code, answer.stdout) == (0, "ran\n"), answer
    return f"{count} killed clients, each command's counter says 1"


@part(4, "kill -9 of the supervisor during Exec, up to 50 at once")
def kills(trial: Trial) -> str:
    with trial.project() as project:
        exec_kills = ExecKills(Scene(project), random.Random(trial.seed))
        counts = exec_kills.run(trial.size(200, 2), trial.size(50, 4))
    assert wrong(counts) == 0, f"{counts}: {exec_kills.said[:5]}"
    return (
        f"{counts.kills} kills, {counts.commands} commands, {counts.asked_again} calls that broke off; run twice, "
        f"never run, wrong codes, wrong outputs, refused: {wrong(counts)}"
    )


@part(4, "shim killed, another boot id: aborted, not run again")
def lost(trial: Trial) -> str:
    return trial.tests("tests/faults/test_exec_kills.py", "-k", "lost_shim or restart_of_the_machine")


@part(4, "`supervisor upgrade` during run_command")
def upgraded(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        test_ops_exec.test_upgrade_meanwhile_returns_the_result_to_the_sdk(driver)
        return "its call returned the result"

    return trial.by_both(PROGRAM, work)


@part(5, "100 MB on stdout, other calls meanwhile, the memory afterwards")
def large(trial: Trial) -> str:
    size = trial.size(100_000_000)
    line = b"0123456789abcdef\n"
    digest = hashlib.sha256((line * (size // len(line) + 1))[:size]).hexdigest()

    def work(driver: Driver) -> str:
        supervisor = driver.supervisor
        pid = supervisor.program.pid
        others = Others(capabilities_of(OpsClient(supervisor.port, supervisor.token())))
        driver.run("large", command="echo")  # what is imported for the first one stays
        before = test_ops_exec.rss_bytes(pid)
        with others.meanwhile():
            found = driver.run("large", command=f"yes 0123456789abcdef | head -c {size}")
        assert found == {"code": 0, "bytes": size, "sha256": digest}, found
        until(lambda: test_ops_exec.rss_bytes(pid) < before + 20e6, "the memory of before, and 20 MB more")
        more = (test_ops_exec.rss_bytes(pid) - before) / 1e6
        assert others.p99_s < 0.1, f"p99 of {len(others.took_s)} others: {others.p99_s * 1000:.0f} ms"
        return f"p99 of {len(others.took_s)} others {others.p99_s * 1000:.0f} ms, memory {more:+.1f} MB"

    return trial.by_both(PROGRAM, work, 120)


@part(5, "10 GB on stdout: it ends, the disk within the limit, the missing bytes")
def flood(trial: Trial) -> str:
    size = trial.size(10_000_000_000, 300_000_000) // 64 * 64

    def work(driver: Driver) -> str:
        folder, most = driver.supervisor.project.state / "runs", 0
        began = time.monotonic()
        command = f"yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopq | head -c {size}"
        program = driver.start("gap", command=command)
        while program.poll() is None:
            most = max(most, used_bytes(folder))
            time.sleep(0.02)
        found = driver.result(program, "gap")
        took_s = time.monotonic() - began
        before, after = found["before"]["bytes"], found["after"]["bytes"]
        assert (found["code"], found["alike"]) == (0, True), found
        assert (before, after) == (KEPT_BYTES, KEPT_BYTES), found
        assert before + found["missing"] + after == size, found
        assert most < 2 * KEPT_BYTES + (64 << 20), f"{most} bytes on the disk"
        missing = f"{found['missing']:,} missing"
        return f"{size:,} bytes in {took_s:.0f} s, {missing}, at most {most / 1e6:.0f} MB on the disk"

    return trial.by_both(PROGRAM, work, 900, clients=(SDK_1_2,))


def used_bytes(folder: Path) -> int:
    """What the files below a folder take of the disk."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found += path.stat().st_blocks * 512
        except OSError:
            continue  # it is gone
    return found


@part(5, "the disk full meanwhile")
def full_disk(trial: Trial) -> str:
    return trial.tests("tests/faults/test_exec_disk.py")
