"""Commands that run as another user (`--user`): to the supervisor that started them they can do nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_user import Machine
from tests.host.users.other_user import needs_root

pytestmark = [needs_root, pytest.mark.slow, pytest.mark.timeout(240)]

ATTEMPTS = """
could() { what=$1; shift; "$@" >/dev/null 2>&1 && echo "$what" >>could; true; }
until [ -s pids ]; do sleep 0.02; done
. ./pids
state=$(dirname $SUPERVISOR_SOCKET) run=$(dirname $GITPOD_OUTPUT)
until [ -e $state/token.key ]; do sleep 0.02; done
id -un >who
for name in token.key state.db state.db-wal lock workspace; do
    could "read $name" cat $state/$name
    could "write $name" sh -c "echo >>$state/$name"
    could "remove $name" rm -f $state/$name
done
could "list the state directory" ls $state
could "list the runs" ls $state/runs
could "make a run directory" mkdir $state/runs/other
could "plant a link" ln -s /etc/passwd $run/planted
could "plant a link for the exit status" ln -sf /etc/passwd $run/exit.new
could "replace the log" mv $run/log $run/other
could "remove the log" rm -f $run/log
could "replace the output" ln -sf /etc/shadow $GITPOD_OUTPUT
could "write an exit status" sh -c "echo '{}' >$run/exit"
could "list the scripts" ls $state/scripts
could "read the key of the scripts" cat $state/scripts/key
could "make a script" touch $state/scripts/planted.sh
could "read what the supervisor was given" cat /proc/$supervisor/environ
could "read its memory" head -c1 /proc/$supervisor/mem
could "see its descriptors" ls /proc/$supervisor/fd
for pid in $supervisor $shim; do could "signal $pid" kill -TERM $pid; done
could "be root again" setpriv --reuid 0 true
could "write into the workspace's parent" touch ../planted
echo done
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="other-user-", dir="/tmp"))
    folder.chmod(0o755)
    machine = Machine(folder)
    yield machine
    machine.close()
    shutil.rmtree(folder)


def test_command_of_another_user_can_do_nothing_to_its_supervisor(machine: Machine) -> None:
    (machine.folder / "attempts.sh").write_text(ATTEMPTS)
    machine.write(
        "tasks: {a: {name: A, triggeredBy: [postEnvironmentStart], command: exec bash attempts.sh}}\n"
    )
    program = machine.supervise("--logs")
    program.event(reference="a", phase="running")
    (shim,) = machine.shims()
    aside = machine.folder / "pids.new"
    aside.write_text(f"supervisor={program.pid} shim={shim}\n")
    aside.rename(machine.folder / "pids")

    program.event(kind="log", line="done")
    program.event(reference="a", phase="succeeded")

    assert (machine.folder / "who").read_text() == "dev\n"
    could = machine.folder / "could"
    assert not could.exists(), could.read_text()
    assert machine.stop(program) == 130


WITH_A_KEY = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
keyctl, add_key = {"x86_64": (250, 248), "aarch64": (219, 217)}[os.uname().machine]
assert libc.syscall(keyctl, 1, None) > 0  # a session keyring, as a login or a service makes it
assert libc.syscall(add_key, b"user", b"roots-own-key", b"sesame", 6, -3) > 0
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_command_of_another_user_has_no_key_of_roots(machine: Machine) -> None:
    key = (sys.executable, "-I", "-c", WITH_A_KEY)
    shown = subprocess.run([*key, "cat", "/proc/keys"], capture_output=True, text=True, check=False)
    if "roots-own-key" not in shown.stdout:
        pytest.skip("no keyring can be made here")
    machine.here = (*key, *machine.here)
    machine.write(
        "tasks: {a: {name: A, triggeredBy: [postEnvironmentStart], command: 'cat /proc/keys; echo done'}}\n"
    )
    program = machine.supervise("--logs")
    program.event(kind="log", line="done")
    program.event(reference="a", phase="succeeded")
    assert "roots-own-key" not in program.out
    assert machine.stop(program) == 130
