"""Tricks in the state directory: planted links, loose modes, folders of somebody else, other users at the sockets.

The directory is the supervisor's own and 0700, so nobody else gets that far. These tests are about the day on which
somebody did, or on which a command that runs as the same user is not trusted.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.cli.remote.discovery import NotRunning
from supervisor.model.errors import SupervisorError
from tests.e2e.harness import Program
from tests.faults.scene import Scene, read_errors, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
FILE = """
services:
  web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: echo hello; exec sleep 1000}}
"""
VICTIM = b"somebody else's\n"
as_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become another user, by setpriv",
)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that must stay as it is."""
    path = tmp_path / "victim"
    path.write_bytes(VICTIM)
    path.chmod(0o644)
    return path


def unharmed(victim: Path) -> bool:
    return victim.read_bytes() == VICTIM and stat.S_IMODE(victim.stat().st_mode) == 0o644


def begin_and_end(scene: Scene) -> None:
    """A first supervisor makes the state directory."""
    scene.project.write(FILE)
    scene.start()
    until(lambda: scene.phases() == {"web": "running"}, "the service")
    scene.end()


def serves_or_refuses(scene: Scene) -> str:
    """Start a supervisor. Returns the sentence with which it refuses to begin; empty: it serves, and was ended."""
    program = scene.launch()

    def decided() -> str | None:
        if program.process.poll() is not None:
            return read_errors(program)
        try:
            return "serves" if scene.client(1.0).status()["pid"] == program.pid else None
        except (SupervisorError, NotRunning):
            return None

    said = until(decided, "an answer or the end")
    if said == "serves":
        scene.end()
        return ""
    assert program.process.returncode in (1, 2)
    assert "Traceback" not in said
    assert said.count("\n") == 1
    return said


NAMES = [
    *("lock", "workspace", "workspace.new", "state.db", "state.db-wal", "state.db-shm", "token.key"),
    *("token.key.new", "api.sock", "api.sock.new", "shim.sock", "runs"),
]


