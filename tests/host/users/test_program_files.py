"""Which users may change the program: its files, its folders, and the folders above."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.host.users import program_files
from supervisor.host.users.program_files import first_doubt
from supervisor.model.errors import BadSettings
from tests.host.users.other_user import GID, UID, needs_root

pytestmark = needs_root


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "way/program/below").mkdir(parents=True)
    (tmp_path / "way/program/below/module.py").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/module.py").touch()
    (tmp_path / "way/program/link.py").symlink_to(tmp_path / "elsewhere/module.py")
    return tmp_path / "way/program"


def test_nothing_is_said_of_what_is_roots(program: Path) -> None:
    program.parent.parent.chmod(0o1777)  # as /tmp: there nobody can exchange what is not his
    assert first_doubt([str(program)]) is None


@pytest.mark.parametrize(
    ("hurt", "path", "why"),
    [
        (lambda p: os.chown(p / "below/module.py", UID, GID), "way/program/below/module.py", f"belongs to user {UID}"),
        (lambda p: (p / "below/module.py").chmod(0o646), "way/program/below/module.py", "can be written by others"),
        (lambda p: (p / "below").chmod(0o775), "way/program/below", "can be written by others"),
        (lambda p: (p / "below").chmod(0o1777), "way/program/below", "can be written by others"),
        (lambda p: os.chown(p.parent, UID, GID), "way", f"belongs to user {UID}"),
        (lambda p: p.parent.chmod(0o777), "way", "can be written by others"),
        (lambda p: os.chown(p / "link.py", UID, GID), "elsewhere/module.py", f"belongs to user {UID}"),
        (lambda p: (p.parent.parent / "elsewhere").chmod(0o777), "elsewhere", "can be written by others"),
        (lambda p: os.lchown(p / "link.py", UID, GID), "way/program/link.py", f"belongs to user {UID}"),
    ],
)  # fmt: skip
def test_what_others_may_write_is_named(
    program: Path, hurt: Callable[[Path], object], path: str, why: str
) -> None:
    hurt(program)
    found = first_doubt([str(program)])
    assert found is not None
    assert (found.path, found.why) == (str(program.parent.parent / path), why)


def test_refusal_says_what_to_do(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_files, "roots", lambda: [str(program)])
    program_files.check("dev")
    (program / "below/module.py").chmod(0o666)
    with pytest.raises(BadSettings) as caught:
        program_files.check("dev")
    assert str(caught.value) == (
        'cannot run commands as user "dev": the supervisor is root, and its program could be changed: '
        f"{program}/below/module.py can be written by others; "
        "give its files to root (chown -R root, chmod -R go-w), or install it where only root may write"
    )


def test_all_that_is_executed_is_looked_at() -> None:
    import supervisor

    package = os.path.dirname(supervisor.__file__)
    assert {package, f"{os.path.dirname(package)}/bin"} <= set(program_files.roots())
