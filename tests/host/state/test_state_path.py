"""Where the state of a workspace is kept."""

import os
import pwd
from pathlib import Path

import pytest

from supervisor.host.state.state_path import default_path


def no_such_user(uid: int) -> pwd.struct_passwd:
    raise KeyError(uid)


def test_default_path_names_the_workspace(tmp_path: Path) -> None:
    path = default_path("/work/shop", {"HOME": str(tmp_path)})

    assert path.parent == tmp_path / ".local/state/supervisor"
    assert path.name == "shop-dbea7844"


def test_default_path_is_different_for_each_workspace_and_the_same_for_each_way_to_it(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    (tmp_path / "shop").mkdir()
    (tmp_path / "link").symlink_to("shop")

    assert default_path("/a/shop", environ) != default_path("/b/shop", environ)
    assert default_path(f"{tmp_path}/link/", environ) == default_path(f"{tmp_path}/shop", environ)


@pytest.mark.parametrize(
    ("workspace", "name"),
    [
        ("/", "root"),
        ("/w/my shop\udce9", "my_shop_"),
        (f"/w/{'x' * 255}", "x" * 32),
        ("/w/.hidden", ".hidden"),
    ],
)
def test_default_path_is_short_and_plain_whatever_the_workspace_is_called(workspace: str, name: str) -> None:
    assert default_path(workspace, {"HOME": "/"}).name[:-9] == name


def test_default_path_follows_the_xdg_specification(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}

    assert default_path("/w", home | {"XDG_STATE_HOME": "/var/me"}).parent == Path("/var/me/supervisor")
    assert default_path("/w", home | {"XDG_STATE_HOME": "relative"}) == default_path("/w", home)
    assert default_path("/w", home | {"XDG_STATE_HOME": ""}) == default_path("/w", home)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "/does/not/exist"}, {"HOME": "relative"}])
def test_default_path_without_a_home_asks_the_password_database_and_then_takes_tmp(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = pwd.struct_passwd(("me", "x", os.geteuid(), 0, "", str(tmp_path), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: entry)
    assert default_path("/w", environ).parent == tmp_path / ".local/state/supervisor"

    monkeypatch.setattr(pwd, "getpwuid", no_such_user)
    assert default_path("/w", environ).parent == Path(f"/tmp/supervisor-{os.geteuid()}")
