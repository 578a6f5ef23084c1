"""ARCHITECTURE.md's walk of one command names functions that there are."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

MODULES = (
    "supervisor.core.world",
    "supervisor.engine",
    *(
        f"supervisor.host.runs.{name}"
        for name in ("machine", "ender", "endings", "exits", "outlets", "tree_ending")
    ),
    *(
        f"supervisor.host.runs.spawn.{name}"
        for name in ("command_line", "environ", "pending_start", "run_starter", "scripts")
    ),
    *(f"supervisor.host.runs.spawn.{name}" for name in ("shim_client", "shim_pool", "spawner")),
    *(f"supervisor.shim.{name}" for name in ("command_starter", "execute", "fact_journal", "shim")),
)


def walk() -> list[str]:
    """The functions, in order, as `Owner.function`."""
    text = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
    section = text.partition("## One command, from wish to process and back")[2].partition("\n## ")[0]
    return re.findall(r"`(\w+\.\w+)(?:\(\w+\))?`", section)


def owners() -> dict[str, object]:
    """Classes and modules by name."""
    modules = list(map(importlib.import_module, MODULES))
    named: dict[str, object] = {module.__name__.rpartition(".")[2]: module for module in modules}
    for module in modules:
        named.update(inspect.getmembers(module, inspect.isclass))
    return named


@pytest.mark.parametrize("function", walk())
def test_a_function_of_the_walk_is_there(function: str) -> None:
    owner, _, name = function.partition(".")
    assert callable(getattr(owners()[owner], name))


def test_the_walk_goes_from_the_engine_to_the_shim_and_back() -> None:
    first, *_, last = (function for function in walk() if function.startswith("Engine."))
    assert (first, last) == ("Engine._save", "Engine.post")
    assert "Shim._answer" in walk()