def cleared(path: Path) -> Path:
    """The path, with nothing at it any more."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_planted_link_leads_to_no_harm(scene: Scene, victim: Path, name: str) -> None:
    begin_and_end(scene)
    path = cleared(scene.state / name)
    path.symlink_to(victim)

    said = serves_or_refuses(scene)

    assert unharmed(victim), said
    if said:
        assert str(scene.state) in said


@pytest.mark.parametrize("name", [*NAMES, "state.db-journal", "stacks", "stalls"])
def test_planted_fifo_is_waited_for_by_nobody(scene: Scene, name: str) -> None:
    begin_and_end(scene)
    path = cleared(scene.state / name)
    os.mkfifo(path)

    said = serves_or_refuses(scene)

    if said:
        assert str(scene.state) in said


def test_fifo_in_the_place_of_a_log_stops_neither_this_supervisor_nor_the_next(scene: Scene) -> None:
    scene.project.write(
        "services:\n  web:\n    name: Web\n    triggeredBy: [postEnvironmentStart]\n    commands:\n      start: |\n"
        '        cd "${GITPOD_OUTPUT%/*}"; rm log; mkfifo log; echo wrong >>"$GITPOD_OUTPUT"; exec sleep 1000\n'
    )
    scene.start("--log-transport", "file")
    (trouble,) = until(lambda: scene.client().status()["troubles"] or None, "the trouble")
    assert trouble["what"] == "logs"
    assert "it is a FIFO" in trouble["why"]
    assert "web (" in trouble["why"]
    service = scene.services()["web"]["id"]
    with scene.client().log(f"services/{service}", follow=False) as pieces:
        assert b"the log cannot be read: it is a FIFO" in b"".join(pieces)

    scene.kill()
    scene.start()
    assert scene.phases() == {"web": "running"}
    until(lambda: scene.client().status()["troubles"] or None, "the trouble, again")
    scene.end()


def test_fifo_in_the_place_of_a_pumped_log_is_replaced_by_a_log(scene: Scene) -> None:
    scene.project.write(
        "services:\n  web:\n    name: Web\n    triggeredBy: [postEnvironmentStart]\n    commands:\n      start: |\n"
        '        cd "${GITPOD_OUTPUT%/*}"; rm log; mkfifo log; sleep 2; echo said; exec sleep 1000\n'
    )
    scene.start()
    until(lambda: scene.phases() == {"web": "running"}, "the service")
    service = scene.services()["web"]["id"]

    def log() -> bytes:
        with scene.client().log(f"services/{service}", follow=False) as pieces:
            return b"".join(pieces)

    until(lambda: log().endswith(b"another file was put in its place\nsaid\n"), "the log")
    until(lambda: not scene.client().status()["troubles"], "the end of the trouble")
    scene.end()


def test_planted_run_directory_is_not_written_into(scene: Scene, tmp_path: Path) -> None:
    begin_and_end(scene)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (service,) = scene.records().services.values()
    for number in range(service.runs + 1, service.runs + 4):
        (scene.state / "runs" / f"{service.id}.{number}").symlink_to(elsewhere)

    scene.start()
    until(lambda: scene.phases() == {"web": "running"}, "the service")

    assert list(elsewhere.iterdir()) == []
    assert not any(path.is_symlink() for path in (scene.state / "runs").iterdir())
    scene.end()


@pytest.mark.parametrize(
    "name",
    ["log", "exit", "exit.new", "started", "../../run-facts", "../../run-facts.new", "../../scripts/key"],
)
def test_command_that_plants_links_in_its_run_directory_harms_nothing(
    scene: Scene, victim: Path, name: str
) -> None:
    runs = scene.state / "runs"
    scene.project.write(
        "tasks:\n  a:\n    name: A\n    command: |\n"
        f'      ln -sf {victim} "{runs}/$SUPERVISOR_RUN_ID/{name}"; echo more; exit 3\n'
    )
    scene.start()
    execution = scene.client().call("StartTask", id=scene.tasks()["a"])["taskExecution"]["id"]

    until(lambda: scene.client().execution(execution)["exitStatus"] is not None, "the end of the task")

    assert scene.client().execution(execution)["reason"] == 'step "a" exited 3'
    with scene.client().log(f"executions/{execution}", follow=False) as pieces:
        assert VICTIM not in b"".join(pieces)
    scene.end()
    assert unharmed(victim)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
@pytest.mark.parametrize("name", [".", "runs"])
def test_folder_that_others_may_write_is_refused(scene: Scene, name: str, mode: int) -> None:
    begin_and_end(scene)
    (scene.state / name).chmod(mode)

    assert "other users may write there" in serves_or_refuses(scene)


@as_root
@pytest.mark.parametrize("name", [".", "runs"])
def test_folder_of_somebody_else_is_refused(scene: Scene, name: str) -> None:
    begin_and_end(scene)
    os.chown(scene.state / name, NOBODY, NOBODY)

    assert f"it belongs to user {NOBODY}" in serves_or_refuses(scene)


@as_root
def test_other_user_cannot_use_the_folder_of_root(scene: Scene) -> None:
    # It may be let in by what is left of root until it executes something, and then no more.
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    if subprocess.run([*AS_NOBODY, sys.executable, "-c", again], capture_output=True, check=False).returncode:
        pytest.skip(f"user {NOBODY} may not run this Python, {sys.executable}")
    begin_and_end(scene)
    open_up(scene)
    as_nobody = Program(
        ("run", "--listen", "none"),
        scene.folder,
        scene.project.env,
        subprocess.DEVNULL,
        within=AS_NOBODY,
    )
    scene.project.adopt(as_nobody)

    status = as_nobody.process.wait(60)
    said = read_errors(as_nobody)
    assert status == 2, said
    assert said.startswith(f"supervisor: cannot use the state directory {scene.state}: ")
    assert "Traceback" not in said


def open_up(scene: Scene) -> None:
    """Let everybody pass to the state directory, though not into it."""
    path = scene.state.parent
    while path != Path("/tmp") and path != path.parent:
        path.chmod(path.stat().st_mode | 0o055)
        path = path.parent


def test_everything_is_private_whatever_the_umask(scene: Scene) -> None:
    scene.project.write(FILE)
    program = Program(
        ("run", "--listen", "127.0.0.1:0"),
        scene.folder,
        scene.project.env,
        subprocess.DEVNULL,
        within=("sh", "-c", 'umask 0; exec "$@"', "sh"),
    )
    scene.project.adopt(program)
    scene.serving(program)
    scene.client().control("token", scope="logs")
    until(lambda: scene.phases() == {"web": "running"}, "the service")

    loose = [
        f"{path.relative_to(scene.state)} {stat.S_IMODE(path.lstat().st_mode):o}"
        for path in (scene.state, *scene.state.rglob("*"))
        if path.lstat().st_mode & 0o077 and path.name != "log"
    ]
    assert loose == []
    program.interrupt()
    assert program.process.wait(60) == 130


@as_root
def test_other_user_is_turned_away_at_sockets_that_stand_open(scene: Scene) -> None:
    """As if the modes of the directory and of the sockets had been lost."""
    scene.project.write(FILE)
    scene.start()
    until(lambda: scene.phases() == {"web": "running"}, "the service")
    open_up(scene)
    scene.state.chmod(0o755)
    for name in ("api.sock", "shim.sock"):
        (scene.state / name).chmod(0o666)
    asks = """
import json, socket, struct, sys
http = socket.socket(socket.AF_UNIX); http.connect(sys.argv[1] + "/api.sock"); http.settimeout(20)
http.sendall(b"GET /control/status HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
answer = http.recv(1 << 16).split(b"\\r\\n")[0].decode()
shim = socket.socket(socket.AF_UNIX); shim.connect(sys.argv[1] + "/shim.sock"); shim.settimeout(20)
try:
    data = json.dumps({"ask": "list"}).encode()
    shim.sendall(struct.pack("!I", len(data)) + data)
    heard = shim.recv(1 << 16).decode("latin-1")
except OSError as error:
    heard = ""
print(json.dumps([answer, heard]))
"""
    asked = subprocess.run(
        [*AS_NOBODY, sys.executable, "-I", "-c", asks, str(scene.state)],
        capture_output=True,
        check=True,
        timeout=60,
        cwd="/",
    )

    answer, heard = json.loads(asked.stdout)
    assert (answer, heard) == ("HTTP/1.1 403 Forbidden", "")
    scene.state.chmod(0o700)
    scene.in_agreement()
    scene.end()
