"""What the code takes from others: every package is declared, and what a package does not promise is listed here."""

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.program import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
OURS = {*PACKAGES, "tests", "benchmarks", "schemas"}
ELSEWHERE = ["tests/clients/programs", "benchmarks/programs", "fixtures"]
"""What runs in environments of its own."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PRIVATE = {
    "aiohttp": {
        "aiohttp.web:RequestHandler._current_request": "connect_server/http/connection.py: at rest",
        "aiohttp.web:RequestHandler._loop": "as above",
        "aiohttp.web:RequestHandler._messages": "as above",
        "aiohttp.web:RequestHandler._request_count": "as above",
        "aiohttp.web:RequestHandler._waiter": "as above",
    },
    "anyio": {"anyio._backends._asyncio:backend_class": "lean/loop_imports.py: imported early; not needed"},
    "pyyaml": {
        "yaml._yaml:CParser": "lean/libyaml.py: libyaml without the rest of PyYAML",
        "yaml.cyaml:CParser": "as above",
    },
    "watchfiles": {
        "watchfiles._rust_notify:RustNotify.watch": "host/state/file_watch.py: awatch takes 5 s to be cancelled",
        "watchfiles._rust_notify:WatchfilesRustInternalError": "as above",
    },
}
"""{package: {module:name: where it is used and why}}. Names that a package may change without a word."""
SHA256 = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
PYTHONS_OWN = {
    "_ctypes:dlopen": "shim/shim.py: ctypes takes too long to import",
    "_sqlite3:connect": "lean/sqlite.py: as above",
    "_thread:start_new_thread": "boot/prestart.py: as above",
    "_sha1:sha1": "lean/digest.py: as above",
    f"{SHA256}:sha256": "as above",
    "urllib.request:proxy_bypass_environment": "activity/plane_transport.py and doctor/network/proxy.py: NO_PROXY",
}
"""The same for CPython, whose versions the tests are run on."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules(*folders: str) -> list[Path]:
    foreign = [ROOT / folder for folder in ELSEWHERE]
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if not any(path.is_relative_to(folder) for folder in foreign)]


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every import of a file, those inside functions too; the name is empty for `import module`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.module or "", alias.name) for alias in node.names)


def top_level(path: Path) -> Iterator[str]:
    """The packages of others that a file imports."""
    beside = {each.stem for each in path.parent.glob("*.py")}
    names = {module.partition(".")[0] for module, _ in imports(path)}
    yield from names - OURS - beside - sys.stdlib_module_names - {"_sha2", "_sha256"}  # by version


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~! ;\[]", requirement)[0].lower() for requirement in requirements}


@cache
def distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def packages_of(name: str) -> set[str]:
    """The packages that bring a top-level module; `google` is brought by several."""
    return {re.sub(r"[-_.]+", "-", package).lower() for package in distributions().get(name, [])}


RUNTIME = declared(PROJECT["dependencies"])
DEVELOPMENT = declared(PROJECT["optional-dependencies"]["dev"])


def undeclared(paths: list[Path], packages: set[str]) -> set[str]:
    return {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in top_level(path)
        if not packages_of(name) & packages
    }


def test_packages_import_what_they_depend_on() -> None:
    assert undeclared(modules(*PACKAGES), RUNTIME) == set()


def test_project_depends_on_what_it_imports() -> None:
    imported = {name for path in modules(*PACKAGES) for name in top_level(path)}

    assert {package for name in imported for package in packages_of(name)} & RUNTIME == RUNTIME


def test_tests_and_tools_import_what_the_project_depends_on() -> None:
    paths = modules("tests", "schemas", "bin", "benchmarks")

    assert undeclared(paths, RUNTIME | DEVELOPMENT) == set()


@pytest.mark.parametrize("name", [*PYTHONS_OWN, *(name for names in PRIVATE.values() for name in names)])
def test_name_that_nobody_promises_is_still_there(name: str) -> None:
    module, _, qualified = name.partition(":")
    value: object = importlib.import_module(module)
    for part in qualified.split("."):
        value = getattr(value, part)


@pytest.mark.parametrize("package", PRIVATE)
def test_package_whose_private_names_are_used_has_an_upper_bound(package: str) -> None:
    (requirement,) = (each for each in PROJECT["dependencies"] if declared([each]) == {package})

    assert "<" in requirement


def test_every_private_name_of_others_is_listed() -> None:
    listed = {name.replace(":", ".") for names in (*PRIVATE.values(), PYTHONS_OWN) for name in names}
    listed |= {"_sha2.sha256", "_sha256.sha256"}  # one of them, by Python's version
    used = {
        name for path in modules(*PACKAGES) for name in (*private_imports(path), *private_attributes(path))
    }

    assert {name for name in used if not any(each.startswith(name) for each in listed)} == set()


def private_imports(path: Path) -> Iterator[str]:
    for module, name in imports(path):
        whole = f"{module}.{name}".rstrip(".")
        if module.partition(".")[0] in {*OURS, "__future__"}:
            continue
        if any(part.startswith("_") for part in whole.split(".")):
            yield whole


def private_attributes(path: Path) -> Iterator[str]:
    """Those of a base class from another package that a class here uses."""
    roots = {
        (alias.asname or alias.name).partition(".")[0]: f"{node.module}.{alias.name}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        for base in map(ast.unparse, node.bases):
            root, _, rest = base.partition(".")
            whole = f"{roots[root]}.{rest}".rstrip(".") if root in roots else base
            if root in roots and whole.partition(".")[0] not in {*OURS, "collections", "typing"}:
                yield from (f"{whole}.{name}" for name in sorted(of_base(node)))


def of_base(node: ast.ClassDef) -> set[str]:
    """The private names that a class reads from `self` and neither sets nor defines."""
    read, own = set[str](), set[str]()
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            own.add(each.name)
        if (
            isinstance(each, ast.Attribute)
            and ast.unparse(each.value) == "self"
            and each.attr.startswith("_")
        ):
            (read if isinstance(each.ctx, ast.Load) else own).add(each.attr)
    return {name for name in read - own if not name.startswith("__")}
