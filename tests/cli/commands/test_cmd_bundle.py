"""`supervisor bundle` where no supervisor runs, and where the bundle cannot be written."""

from __future__ import annotations

import json
import os
import pty
import resource
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.host.state.store import Store
from supervisor.model.exit import ExitCode
from supervisor.model.ids import OperationId, RunId
from supervisor.model.operation_record import Operation, OperationEnded
from tests.bundle.unpacking import manifest_of, unpacked
from tests.cli.conftest import PROGRAM, Invoke
from tests.doctor.guard import loopback_only
from tests.doctor.servers import closed
from tests.host.users.other_user import GID, UID, needs_root, open_folder

__all__ = ["loopback_only", "open_folder"]

PLANTED = "pl4nted-value-of-a-secret"


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SUPERVISOR_INITIAL_SPEC", str(tmp_path / "initial-spec.json"))
    monkeypatch.setenv("DEPLOY_TOKEN", PLANTED)
    (tmp_path / "initial-spec.json").write_text(
        json.dumps({"environmentToken": f"{PLANTED}-spec", "unknown": 1})
    )


def program(
    *arguments: str, stdout: int, limit_bytes: int = resource.RLIM_INFINITY
) -> subprocess.CompletedProcess[bytes]:
    """The command as a process, with a limit to the size of files."""
    limit = (limit_bytes, resource.RLIM_INFINITY)
    return subprocess.run(
        # -B: no cache of a module is to be cut off by the limit.
        [sys.executable, "-I", "-B", str(PROGRAM), "bundle", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=50,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )


def test_bundle_without_a_supervisor_says_so_inside(supervisor: Invoke, folder: Path) -> None:
    result = supervisor("bundle", "b.tar.zst")
    files = unpacked((folder / "b.tar.zst").read_bytes())
    left_out = {each["name"]: each["why"] for each in manifest_of(files)["leftOut"]}

    assert (result.status, result.err) == (0, "")
    assert "wrote b.tar.zst: " in result.out
    assert "no supervisor runs for" in result.out
    assert left_out["supervisor/status.json"].startswith("no supervisor runs for")
    assert {
        "doctor.json",
        "config.json",
        "versions.json",
        "environment.json",
        "initial-spec.json",
    } <= files.keys()
    assert json.loads(files["doctor.json"])["findings"]
    assert json.loads(files["versions.json"])["packages"]["click"]
    assert json.loads(files["initial-spec.json"]) == {"environmentToken": "***", "unknown": 1}


def test_no_planted_secret_is_in_it(supervisor: Invoke, folder: Path) -> None:
    (folder / "automations.yaml").write_text(
        "services: {a: {name: A, commands: {start: 'x --password pl4nted-in-command'},\n"
        "  runsOn: {docker: {image: i, environment: [MY_TOKEN=pl4nted-in-docker]}}}}\n"
        f"# {PLANTED} pl4nted-in-docker\n"
    )
    supervisor("bundle", "b.tar.zst")
    files = unpacked((folder / "b.tar.zst").read_bytes())

    assert b"--password ***" in files["automations.yaml"]
    assert [name for name, content in files.items() if b"pl4nted" in content] == []


def test_of_an_operation_there_is_neither_its_command_nor_what_it_printed(
    supervisor: Invoke, folder: Path, tmp_path: Path
) -> None:
    state = tmp_path / "other-state"
    (state / "runs" / "r").mkdir(parents=True)
    for stream in ("stdout", "stderr"):
        (state / "runs" / "r" / stream).write_text("pl4nted-output")
    over = OperationEnded(ExitCode(3), 5.0)
    call = Operation(RunId("r"), OperationId("call"), "echo pl4nted-command", "", "", 0.0, 1.0, over, 1, 1)
    with closing(Store(state / "state.db")) as store:
        store.save([call], [])
    supervisor("bundle", "b.tar.zst", "--state-dir", str(state))
    files = unpacked((folder / "b.tar.zst").read_bytes())

    (told,) = json.loads(files["state/records.json"])
    assert (told["kind"], told["record"]["operation_id"]) == ("Operation", "call")
    (recent,) = json.loads(files["state/recent.json"])
    assert (recent["reference"], recent["phase"], recent["ended_s"]) == ("call", "OperationEnded", 5.0)
    assert [name for name, content in files.items() if b"pl4nted" in content] == []


def test_endpoints_are_tried_only_when_asked_for(
    supervisor: Invoke, folder: Path, loopback_only: list[str]
) -> None:
    with closed() as port:
        (folder / "list").write_text(
            f"groups: [{{name: G, required: true, endpoints: [{{url: 'https://127.0.0.1:{port}'}}]}}]"
        )
        supervisor("bundle", "without")
        supervisor("bundle", "with", "--endpoints", "list")
    without, with_ = (
        json.loads(unpacked((folder / name).read_bytes())["doctor.json"]) for name in ("without", "with")
    )

    assert {each["group"] for each in without["findings"]} == {"Machine"}
    assert [each["trouble"] for each in with_["findings"] if each["group"] == "G"] == ["refused"]


def test_list_of_endpoints_that_is_wrong_is_told_at_once(supervisor: Invoke, folder: Path) -> None:
    (folder / "list").write_text("groups: 1")
    result = supervisor("bundle", "b", "--endpoints", "list")

    assert result.status == 1
    assert "list:1:9: groups: a list" in result.err
    assert not (folder / "b").exists()


def test_file_is_for_its_owner_alone(supervisor: Invoke, folder: Path) -> None:
    supervisor("bundle", "b.tar.zst")

    assert stat.S_IMODE((folder / "b.tar.zst").stat().st_mode) == 0o600


def test_name_is_made_from_the_time(supervisor: Invoke, folder: Path) -> None:
    supervisor("bundle")

    assert [path.suffixes for path in folder.glob("supervisor-bundle-*")] == [[".tar", ".zst"]]


def test_existing_file_is_never_overwritten(supervisor: Invoke, folder: Path) -> None:
    (folder / "b").write_text("mine")
    result = supervisor("bundle", "b")

    assert (result.status, (folder / "b").read_text()) == (1, "mine")
    assert result.err == 'supervisor: cannot write "b": it exists already; name another file\n'


def test_place_that_cannot_be_written_is_told_in_one_sentence(supervisor: Invoke) -> None:
    result = supervisor("bundle", "no/such/folder/b")

    assert result.status == 1
    assert result.err.startswith(
        'supervisor: cannot write "no/such/folder/b": no such file or directory; name a file'
    )


def test_full_disk_leaves_nothing_behind(folder: Path) -> None:
    done = program("b.tar.zst", stdout=subprocess.PIPE, limit_bytes=1000)

    assert done.returncode == 1
    assert done.stderr.startswith(b'supervisor: cannot write "b.tar.zst": file too large')
    assert list(folder.glob("*b.tar.zst*")) == []


def test_bundle_goes_through_a_pipe(folder: Path) -> None:
    done = program("-", stdout=subprocess.PIPE)

    assert (done.returncode, done.stderr) == (0, b"")
    assert "manifest.json" in unpacked(done.stdout)


def test_pipe_that_is_closed_ends_it_quietly(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = program("-", stdout=write)
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (141, b"")


def test_device_that_is_full_is_told(folder: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = program("-", stdout=full.fileno())

    assert done.returncode == 1
    assert done.stderr == b"supervisor: cannot write the bundle to standard output: no space left on device\n"


def test_terminal_gets_no_bytes(folder: Path) -> None:
    main, side = pty.openpty()
    try:
        done = program("-", stdout=side)
    finally:
        os.close(main)
        os.close(side)

    assert done.returncode == 1
    assert done.stderr.startswith(b"supervisor: cannot write a bundle to a terminal")


@needs_root
def test_link_of_another_user_leads_to_no_file_that_this_user_may_not_read(
    supervisor: Invoke, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_folder / "roots").write_text("for root alone\n")
    (open_folder / "roots").chmod(0o600)
    workspace = open_folder / "workspace"
    workspace.mkdir()
    (workspace / "automations.yaml").symlink_to(open_folder / "roots")
    monkeypatch.chdir(workspace)

    def why_left_out() -> str:
        bundle = open_folder / "b.tar.zst"
        supervisor("bundle", str(bundle))
        files = unpacked(bundle.read_bytes())
        bundle.unlink()
        assert not any(b"for root alone" in content for content in files.values())
        left_out = {each["name"]: each["why"] for each in manifest_of(files)["leftOut"]}
        return str(left_out["automations.yaml"])

    os.chown(workspace, UID, GID)
    assert "may not read what it leads to" in why_left_out()
    os.chown(workspace, 0, 0)
    os.chown(workspace / "automations.yaml", UID, GID, follow_symlinks=False)
    assert "may not read what it leads to" in why_left_out()
    (workspace / "automations.yaml").unlink()
    (workspace / ".gitpod").symlink_to(open_folder / "other")
    (open_folder / "other").mkdir()
    (open_folder / "roots").rename(open_folder / "other/automations.yaml")
    os.chown(workspace / ".gitpod", UID, GID, follow_symlinks=False)
    assert "may not read what it leads to" in why_left_out()


def test_settings_that_cannot_be_used_are_told_inside(
    supervisor: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERVISOR_LOG_LIMIT", "many")
    (folder / "token").write_text("pl4nted-in-a-file")
    monkeypatch.setenv("SUPERVISOR_ENVIRONMENT_TOKEN_FILE", "token")
    (folder / "automations.yaml").write_text("# pl4nted-in-a-file")
    result = supervisor("bundle", "b.tar.zst")
    files = unpacked((folder / "b.tar.zst").read_bytes())

    assert result.status == 0
    assert "SUPERVISOR_LOG_LIMIT" in json.loads(files["config.json"])["error"]
    assert files["automations.yaml"] == b"# ***"


def test_damaged_state_is_told_inside(supervisor: Invoke, folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "damaged"
    (state / "runs").mkdir(parents=True)
    (state / "state.db").write_bytes(b"this is no database" * 1000)
    (state / "runs" / "stray").touch()
    result = supervisor("bundle", "b.tar.zst", "--state-dir", state)
    left_out = {
        each["name"]: each["why"]
        for each in manifest_of(unpacked((folder / "b.tar.zst").read_bytes()))["leftOut"]
    }

    assert result.status == 0
    assert left_out["state/records.json"] == "the database cannot be read: file is not a database"


def test_nothing_that_stands_in_a_state_directory_is_waited_for_or_followed(
    supervisor: Invoke, folder: Path, tmp_path: Path
) -> None:
    state = tmp_path / "other-state"
    (state / "runs/run").mkdir(parents=True)
    (state / "scripts").mkdir()
    names = (
        "lock",
        "workspace",
        "cwd",
        "token.key",
        "run-facts",
        "state.db",
        "state.db-wal",
        "stacks",
        "stalls",
        "crash-1.txt",
    )
    for name in (*names, "runs/run/log", "runs/run/started", "scripts/text.sh"):
        os.mkfifo(state / name)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/log").write_text("not ours")
    (state / "runs/planted").symlink_to(tmp_path / "elsewhere")

    result = supervisor("bundle", "b.tar.zst", "--state-dir", str(state))

    assert result.status == 0, result.err
    files = unpacked((folder / "b.tar.zst").read_bytes())
    left_out = {each["name"]: each["why"] for each in manifest_of(files)["leftOut"]}
    assert "it is a FIFO" in left_out["state/records.json"]
    assert "it is a FIFO" in left_out["runs/run/log"]
    assert "it is a FIFO" in left_out["scripts/text.sh"]
    assert "it is a FIFO" in left_out["state/run-facts"]
    assert not [name for name in files if "planted" in name]
