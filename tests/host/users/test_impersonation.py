"""Files that are looked at with another user's rights."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.config.document.source import Unreadable
from supervisor.config.lookup import find_file
from supervisor.host.users import impersonation
from supervisor.host.users.impersonation import can_enter, find_file_as, open_as
from supervisor.model.errors import MachineError
from tests.host.proc.fuse import needs_fuse, silent_filesystem
from tests.host.users.other_user import GID, GROUP, UID, needs_root, open_folder, other

__all__ = ["open_folder"]


@needs_root
def test_can_enter_is_asked_as_that_user(open_folder: Path) -> None:
    dev = other("/")
    closed = open_folder / "closed"
    closed.mkdir(0o700)
    (closed / "inner").mkdir(0o777)
    assert can_enter(dev, open_folder)
    assert not can_enter(dev, closed)
    assert not can_enter(dev, closed / "inner")
    os.chown(closed, -1, dev.groups[1])
    closed.chmod(0o710)
    assert can_enter(dev, closed / "inner"), "its other groups count"
    assert os.geteuid() == 0


@needs_root
@pytest.mark.parametrize(
    ("owner", "group", "mode", "may"),
    [
        (0, 0, 0o644, True),
        (0, 0, 0o600, False),
        (0, 0, 0o640, False),
        (0, GROUP, 0o640, True),
        (0, GROUP, 0o604, False),
        (UID, 0, 0o400, True),
        (UID, GID, 0o044, False),
    ],
)
def test_user_may_read_what_owner_group_and_mode_let(
    open_folder: Path, owner: int, group: int, mode: int, may: bool
) -> None:
    path = open_folder / "file"
    path.touch()
    path.chmod(mode)
    os.chown(path, owner, group)
    assert may_open(path) is may
    # The kernel's own word for it.
    asked = ["setpriv", f"--reuid={UID}", f"--regid={GID}", f"--groups={GROUP}", "cat", str(path)]
    assert (subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0) is may


@needs_root
def test_user_may_not_read_what_lies_in_a_closed_folder_nor_learn_whether_it_is_there(
    open_folder: Path,
) -> None:
    closed = open_folder / "closed"
    closed.mkdir()
    (closed / "file").touch(mode=0o644)
    assert may_open(closed / "file")
    closed.chmod(0o700)
    assert not may_open(closed / "file")
    assert not may_open(closed / "missing")


@needs_root
@pytest.mark.parametrize("name", ["self/environ", "self/maps", "self/mountinfo", "kallsyms", "{pid}/status"])
def test_nothing_in_proc_is_a_users_file(name: str) -> None:
    with pytest.raises((Unreadable, PermissionError)):
        open_as(other("/"), f"/proc/{name.format(pid=os.getpid())}")


@needs_root
@pytest.mark.parametrize("name", ["environ", "maps", "root/etc/passwd", "cwd/file", "fd/{fd}", "exe"])
def test_nothing_of_our_process_is_to_be_had(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (open_folder / "file").touch()
    monkeypatch.chdir(open_folder)
    with (open_folder / "file").open() as file:
        assert not may_open(Path(f"/proc/{os.getpid()}", name.format(fd=file.fileno())))
        with pytest.raises(FileNotFoundError):
            open_as(other("/"), f"/proc/self/fd/{file.fileno()}")


@needs_root
def test_link_is_found_alike_whatever_is_behind_a_closed_folder(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(0o700)
    (open_folder / ".ona").mkdir()
    (open_folder / ".ona/automations.yaml").symlink_to(closed / "target")
    (open_folder / ".gitpod").symlink_to(closed / "folder")
    alone = find_file_as(other("/"), open_folder)
    (closed / "target").mkdir()
    (closed / "folder").mkdir()
    (closed / "folder/automations.yaml").touch()
    assert find_file_as(other("/"), open_folder) == alone
    (open_folder / ".ona/automations.yaml").unlink()
    assert find_file_as(other("/"), open_folder).path is None
    assert find_file(open_folder).path == open_folder / ".gitpod/automations.yaml"


@needs_fuse
def test_filesystem_of_the_users_that_does_not_answer_is_not_waited_for(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impersonation, "ANSWER_S", 0.2)
    with (
        silent_filesystem(open_folder, UID, GID),
        pytest.raises(OSError, match="its filesystem does not answer"),
    ):
        find_file_as(replace(other("/"), groups=()), open_folder)


@needs_root
def test_child_that_may_not_become_the_user_says_so() -> None:
    account = replace(other("/"), uid=-1)
    with pytest.raises(MachineError, match='cannot act as user "dev": we may not change our user'):
        can_enter(account, "/")


def may_open(path: Path) -> bool:
    try:
        os.close(open_as(other("/"), path))
    except PermissionError:
        return False
    return True


ORPHANED = """
import os, signal
from supervisor.host.users import impersonation
from supervisor.host.users.account import owner

def work():
    parent = os.getppid()
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        pass
    return b"", ()

impersonation._ask(owner(0), work)
"""


@needs_root
def test_child_ends_although_the_supervisor_was_killed_meanwhile() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ours:
        # Both outputs are closed only when the child has ended, too, and it has nothing to say.
        out, err = ours.communicate(timeout=20)
    assert (ours.returncode, out, err) == (-signal.SIGKILL, b"", b"")
