"""Points 6 to 8: reading, writing, and who may do it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf.message import Message

from platform_wire import environmentopts_pb2 as pb
from tests.acceptance.others import Others, command_of
from tests.acceptance.trial import SDKS, LeftOut, Trial, part, printed, until
from tests.clients import test_ops_access, test_ops_files, test_ops_files_killed
from tests.clients.harness import Driver, Supervisor
from tests.e2e.harness import Program
from tests.e2e.ops_client import OpsClient, OpsFailure
from tests.e2e.test_user import Machine
from tests.host.users.other_user import UID
from tests.removal import remove

PROGRAM = "ops_files.py"
MODES = (
    pb.WRITE_MODE_CREATE,
    pb.WRITE_MODE_TRUNCATE,
    pb.WRITE_MODE_CREATE_OR_TRUNCATE,
    pb.WRITE_MODE_APPEND,
)


@part(6, "1,000 parallel read_file of 64 KiB, and Exec meanwhile")
def reads(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        others = Others(command_of(OpsClient(driver.supervisor.port, driver.supervisor.token())))
        with others.meanwhile():
            said = printed(
                test_ops_files.test_many_reads_at_one_moment_are_all_right, driver, trial.scale >= 1
            )
        took_s, _, slowest_s = map(float, said.split())
        return (
            f"all right in {took_s:.2f} s, the slowest other call {slowest_s * 1000:.0f} ms, "
            f"{len(others.took_s)} commands, the slowest {max(others.took_s) * 1000:.0f} ms"
        )

    return trial.by_both(PROGRAM, work, 120)


@part(6, "5 GiB sparse whole and in parts, FIFO, link loop, /proc/self/status, 100,000 entries")
def odd_files(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        return printed(
            test_ops_files.test_files_that_cannot_be_read_whole_or_at_all, driver, trial.scale >= 1
        )

    return trial.by_both(PROGRAM, work, 120)


@part(7, "the four modes against present and missing")
def modes(trial: Trial) -> str:
    return trial.by_both(
        PROGRAM, lambda driver: printed(test_ops_files.test_the_four_modes_of_writing, driver)
    )


@part(7, "20 CREATE at once, 50 APPEND of 1 MiB at once")
def crowd(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        full = trial.scale >= 1
        return printed(test_ops_files.test_many_that_create_and_add_at_one_moment, driver, full)

    return trial.by_both(PROGRAM, work, 120)


@part(7, "128 MiB there and back, 200 MB: RateLimitedError")
def large(trial: Trial) -> str:
    def work(driver: Driver) -> str:
        said = printed(test_ops_files.test_a_large_file_there_and_back, driver, trial.scale >= 1)
        before_kb, after_kb, asked, slowest_s = said.split()
        return (
            f"refused as it must be; memory {(int(after_kb) - int(before_kb)) / 1000:+.1f} MB, "
            f"of {asked} others the slowest {float(slowest_s) * 1000:.0f} ms"
        )

    return trial.by_both(PROGRAM, work, 120)


@part(7, "100 MB with a kill -9 in the middle, 50 times")
def killed_writes(trial: Trial) -> str:
    kills, size = trial.size(50, 2), trial.size(100_000_000, 20_000_000)
    with trial.project() as project:
        found = test_ops_files_killed.outcomes(project, trial.dice, kills, size)
    return ", ".join(f"{what}: {count}" for what, count in found.items()) + "; nothing beside the file"


@part(7, "a link, a hard link, mode bits")
def links(trial: Trial) -> str:
    with trial.calls() as (supervisor, ops):
        folder = supervisor.project.folder
        (folder / "target").write_text("old")
        (folder / "target").chmod(0o4751)
        (folder / "link").symlink_to("target")
        os.link(folder / "target", folder / "other name")
        for name, content in (("link", "by the link"), ("other name", "by the other"), ("target", "itself")):
            ops.unary(
                "WriteFile", pb.WriteFileRequest(path=name, content=content.encode()), pb.WriteFileResponse
            )
            found = [(folder / each).read_text() for each in ("link", "target", "other name")]
            assert found == [content] * 3, found
        assert (folder / "link").is_symlink()
        mode = (folder / "target").stat().st_mode & 0o777
        assert mode == 0o751, oct(mode)
        (folder / "alone").write_text("old")
        (folder / "alone").chmod(0o751)
        ops.unary("WriteFile", pb.WriteFileRequest(path="alone", content=b"new"), pb.WriteFileResponse)
        assert (folder / "alone").stat().st_mode & 0o777 == 0o751
        assert sorted(os.listdir(folder)) == ["alone", "link", "other name", "target"]
    return "one content by all names, the link is one, the modes are kept"


# Point 8 --------------------------------------------------------------------------------------------------------------


class UsersSupervisor(Supervisor):
    """Root's supervisor whose commands are the user dev's, as that user reaches it."""

    def __init__(self, machine: Machine, program: Program) -> None:
        self.project, self.program, self._machine = machine, program, machine
        self._token = ""
        until(self._answers, "the token")
        state = json.loads(machine.ended(machine.as_user(program, "status", "--format", "json"))[1])
        self.port = int(state["url"].rpartition(":")[2])
        self.environment_id = state["environmentId"]

    def token(self, kind: str = "Access") -> str:
        return self._token

    def _answers(self) -> bool:
        self._token = self._machine.ended(self._machine.as_user(self.program, "token"))[1].strip()
        return bool(self._token)


@contextmanager
def other_user() -> Iterator[tuple[Machine, UsersSupervisor]]:
    """A supervisor with `--user dev`. Raises LeftOut where that cannot be."""
    if os.geteuid() != 0:
        raise LeftOut("only root may act as another user")
    folder = Path(tempfile.mkdtemp(prefix="acc-user-", dir="/tmp"))
    folder.chmod(0o755)
    machine = Machine(folder)
    try:
        program = machine.supervise()
        yield machine, UsersSupervisor(machine, program)
        assert machine.stop(program) == 130, program.err
    finally:
        machine.close()
        remove(folder)


def code_of(ops: OpsClient, method: str, request: Message) -> str:
    """The code that a call is refused with; empty: it is not."""
    try:
        ops.unary(method, request, getattr(pb, f"{method}Response"))
    except OpsFailure as failure:
        return failure.code
    return ""


@part(8, "--user dev: what is closed to dev is permission_denied wherever a path is taken")
def closed(trial: Trial) -> str:
    with other_user() as (machine, supervisor):
        ops, folder = OpsClient(supervisor.port, supervisor.token()), machine.folder
        seen = Path(f"/proc/{supervisor.program.pid}/root")
        (key,) = seen.glob("var/lib/supervisor/*/token.key")
        (folder / "closed").mkdir(mode=0o700)
        (folder / "closed/file").write_text("root's")
        (folder / "planted").symlink_to("/etc/shadow")
        (folder / "planted folder").symlink_to(folder / "closed")
        files = ["/etc/shadow", "planted", f"/{key.relative_to(seen)}", "closed/file", "planted folder/file"]
        folders = ["closed", str(key.parent).removeprefix(str(seen)), "planted folder"]
        if not sys.base_prefix.startswith("/root"):
            (seen / "root").chmod(0o700)
            (seen / "root/file").write_text("root's")
            files, folders = [*files, "/root/file"], [*folders, "/root"]
        tried = {}
        for path in files:
            tried[f"ReadFile {path}"] = code_of(ops, "ReadFile", pb.ReadFileRequest(path=path))
            for mode in MODES:
                request = pb.WriteFileRequest(path=path, content=b"x", mode=mode)
                code = code_of(ops, "WriteFile", request)
                if mode == pb.WRITE_MODE_CREATE and code == "already_exists":
                    continue  # its folder shows that much to anybody
                tried[f"WriteFile {pb.WriteMode.Name(mode)} {path}"] = code
        enterable = str(key.parent).removeprefix(str(seen))
        for path in folders:
            requests: dict[str, Message] = {
                "Find": pb.FindRequest(path=path, pattern="*"),
                "ReadFile": pb.ReadFileRequest(path=path),
                "WriteFile": pb.WriteFileRequest(path=f"{path}/new/file", content=b"x"),
            }
            if path != enterable:  # that one shows nothing, and the user's socket is in it
                requests["Exec"] = pb.ExecRequest(command="true", working_directory=path)
                requests["CreateTerminal"] = pb.CreateTerminalRequest(shell="sh", working_directory=path)
            for method, asked in requests.items():
                tried[f"{method} {path}"] = code_of(ops, method, asked)
        wrong = {what: code for what, code in tried.items() if code != "permission_denied"}
        assert not wrong, wrong
        assert (folder / "closed/file").read_text() == "root's"
        assert sorted(os.listdir(folder / "closed")) == ["file"]
    return f"{len(tried)} calls with {len(files) + len(folders)} paths"


@part(8, "the same by the SDKs; new files are dev's; a read-only folder")
def dev(trial: Trial) -> str:
    said = []
    for client in SDKS:
        with other_user() as (machine, supervisor):
            folder = machine.folder
            (folder / "planted").symlink_to("/etc/shadow")
            (folder / "present").write_text("old")
            os.chown(folder / "present", UID, UID)
            (folder / "read-only").mkdir()
            (folder / "read-only/file").write_text("root's")
            found = Driver(client, PROGRAM, supervisor).run("forbidden", paths=["/etc/shadow", "planted"])
            kinds = set(found["refused"].values())
            assert kinds == {"PermissionDeniedError"}, found
            assert (found["own"], (folder / "present").read_text()) == ("dev's", "changed")
            ops = OpsClient(supervisor.port, supervisor.token())
            for name in ("read-only/new", "read-only/file"):
                request = pb.WriteFileRequest(path=name, content=b"x")
                code = code_of(ops, "WriteFile", request)
                assert code == "permission_denied", (name, code)
            ops.unary("Exec", pb.ExecRequest(command="touch made"), pb.ExecResponse)
            for name in ("folder", "folder/mine", "present", "made"):
                assert (folder / name).stat().st_uid == UID, name
            said.append(f"{client.name}: {', '.join(kinds)}, dev's are folder, file and what a command makes")
    return "; ".join(said)


@part(8, "a logs token, an expired one, none, a foreign Host: refused by all 21 methods")
def tokens(trial: Trial) -> str:
    with trial.supervisor() as supervisor:
        test_ops_access.test_all_methods_refuse_tokens_that_are_not_for_them_and_other_hosts(supervisor)
    return "401 or 403 as it must be, 105 times"
