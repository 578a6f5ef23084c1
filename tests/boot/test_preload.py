"""What a running supervisor has imported is all that it can ever ask for."""

from __future__ import annotations

import ast
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import supervisor
from supervisor.boot import preload
from supervisor.shim import launcher, shim
from tests.program import PACKAGES

PACKAGE = Path(supervisor.__file__).parent
LOADED = """
import importlib, json, sys
from supervisor.boot.preload import MODULES, OF_A_PLANE, OF_THE_API
for name in ("supervisor.cli.local.foreground_run", *MODULES, *OF_THE_API, *OF_A_PLANE):
    importlib.import_module(name)
print(json.dumps(list(sys.modules)))
"""
EARLIER = {
    "supervisor.cli.app": "other commands than `run`",
    "supervisor.cli.local.standalone_task": "another command",
    "supervisor.host.state.flat_rows": "the load of a database that an earlier version wrote",
    "supervisor.host.users.pass_env": "the first command",
    "supervisor.lean.paths": "the start of the shim",
    "_sha2": "the first command, from Python 3.12 on",
    "_sha256": "the first command, before Python 3.12",
    "sqlite3": "the first database, where its module in C goes by another name",
    "yaml.cyaml": "the first file, where the package has no libyaml",
}
"""What is imported only before that, if at all, by whom."""


def loaded() -> set[str]:
    done = subprocess.run([sys.executable, "-I", "-c", LOADED], capture_output=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def imports(node: ast.AST) -> Iterator[str]:
    """The modules that a module imports at any time; not those that only type checkers see."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.If(test=ast.Name("TYPE_CHECKING"), orelse=orelse):
                for statement in orelse:
                    yield from imports(ast.Module([statement], []))
                continue
            case ast.Import(names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                folder = PACKAGE.parent / module.replace(".", "/")
                yield from (
                    f"{module}.{name.name}" for name in names if (folder / f"{name.name}.py").exists()
                )
            case ast.Call(func=ast.Name("late"), args=[ast.Constant(str(name))]):
                yield name
            case _:
                pass
        yield from imports(child)


def test_every_module_that_a_running_supervisor_may_import_is_imported_soon_after_its_start() -> None:
    there = loaded()
    missing = {
        f"{name} imports {wanted}"
        for name in there
        if (path := PACKAGE.parent / f"{name.replace('.', '/')}.py").is_file()
        and name.partition(".")[0] in PACKAGES
        for wanted in imports(ast.parse(path.read_text()))
        if wanted not in there and wanted not in EARLIER
    }
    assert missing == set()


@pytest.mark.anyio
async def test_preload_waits_until_nothing_changes_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "_STILL_S", 0.001)
    changes = iter([1, 2, 3, 3])
    await preload.stillness(lambda: next(changes))
    assert list(changes) == []


@pytest.mark.anyio
async def test_preload_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "_STILL_S", 0.001)
    monkeypatch.setattr(preload, "_LONGEST_WAIT_S", 0.01)
    await preload.stillness(itertools.count().__next__)


def test_held_shim_is_made_of_all_its_modules() -> None:
    code = f"import sys; sys.argv = ['x']; sys.path.insert(0, {str(PACKAGE.parent)!r}); import supervisor.shim.shim"
    shown = f"{code}; print(*(name for name in sys.modules if name.startswith('supervisor')))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", shown], capture_output=True, text=True, check=True
    )
    held = re.findall(r"\('(supervisor[\w.]*)', ", launcher.script(launcher._SHIM))
    assert sorted(done.stdout.split()) == sorted([*held, shim.__name__])
