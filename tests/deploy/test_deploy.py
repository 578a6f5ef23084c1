"""What runners put into images: unit, installer, user data, container file; tried as far as a machine allows."""

import configparser
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from supervisor.boot.lifecycle import SWEEP_GRACE_S
from supervisor.host.runs.tree_ending import KILL_BOUND_S
from supervisor.model.sysexits import EXIT_DETACHED, EXIT_IN_USE, EXIT_USAGE
from supervisor.settings import table
from tests.bin.test_launchers import PROGRAM
from tests.program import PROGRAM as FOLDERS

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
NAMESPACE = ("unshare", "--mount", "--fork", "--pid", "--kill-child", "--mount-proc")


def shell(script: str, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as root of mounts and processes of its own."""
    if os.geteuid() != 0 or subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here: not root, or no namespace can be made")
    return subprocess.run(
        [*NAMESPACE, "sh", "-euc", script, "sh", *words],
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def target(image: Path, root: Path) -> Path:
    """A machine's root whose .venv is there already, so that no test waits for pip."""
    (root / "opt/supervisor").mkdir(parents=True)
    shutil.copytree(image / ".venv", root / "opt/supervisor/.venv", symlinks=True)
    return root


def install(source: Path, root: Path) -> None:
    subprocess.run([str(source / "deploy/install"), "--root", str(root)], capture_output=True, check=True)


class TestUnit:
    """deploy/supervisor.service."""

    @staticmethod
    def service() -> "configparser.SectionProxy":
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read_string((DEPLOY / "supervisor.service").read_text())
        return unit["Service"]

    def test_systemd_finds_nothing_wrong_with_it(self, tmp_path: Path) -> None:
        if not shutil.which("systemd-analyze"):
            pytest.skip("systemd-analyze is missing")
        entrypoint = tmp_path / "entrypoint"
        entrypoint.touch(0o755)
        text = (DEPLOY / "supervisor.service").read_text()
        assert "ExecStart=/opt/supervisor/bin/entrypoint\n" in text
        unit = tmp_path / "supervisor.service"
        unit.write_text(text.replace("/opt/supervisor/bin/entrypoint", str(entrypoint)))

        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=one", unit],
            capture_output=True,
            text=True,
            check=False,
        )

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_stop_is_given_longer_than_a_drain_may_take(self) -> None:
        grace_s = float(table.DRAIN_GRACE.default.removesuffix("s"))

        assert (
            float(self.service()["TimeoutStopSec"].removesuffix("s")) > grace_s + SWEEP_GRACE_S + KILL_BOUND_S
        )

    def test_exit_statuses_mean_what_the_supervisor_means(self) -> None:
        service = self.service()

        assert service["RestartPreventExitStatus"].split() == [str(EXIT_USAGE), str(EXIT_IN_USE)]
        assert service["RestartForceExitStatus"] == str(EXIT_DETACHED)
        assert service["SuccessExitStatus"] == "130"

    def test_commands_survive_the_supervisor(self) -> None:
        service = self.service()

        assert service["KillMode"] == "process"
        assert service["Restart"] == "on-failure"
        assert service["OOMPolicy"] == "continue"
        assert service["Delegate"] == "yes"


def test_installer_puts_everything_below_a_root(image: Path, tmp_path: Path) -> None:
    root = target(image, tmp_path / "root")

    install(image, root)

    unit = root / "etc/systemd/system/supervisor.service"
    assert unit.read_text() == (DEPLOY / "supervisor.service").read_text()
    assert (unit.parent / "multi-user.target.wants/supervisor.service").resolve() == unit
    assert os.readlink(root / "usr/local/bin/supervisor") == "/opt/supervisor/bin/supervisor"
    assert (root / "etc/supervisor/environment").stat().st_mode & 0o777 == 0o600
    said = subprocess.run(
        [root / "opt/supervisor/bin/entrypoint"], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout)[0] == ["run"]


def test_installer_keeps_settings_and_replaces_the_rest(image: Path, tmp_path: Path) -> None:
    source, root = tmp_path / "checkout", target(image, tmp_path / "root")
    shutil.copytree(image, source, symlinks=True)
    install(source, root)
    (root / "etc/supervisor/environment").write_text("SUPERVISOR_WORKSPACE=/mine\n")
    program = root / "opt/supervisor/supervisor/__main__.py"
    with open(program, encoding="utf-8") as running:
        (source / "supervisor/__main__.py").write_text("print('new')\n")

        install(source, root)

        assert running.read() == PROGRAM, "what runs keeps its files"
    assert program.read_text() == "print('new')\n"
    assert (root / "etc/supervisor/environment").read_text() == "SUPERVISOR_WORKSPACE=/mine\n"


