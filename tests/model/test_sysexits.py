"""The exit statuses: each stands in one place, with a meaning."""

import ast
from pathlib import Path

import pytest

from supervisor.model import sysexits

ROOT = Path(__file__).resolve().parents[2]
STATUSES = {name: value for name, value in vars(sysexits).items() if name.startswith("EXIT_")}
PLACES = [
    *sorted((ROOT / "supervisor/cli").glob("*.py")),
    *(
        ROOT / "supervisor" / name
        for name in ("host/proc/init.py", "boot/lifecycle.py", "model/exit.py", "core/queries.py")
    ),
]


def test_every_status_has_a_number_of_its_own_and_a_meaning() -> None:
    assert {0, *STATUSES.values()} == sysexits.MEANINGS.keys()
    assert len(set(STATUSES.values())) == len(STATUSES)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: path.stem)
def test_no_status_is_said_by_its_number(path: Path) -> None:
    """0 and 1 are what functions return for many other reasons."""
    nodes = ast.walk(ast.parse(path.read_text()))

    assert [ast.unparse(node) for node in nodes if status_of(node) in STATUSES.values()] == []


def status_of(node: ast.AST) -> int:
    """The number that a statement returns, exits with or assigns to an exit code; 0 if it is none of these."""
    match node:
        case ast.Return(value=ast.Constant(value=int(number))) if number > 1:
            return number
        case ast.Call(func=ast.Attribute(attr="exit"), args=[ast.Constant(value=int(number))]):
            return number
        case ast.Assign(targets=[ast.Name(id="exit_code")], value=ast.Constant(value=int(number))):
            return number
        case _:
            return 0
