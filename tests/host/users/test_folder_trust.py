"""Which users can exchange a folder on the path of the state directory, on real folders."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.host.state.state_directory import StateDir
from supervisor.host.users.folder_trust import doubt
from supervisor.model.errors import BadSettings
from tests.host.users.other_user import GID, UID, needs_root, open_folder

__all__ = ["open_folder"]

ROOT = Path(__file__).parents[3]


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@needs_root
def test_root_uses_no_folder_below_one_of_somebody_else(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir()
    os.chown(home, UID, GID)

    with pytest.raises(
        BadSettings, match=f"{home} belongs to user {UID}.*choose one below folders that are root's"
    ):
        StateDir(home / "state", "/w")
    assert list(home.iterdir()) == []


@needs_root
def test_root_follows_no_link_that_somebody_else_can_exchange(open_folder: Path) -> None:
    (open_folder / "home").mkdir()
    (open_folder / "home/link").symlink_to(open_folder)
    (open_folder / "mine").symlink_to("home/link")
    assert doubt(open_folder / "mine/state") is None

    os.chown(open_folder / "home", UID, GID)
    found = doubt(open_folder / "mine/state")
    assert found is not None
    assert found.path == str(open_folder / "home")

    os.chown(open_folder / "home", 0, 0)
    os.chown(open_folder / "home/link", UID, GID, follow_symlinks=False)
    found = doubt(open_folder / "mine/state")
    assert found is not None
    assert found.path == str(open_folder / "home/link")


@needs_root
@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_root_uses_no_folder_below_one_that_others_may_write_unless_it_is_sticky(
    open_folder: Path, mode: int
) -> None:
    (open_folder / "shared").mkdir()
    (open_folder / "shared").chmod(mode)
    with pytest.raises(BadSettings, match="shared can be written by others"):
        StateDir(open_folder / "shared/state", "/w")

    (open_folder / "shared").chmod(mode | 0o1000)
    StateDir(open_folder / "shared/state", "/w").close()


@needs_root
def test_folder_that_is_made_in_a_sticky_one_before_ours_is_refused(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = open_folder / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    mkdir = os.mkdir

    def mkdir_late(path: os.PathLike[str], mode: int = 0o777) -> None:
        if Path(path) == shared / "a":
            mkdir(path)
            os.chown(path, UID, GID)
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir_late)
    with pytest.raises(BadSettings, match=f"shared/a belongs to user {UID}"):
        StateDir(shared / "a/state", "/w")


@needs_root
def test_user_uses_own_folders_and_those_of_root_alone(open_folder: Path) -> None:
    (open_folder / "home/own").mkdir(parents=True)
    os.chown(open_folder / "home/own", UID, GID)
    (open_folder / "home/own").chmod(0o775)
    with acting_as(UID):
        assert doubt(open_folder / "home/own/state") is None

    os.chown(open_folder / "home", UID + 7, GID)
    with acting_as(UID):
        found = doubt(open_folder / "home/own/state")
        assert found is not None
        assert found.why == f"belongs to user {UID + 7}"


def test_way_that_goes_round_in_circles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    found = doubt(tmp_path / "loop/state")
    assert found is not None
    assert found.why == "there are too many symbolic links"


@needs_root
def test_in_a_user_namespace_root_outside_counts_as_root(open_folder: Path) -> None:
    imports = "from supervisor.host.users.folder_trust import doubt; import os"
    asked = f"{imports}; print(os.geteuid(), doubt('/usr/lib/state'))"
    done = subprocess.run(
        [*("unshare", "--user"), sys.executable, "-c", asked],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    if done.returncode:
        pytest.skip(f"no user namespace here: {done.stderr}")
    assert done.stdout == "65534 None\n"