@pytest.mark.parametrize("wrong", [["--root"], ["--help-me"]])
def test_installer_refuses_wrong_usage_before_it_does_anything(wrong: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [DEPLOY / "install", *wrong], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith("install: ")
    assert done.stdout == ""


class TestUserData:
    """deploy/cloud-init.yaml."""

    @staticmethod
    def data() -> dict[str, object]:
        text = (DEPLOY / "cloud-init.yaml").read_text()
        assert text.startswith("#cloud-config\n")
        loaded: dict[str, object] = yaml.safe_load(text)
        return loaded

    def files(self) -> dict[str, str]:
        listed = self.data()["write_files"]
        assert isinstance(listed, list)
        return {file["path"]: file["content"] for file in listed}

    def test_cloud_init_finds_nothing_wrong_with_it(self) -> None:
        if not shutil.which("cloud-init"):
            pytest.skip("cloud-init is missing")
        done = subprocess.run(
            ["cloud-init", "schema", "--config-file", DEPLOY / "cloud-init.yaml"],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr

    def test_it_has_the_keys_that_it_needs_and_no_others(self) -> None:
        data = self.data()

        assert set(data) == {"package_update", "packages", "write_files", "runcmd"}
        assert data["runcmd"] == [["/run/supervisor-install"]]
        assert set(self.files()) == {"/etc/supervisor/environment", "/run/supervisor-install"}
        settings = [line for line in (DEPLOY / "environment").read_text().splitlines() if line[:1] != "#"]
        assert self.files()["/etc/supervisor/environment"].splitlines() == settings

    @pytest.mark.parametrize("genuine", [True, False])
    def test_its_script_installs_the_archive_if_it_is_the_right_one(
        self, image: Path, tmp_path: Path, genuine: bool
    ) -> None:
        if not shutil.which("curl"):
            pytest.skip("curl is missing")
        archive = tmp_path / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for name in ("bin", "deploy", "requirements.lock", *FOLDERS):
                tar.add(image / name, name)
        digest = hashlib.sha256(archive.read_bytes() if genuine else b"another").hexdigest()
        script = tmp_path / "script"
        content = self.files()["/run/supervisor-install"]
        script.write_text(
            content.replace("'ARCHIVE'", f"'file://{archive}'").replace("'SHA256'", f"'{digest}'")
        )
        script.chmod(0o755)

        done = shell(
            'for folder in /mnt /opt /usr/local/bin /run; do mount -t tmpfs none "$folder"; done\n'
            "mkdir /mnt/upper /mnt/work\n"
            "mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work none /etc\n"
            'mkdir /opt/supervisor && cp -a "$2/.venv" /opt/supervisor/\n'
            '"$1" >&2 || exit 9\n'
            "ls -l /etc/systemd/system/multi-user.target.wants/supervisor.service >&2\n"
            "exec /opt/supervisor/bin/entrypoint\n",
            str(script),
            str(image),
        )

        if genuine:
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)[0] == ["run"]
        else:
            assert done.returncode == 9
            assert "checksum did NOT match" in done.stderr


class TestContainerFile:
    """deploy/Containerfile, whose steps are carried out in a copy-on-write view of this machine's files."""

    @staticmethod
    def steps() -> list[tuple[str, str]]:
        text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]

    def test_image_made_by_its_steps_starts_the_supervisor_as_pid_1(self, image: Path) -> None:
        commands, environment, entrypoint, workdir = [], [], [], "/"
        for word, rest in self.steps():
            match word:
                case "COPY":
                    origin, target = rest.split()
                    content = "/." if origin.endswith("/") else ""
                    commands.append(f"mkdir -p .{target} && cp -r '{image}/{origin}'{content} .{target}")
                case "RUN" if "apt-get" not in rest:  # what it installs is here, or no test would run
                    commands.append(f"chroot . sh -euc '{rest}' >&2")
                case "WORKDIR":
                    workdir = rest
                    commands.append(f"mkdir -p ./{rest}")
                case "ENV":
                    environment.append(rest)
                case "ENTRYPOINT":
                    entrypoint = json.loads(rest)
                case "ARG" | "FROM" | "RUN" | "STOPSIGNAL" | "HEALTHCHECK":
                    pass
                case _:
                    raise AssertionError(f"what does {word} do?")
        start = " ".join([*environment, *entrypoint])

        done = shell(
            f"""
            mount -t tmpfs none /mnt
            mkdir /mnt/upper /mnt/work /mnt/root
            mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root
            cd /mnt/root
            mount -t tmpfs none ./opt
            mount -t tmpfs none ./usr/local/bin
            mount --bind /dev ./dev
            mount --bind /proc ./proc
            mkdir ./opt/supervisor && cp -a '{image}/.venv' ./opt/supervisor/
            {chr(10).join(commands)}
            exec chroot . sh -c 'cd {workdir}; exec env {start} --logs'
            """
        )

        assert done.returncode == 0, done.stderr
        arguments, pid, folder, _ = json.loads(done.stdout)
        assert (arguments, pid, folder) == (["run", "--logs"], 1, "/workspace")
