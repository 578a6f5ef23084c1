"""Commands in containers: their command lines, and what these do with a real container engine of the tests' own."""

import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from supervisor.host.runs.spawn.containers import container_name, docker_argv, docker_kill_argv
from supervisor.model.errors import MachineError
from tests.leaks import MARKER

DEADLINE_S = 50


def plain_argv(script: str = "true", workspace: str = "/w", **environ: str) -> list[str]:
    return docker_argv("run-1", "image", (), environ, workspace, script, "/state/runs/run-1")


def test_values_of_variables_are_not_on_the_command_line() -> None:
    env = {"TOKEN": "hunter2", "GITPOD_ENVIRONMENT_ID": "env-1", "SUPERVISOR_RUN_ID": "run-1"}
    argv = docker_argv("run-1", "image", ("MODE=test",), env, "/w", "true", "/r", item=["TOKEN"])

    named = [word for option, word in pairwise(argv) if option == "--env"]
    assert named == ["MODE=test", "TOKEN", "GITPOD_ENVIRONMENT_ID", "SUPERVISOR_RUN_ID"]
    assert not any("hunter2" in word for word in argv)


def test_environment_of_the_machine_stays_there() -> None:
    assert "--env" not in plain_argv(PATH="/usr/bin", HOME="/root", AWS_SECRET_ACCESS_KEY="x")


def test_image_cannot_be_taken_for_an_option() -> None:
    argv = docker_argv("run-1", "--privileged", (), {}, "/w", "true", "/r")

    assert argv.index("--") < argv.index("--privileged")


def test_container_name_is_valid_whatever_the_run_is_called() -> None:
    assert container_name("0f3c-9a/ü b") == "supervisor-0f3c-9a---b"
    assert docker_kill_argv("r/1") == ["docker", "rm", "--force", "supervisor-r-1"]


def test_folder_with_commas_quotes_and_colons_is_one_folder() -> None:
    assert 'type=bind,"source=/a:b,c ""d""","target=/a:b,c ""d"""' in plain_argv(workspace='/a:b,c "d"')


def test_script_too_long_for_a_command_line_is_refused_with_the_way_out() -> None:
    plain_argv(script="#" * 131071)
    with pytest.raises(MachineError, match="it has 131072 bytes, 131071 are allowed; move it to a script"):
        plain_argv(script="ü" * 65536)


