"""`supervisor init`: a file to start from."""

from pathlib import Path

import pytest

from supervisor.config import load_file
from tests.cli.conftest import Invoke


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
