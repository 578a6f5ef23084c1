"""`supervisor init`: a file to start from."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.config import find_file, load_file
from supervisor.config.lookup import PLACES
from tests.cli.conftest import PROGRAM, Invoke


def test_starter_file_is_written_to_the_first_place_and_validates(supervisor: Invoke, folder: Path) -> None:
    result = supervisor("init")

    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("wrote .ona/automations.yaml; ")
    assert "# " in (folder / ".ona/automations.yaml").read_text()
    assert supervisor("validate").status == 0
    assert load_file(".ona/automations.yaml").problems == ()


def test_dash_prints_what_would_be_written(supervisor: Invoke) -> None:
    text = supervisor("init", "-").out

    supervisor("init", "a.yaml")
    assert Path("a.yaml").read_text() == text


@pytest.mark.parametrize("kind", ["file", "link that leads nowhere"])
def test_existing_file_is_never_overwritten(supervisor: Invoke, folder: Path, kind: str) -> None:
    if kind == "file":
        (folder / "a.yaml").write_text("mine\n")
    else:
        (folder / "a.yaml").symlink_to("elsewhere.yaml")

    result = supervisor("init", "a.yaml")

    assert result.status == 1
    assert result.err == 'supervisor: cannot write "a.yaml": it exists already; name another file\n'
    assert not (folder / "elsewhere.yaml").exists()
    assert kind != "file" or (folder / "a.yaml").read_text() == "mine\n"


def test_place_that_cannot_be_written_is_told(supervisor: Invoke, folder: Path) -> None:
    (folder / "file").touch()

    result = supervisor("init", "file/a.yaml")

    assert (result.status, "Traceback" in result.err) == (1, False)
    assert result.err.startswith('supervisor: cannot write "file/a.yaml": ')


@pytest.mark.parametrize("place", PLACES[1:])
def test_file_that_the_workspace_has_already_is_not_hidden_by_a_new_one(
    supervisor: Invoke, folder: Path, place: str
) -> None:
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text("tasks: {}\n")

    result = supervisor("init")

    assert result.status == 1
    assert result.err == (
        f'supervisor: cannot write ".ona/automations.yaml": "{place}" exists already and would no longer be read; '
        "edit that, or move it away first\n"
    )
    assert find_file(folder).path == folder / place


def test_file_that_would_never_be_read_is_not_written(supervisor: Invoke, folder: Path) -> None:
    (folder / "w/.ona").mkdir(parents=True)
    (folder / "w/.ona/automations.yml").symlink_to("nowhere")

    result = supervisor("init", "w/automations.yaml")

    assert (result.status, (folder / "w/automations.yaml").exists()) == (1, False)
    assert f'"{folder}/w/.ona/automations.yml" exists already and is read instead; edit that' in result.err
    assert supervisor("init", "w/other.yaml").status == 0


def test_folder_inside_a_workspace_gets_a_file_only_if_it_is_named(
    supervisor: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "automations.yaml").write_text("tasks: {}\n")
    (folder / "a/b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a/b")

    result = supervisor("init")

    assert result.status == 1
    assert (
        f'this folder is inside the workspace {folder}, which has "{folder}/automations.yaml"' in result.err
    )
    assert not (folder / "a/b/.ona").exists()
    assert supervisor("init", ".ona/automations.yaml").status == 0


def test_half_of_a_file_is_not_left_on_a_full_disk(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-B", PROGRAM, "init", "a.yaml"],
        cwd=folder,
        # Like a full disk: no file may grow beyond 100 bytes. Python itself ignores the signal for that.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == 'supervisor: cannot write "a.yaml": File too large\n'
    assert list(folder.iterdir()) == []