class Engine:
    """A container engine of our own, with three tiny images: `bash`, `sh` (no bash) and `nobody` (its own user)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Not marked as a test's: its helpers come and go on their own time. `close` sees that none stays.
        self.environ = {name: value for name, value in os.environ.items() if name != MARKER} | {
            "DOCKER_HOST": f"unix://{folder}/sock",
            "DOCKER_CONFIG": str(folder),
        }
        with open(folder / "log", "wb") as log:
            self.daemon = subprocess.Popen(
                [
                    *("dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec"),
                    *("-H", f"unix://{folder}/sock", "--pidfile", folder / "pid", "--storage-driver", "vfs"),
                    *("--iptables=false", "--ip6tables=false", "--bridge=none"),
                ],
                stdout=log,
                stderr=log,
                env=self.environ,
            )

    def begin(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self.docker("version").returncode != 0:
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                last = (self.folder / "log").read_text().strip().rpartition("\n")[2]
                pytest.skip(f"no container runs here: dockerd ended or does not answer: {last}")
        programs = ["/bin/sleep", "/bin/sh"]
        self.import_image("sh", programs)
        self.import_image("nobody", programs, "--change", "USER 1234")
        self.import_image("bash", [*programs, "/bin/bash"], "--change", 'ENTRYPOINT ["/does/not/exist"]')

    def import_image(self, name: str, programs: list[str], *options: str) -> None:
        self.docker("import", *options, "-", name, stdin=root_folder(programs)).check_returncode()

    def docker(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", *words], env=self.environ, input=stdin, capture_output=True, check=False
        )

    def containers(self) -> str:
        return self.docker("ps", "--all", "--format", "{{.Names}} {{.Status}}").stdout.decode()

    def close(self) -> None:
        self.daemon.terminate()
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        # What the host's network was bound to stays mounted, and no folder with a mount in it can be removed.
        subprocess.run(["umount", self.folder / "exec/netns/default"], stderr=subprocess.DEVNULL, check=False)


def root_folder(programs: list[str]) -> bytes:
    """A tar of programs, each with the libraries that ldd names."""
    files = {os.path.realpath(program): program for program in programs}
    for program in programs:
        listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        files |= {os.path.realpath(word): word for word in listing.split() if word.startswith("/")}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for folder in sorted({str(parent) for name in files.values() for parent in Path(name).parents}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for source, name in files.items():
            tar.add(source, name)
    return content.getvalue()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    missing = [program for program in ("docker", "dockerd") if not shutil.which(program)]
    if missing or os.geteuid() != 0:
        pytest.skip(
            f"no container runs here: {' and '.join(missing) + ' missing' if missing else 'not root'}"
        )
    # Not below tmp_path: the engine's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="dk") as folder:
        engine = Engine(Path(folder))
        try:
            engine.begin()
            yield engine
            assert engine.containers() == ""
        finally:
            engine.close()


class Command:
    """A command in a container, started as the machine would."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.run_id = folder.name
        self.workspace = folder / "my workspace,1"
        self.rundir = folder / "runs/1"
        self.workspace.mkdir()
        self.rundir.mkdir(parents=True)

    def start(
        self,
        script: str,
        environ: dict[str, str] | None = None,
        image: str = "sh",
        environment: tuple[str, ...] = (),
        item: tuple[str, ...] = (),
        stop_on_error: bool = False,
    ) -> subprocess.Popen[bytes]:
        argv = docker_argv(
            self.run_id,
            image,
            environment,
            environ or {},
            str(self.workspace),
            script,
            str(self.rundir),
            item=item,
            stop_on_error=stop_on_error,
        )
        return subprocess.Popen(
            argv,
            env=self.engine.environ | (environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, script: str, image: str = "sh", stop_on_error: bool = False) -> tuple[int, str]:
        with self.start(script, image=image, stop_on_error=stop_on_error) as client:
            output, _ = client.communicate(timeout=DEADLINE_S)
        return client.returncode, output.decode()


@pytest.fixture
def command(engine: Engine, tmp_path: Path) -> Command:
    return Command(engine, tmp_path)


def started(client: subprocess.Popen[bytes]) -> None:
    assert client.stdout
    assert client.stdout.readline() == b"up\n"


@pytest.mark.slow
def test_container_exits_with_the_status_of_its_script_and_is_gone(command: Command) -> None:
    assert command.run("echo to stdout; echo to stderr >&2; exit 7") == (7, "to stdout\nto stderr\n")
    assert command.engine.containers() == ""


@pytest.mark.slow
def test_script_runs_in_the_workspace_and_writes_outputs(command: Command) -> None:
    (command.workspace / "greeting").write_text("hello\n")
    output = command.rundir / "gitpod-task-build.output"

    script = 'read -r word <greeting; echo "A=$word" >>"$GITPOD_OUTPUT"'
    with command.start(script, {"GITPOD_OUTPUT": str(output)}) as client:
        assert client.wait(DEADLINE_S) == 0
    assert output.read_text() == "A=hello\n"


@pytest.mark.slow
def test_container_sees_its_own_variables_and_no_others(command: Command) -> None:
    script = 'echo "$MODE, $TOKEN, $SUPERVISOR_RUN_ID, ${OTHER-unset}"'
    variables = {"TOKEN": "hun\nter2", "SUPERVISOR_RUN_ID": "run-1", "OTHER": "x"}

    file = ("MODE=a b", "TOKEN=of the file")
    with command.start(script, variables, environment=file, item=("TOKEN",)) as client:
        output, _ = client.communicate(timeout=DEADLINE_S)

    assert output == b"a b, hun\nter2, run-1, unset\n"


@pytest.mark.slow
@pytest.mark.parametrize(("image", "shell"), [("bash", "bash"), ("sh", "no bash"), ("nobody", "no bash")])
def test_script_runs_in_bash_if_the_image_has_it_and_never_in_its_entrypoint(
    command: Command, image: str, shell: str
) -> None:
    script = 'if [ "$BASH_VERSION" ]; then echo bash; else echo no bash; fi\nno-such-program'

    status, output = command.run(script, image)

    assert status == 127
    assert output.startswith(f"{shell}\nscript.sh: ")  # the shell's complaint names the script


@pytest.mark.slow
@pytest.mark.parametrize("image", ["bash", "sh"])
def test_script_stops_at_its_first_failing_command_if_told_to(command: Command, image: str) -> None:
    script = "false\necho went on"

    assert command.run(script, image, stop_on_error=True) == (1, "")
    assert command.run(script, image, stop_on_error=False) == (0, "went on\n")


@pytest.mark.slow
def test_script_may_be_longer_than_a_page(command: Command) -> None:
    assert command.run("#" * 100_000 + "\necho done") == (0, "done\n")


@pytest.mark.slow
def test_sigterm_to_the_client_reaches_the_script(command: Command) -> None:
    with command.start("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done") as client:
        started(client)
        client.terminate()
        output, _ = client.communicate(timeout=DEADLINE_S)

    assert (client.returncode, output) == (3, b"bye\n")


@pytest.mark.slow
def test_sigterm_ends_a_script_that_does_not_expect_it(command: Command) -> None:
    with command.start("echo up; sleep 1000") as client:
        started(client)
        client.terminate()

        assert client.wait(DEADLINE_S) == 128 + signal.SIGTERM


@pytest.mark.slow
def test_container_whose_client_was_killed_is_removed_by_name(command: Command) -> None:
    with command.start("trap '' TERM; echo up; while :; do sleep 1; done") as client:
        started(client)
        client.kill()
    assert command.engine.containers().startswith(container_name(command.run_id))

    remove = docker_kill_argv(command.run_id)[1:]

    assert command.engine.docker(*remove).returncode == 0
    assert command.engine.containers() == ""
    assert command.engine.docker(*remove).returncode == 0  # there is none, which is as good


@pytest.mark.slow
def test_missing_image_fails_with_a_reason(command: Command) -> None:
    status, output = command.run("true", "localhost:1/does/not:exist")

    assert status == 125
    assert "localhost:1/does/not:exist" in output
