"""The copy of the contract is what the contract says now."""

from pathlib import Path

import pytest

from tests.contract import COPIED, SHARED


def contents(path: Path) -> dict[str, bytes]:
    """`{name below the path: content}`"""
    files = [path] if path.is_file() else sorted(path.rglob("*.txt"))
    return {"" if file == path else str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.mark.parametrize("copy", COPIED, ids=lambda path: path.name)
def test_copy_is_what_the_contract_says(copy: Path) -> None:
    original = COPIED[copy]
    if original is None or not original.exists():
        pytest.skip(f"the contract is not at {SHARED}")

    assert contents(copy) == contents(original), f"cp -r {original} over {copy}"
