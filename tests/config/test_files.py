"""Files with the verdict that they get, word for word: `NAME.yaml` and its `NAME.txt` in `fixtures/files`.

After a change of the wording: `SUPERVISOR_WRITE_VERDICTS=1 bin/test tests/config/test_files.py`; then read the changes.
"""

import os
from pathlib import Path

import pytest

from supervisor.config import load_file

FILES = Path(__file__).parents[2] / "fixtures" / "files"


def verdict(path: Path) -> str:
    return "".join(problem.render(path.name) + "\n" for problem in load_file(path).problems)


def expected(path: Path) -> str:
    text = path.with_suffix(".txt")
    if "SUPERVISOR_WRITE_VERDICTS" in os.environ and verdict(path):
        text.write_text(verdict(path), encoding="utf-8")
    return text.read_text(encoding="utf-8") if text.exists() else ""


@pytest.mark.parametrize("path", sorted(FILES.glob("refused/*.yaml")), ids=lambda path: path.stem)
def test_refused_file_gets_its_verdict(path: Path) -> None:
    assert load_file(path).file is None
    assert verdict(path) == expected(path) != ""


@pytest.mark.parametrize("path", sorted(FILES.glob("accepted/*.yaml")), ids=lambda path: path.stem)
def test_accepted_file_gets_at_most_warnings(path: Path) -> None:
    assert load_file(path).file is not None
    assert verdict(path) == expected(path)
