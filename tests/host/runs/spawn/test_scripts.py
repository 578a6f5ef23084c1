"""One file for each text that a shell reads, whatever happens to it."""

import os
import stat
from pathlib import Path

import pytest

from supervisor.host.runs.run import Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn import scripts
from supervisor.host.runs.spawn.scripts import Scripts
from supervisor.host.users.account import Account
from supervisor.model.action import RunKind
from supervisor.model.errors import MachineError
from supervisor.model.ids import RunId
from tests.host.users.other_user import GID, UID, needs_root, open_folder, other

__all__ = ["open_folder"]

TEXT = "echo \N{SNOWMAN}\nexit 3\n"


class Folder:
    def __init__(self, state: Path) -> None:
        self.state = state
        self.runs: dict[str, Run] = {}
        self.probed: dict[str, str] = {}
        self.scripts = self.next_supervisor()

    def next_supervisor(self, account: Account | None = None) -> Scripts:
        self.scripts = Scripts(self.state, account, self.runs, self.probed)
        return self.scripts

    def run(self, text: str) -> None:
        """A run of this text lives."""
        run_id = RunId(f"r{len(self.runs)}")
        directory = RunDir(self.state / "runs", run_id)
        self.runs[run_id] = Run(run_id, RunKind.TASK, "r", directory, script=text)

    def texts(self) -> set[str]:
        return {path.read_text() for path in (self.state / "scripts").glob("*.sh")}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_text_has_one_file_however_often_it_is_run(folder: Folder) -> None:
    path = folder.scripts.path(TEXT)
    before = os.lstat(path)
    assert Path(path).read_text() == TEXT
    assert stat.S_IMODE(before.st_mode) == 0o400
    assert folder.scripts.path(TEXT) == path
    assert folder.next_supervisor().path(TEXT) == path
    assert os.lstat(path) == before
    assert folder.scripts.path("exit 4") != path
    assert sorted(os.listdir(os.path.dirname(path))) == sorted(
        ["key", os.path.basename(path), os.path.basename(folder.scripts.path("exit 4"))]
    )


def test_a_text_that_is_not_utf_8_is_written_as_it_was_read(folder: Folder) -> None:
    assert Path(folder.scripts.path("echo \udcff")).read_bytes() == b"echo \xff"


def test_the_name_tells_nothing_about_the_text_without_the_key(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    names = {os.path.basename(it.path(TEXT)) for it in (folder.scripts, Folder(tmp_path / "other").scripts)}
    assert len(names) == 2
    assert stat.S_IMODE(os.lstat(tmp_path / "scripts").st_mode) == 0o700
    assert stat.S_IMODE(os.lstat(tmp_path / "scripts" / "key").st_mode) == 0o600


def appended(path: Path) -> None:
    path.chmod(0o600)
    with path.open("a") as file:
        file.write("echo more\n")
    path.chmod(0o400)


def overwritten(path: Path) -> None:
    path.chmod(0o600)
    path.write_text(TEXT.replace("3", "4"))
    path.chmod(0o400)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def linked(path: Path) -> None:
    path.rename(path.with_name("kept"))
    path.symlink_to("kept")


def made_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def made_writable(path: Path) -> None:
    path.chmod(0o622)


def replaced(path: Path) -> None:
    aside = path.with_name("aside")
    aside.write_text("rm -r /\n")
    aside.rename(path)


@pytest.mark.parametrize(
    "hurt", [Path.unlink, appended, overwritten, emptied, linked, made_a_fifo, made_writable, replaced]
)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_file_that_somebody_changed_is_made_anew(folder: Folder, hurt: object, restarted: bool) -> None:
    path = Path(folder.scripts.path(TEXT))
    with path.open() as read_by_a_shell:
        assert callable(hurt)
        hurt(path)
        seen = read_by_a_shell.read()
        if restarted:
            folder.next_supervisor()
        assert folder.scripts.path(TEXT) == str(path)
        read_by_a_shell.seek(0)
        assert read_by_a_shell.read() == seen, "what a shell reads does not change while it runs"
    status = os.lstat(path)
    assert (stat.S_IMODE(status.st_mode), stat.S_ISREG(status.st_mode)) == (0o400, True)
    assert path.read_text() == TEXT


def test_what_a_killed_supervisor_left_unfinished_is_made_anew(folder: Folder) -> None:
    path = Path(folder.scripts.path(TEXT))
    torn = path.with_name(f"{path.name}.new")
    torn.write_text("ec")
    path.chmod(0o600)
    path.write_text("ec")
    path.chmod(0o400)
    assert folder.next_supervisor().path(TEXT) == str(path)
    assert path.read_text() == TEXT
    (path.parent / "key").write_bytes(b"half")
    assert Path(folder.next_supervisor().path(TEXT)).read_text() == TEXT


def test_a_folder_that_was_removed_is_made_again_with_its_key(folder: Folder) -> None:
    path = Path(folder.scripts.path(TEXT))
    key = (path.parent / "key").read_bytes()
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()
    assert folder.scripts.path(TEXT) == str(path)
    assert (path.parent / "key").read_bytes() == key


def test_a_file_that_cannot_be_written_is_a_reason(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "scripts").write_text("no folder")
    with pytest.raises(MachineError, match=r"cannot write the script .*/scripts: "):
        folder.scripts.path(TEXT)


@pytest.mark.anyio
async def test_the_next_supervisor_removes_what_no_live_run_was_started_with(folder: Folder) -> None:
    for text in ("live", "probed", "again", "old"):
        folder.scripts.path(text)
    (folder.state / "scripts" / "x.sh.new").touch()
    later = folder.next_supervisor()
    folder.run("live")
    folder.probed["web.2"] = "probed"
    later.path("again")
    await later.tidy()
    assert folder.texts() == {"live", "probed", "again"}
    assert len(os.listdir(folder.state / "scripts")) == 4
    await Scripts(folder.state / "nothing", None, {}, {}).tidy()


def test_of_too_many_the_one_that_was_not_run_for_longest_goes(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "_MOST", 3)
    folder.run("live")
    for text in ("live", "a", "b", "a", "c"):
        folder.scripts.path(text)
    assert folder.texts() == {"live", "a", "c"}
    for text in "efg":
        folder.run(text)
        folder.scripts.path(text)
    assert folder.texts() == {"live", "e", "f", "g"}, "those of live runs stay"


@needs_root
def test_a_script_of_another_users_command_is_that_users_alone(open_folder: Path) -> None:
    user = Folder(open_folder)
    path = user.next_supervisor(other(str(open_folder))).path(TEXT)
    status = os.lstat(path)
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o400, UID, GID)
    above = os.lstat(os.path.dirname(path))
    assert (stat.S_IMODE(above.st_mode), above.st_uid, above.st_gid) == (0o710, 0, GID)
    assert user.next_supervisor(other(str(open_folder))).path(TEXT) == path
    assert os.lstat(path) == status
    assert user.next_supervisor().path(TEXT) == path, "and root's, once commands run as root"
    assert os.lstat(path).st_uid == 0
