"""One process: whether it lives, and what cannot be known of it."""

import os
import subprocess
import sys
from pathlib import Path

from supervisor.host.proc import process, process_tree
from supervisor.host.proc.process import ProcRef
from tests.host.proc.sleeper import Process, ref, sleeper

__all__ = ["sleeper"]

ROOT = Path(__file__).parents[3]


def test_a_name_cannot_pose_as_a_field(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 1 1"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"], env=os.environ | {"SUPERVISOR_RUN_ID": "mine"}) as running:
        assert process.alive(ref(running))
        running.kill()


def test_a_zombie_does_not_count(sleeper: Process) -> None:
    found = ref(sleeper)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive(found)
    assert process.is_zombie_of(found, os.getpid())
    assert process_tree.census({"mine": found}) == {"mine": []}


def test_a_process_whose_main_thread_ended_counts(tmp_path: Path) -> None:
    script = """
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"SUPERVISOR_RUN_ID": "mine"},
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        started = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[19]
        found = ProcRef(running.pid, int(started))
        while Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            pass
        try:
            assert process.alive(found)
            assert process_tree.census({"mine": found}) == {"mine": [found]}
        finally:
            running.kill()


def test_a_process_that_cannot_be_looked_at_is_not_taken_to_be_gone() -> None:
    code = """
import errno, os, resource
from supervisor.host.proc import process, process_tree
mine = process.find(os.getpid())
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
held = []
try:
    while True:
        held.append(os.dup(0))
except OSError:
    pass
print(process.alive(mine))
for look in (lambda: process.find(os.getpid()), lambda: process_tree.census({"x": mine})):
    try:
        look()
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "EMFILE", "EMFILE"]
