"""A file that appears whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.bundle.output_file import whole_file
from supervisor.model.errors import SupervisorError


@pytest.fixture(params=["without a name", "beside", "beside, no links"], autouse=True)
def filesystem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the filesystem knows: files without a name, hard links, or neither. The first is that of the machine."""
    kind: str = request.param
    if kind != "without a name":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # opens no folder for writing: EISDIR
    if kind == "beside, no links":
        monkeypatch.setattr(os, "link", _no_links)
    return kind


def _no_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_file_appears_at_the_end_for_its_owner_alone(tmp_path: Path) -> None:
    with whole_file(tmp_path / "f") as out:
        out.write(b"hello")
        assert not (tmp_path / "f").exists()

    assert (tmp_path / "f").read_bytes() == b"hello"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), ValueError()])
def test_nothing_is_left_of_one_that_fails(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        with whole_file(tmp_path / "f") as out:
            out.write(b"hello")
            raise error

    with pytest.raises((SupervisorError, KeyboardInterrupt, ValueError)):
        fail()

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "dangling link", "folder"])
def test_what_is_there_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    match kind:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("nowhere")

    with pytest.raises(SupervisorError, match="it exists already"), whole_file(path):
        pass

    assert os.listdir(tmp_path) == ["f"]


def test_file_that_came_meanwhile_stays(tmp_path: Path) -> None:
    def write() -> None:
        with whole_file(tmp_path / "f") as out:
            out.write(b"hello")
            (tmp_path / "f").write_text("mine")

    with pytest.raises(SupervisorError, match="it exists already"):
        write()

    assert (tmp_path / "f").read_text() == "mine"
    assert os.listdir(tmp_path) == ["f"]


def test_writer_that_is_killed_leaves_nothing(tmp_path: Path, filesystem: str) -> None:
    if filesystem != "without a name":
        pytest.skip("a file with another name stays")
    script = (
        "import pathlib, sys\n"
        "from supervisor.bundle.output_file import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as out:\n"
        "    out.write(b'x' * 100_000)\n"
        "    print('written', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "f")],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"written\n"
        writer.kill()

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["none/f", "file/f", "x" * 300])
def test_place_that_cannot_be_written_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SupervisorError, match=r'cannot write ".*": .*; name a file elsewhere'),
        whole_file(tmp_path / path),
    ):
        pass
