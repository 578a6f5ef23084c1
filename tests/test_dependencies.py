"""What the code takes from others: every package is declared, and what a package does not promise is listed here."""

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Adapter:
    """The one module that uses names which a package may change without a word."""

    module: str
    names: tuple[str, ...]
    """Each as `module:name`."""
    why: str


PRIVATE = {
    "aiohttp": Adapter(
        "connect_server/http/connection.py",
        tuple(
            f"aiohttp.web:RequestHandler.{name}"
            for name in ("_current_request", "_loop", "_messages", "_request_count", "_waiter")
        ),
        "which connections are between two requests",
    ),
    "anyio": Adapter(
        "supervisor/lean/loop_imports.py",
        ("anyio._backends._asyncio:backend_class",),
        "imported early; nothing depends on it",
    ),
    "pyyaml": Adapter(
        "supervisor/lean/libyaml.py",
        ("yaml._yaml:CParser", "yaml.cyaml:CParser"),
        "libyaml without the rest of PyYAML",
    ),
    "watchfiles": Adapter(
        "supervisor/host/state/inotify.py",
        (
            "watchfiles._rust_notify:RustNotify.watch",
            "watchfiles._rust_notify:WatchfilesRustInternalError",
        ),
        "awatch takes 5 s to be cancelled",
    ),
}
"""`{package: its adapter}`."""
SHA256 = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
TOO_SLOW = "what Python's own module adds takes too long to import"
PYTHONS_OWN = {
    "_ctypes:dlopen": (TOO_SLOW, "supervisor/shim/syscalls.py"),
    "_sqlite3:connect": (TOO_SLOW, "supervisor/lean/sqlite.py"),
    "_thread:start_new_thread": (TOO_SLOW, "supervisor/boot/prestart.py", "supervisor/shim/logs/log_pump.py"),
    **{
        f"_heapq:{name}": (TOO_SLOW, "supervisor/core/deadlines.py")
        for name in ("heapify", "heappop", "heappush")
    },
    "_sha1:sha1": (TOO_SLOW, "supervisor/lean/digest.py"),
    f"{SHA256}:sha256": (TOO_SLOW, "supervisor/lean/digest.py"),
    "sys:_base_executable": ("the Python that an environment was made of", "supervisor/shim/launcher.py"),
    "urllib.request:proxy_bypass_environment": (
        "NO_PROXY as everybody reads it",
        "supervisor/settings/proxies.py",
    ),
}
"""`{module:name: (why, the modules that use it)}`: the same for CPython, whose versions the tests are run on."""
DOCUMENTED = {"os._exit", "sys._current_frames"}
"""Public in spite of their names."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules(*folders: str) -> list[Path]:
    foreign = [ROOT / folder for folder in ELSEWHERE]
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [
        path
        for path in found
        if not any(path.is_relative_to(folder) for folder in foreign)
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)  # environments
    ]


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
CLIENT = declared(PROJECT["optional-dependencies"]["client"])
DEVELOPMENT = declared(PROJECT["optional-dependencies"]["dev"])


def undeclared(paths: list[Path], packages: set[str]) -> set[str]:
    return {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in top_level(path)
        if not packages_of(name) & packages
    }


def of_clients(path: Path) -> bool:
    """Whether a module is there for clients, which need more packages; the supervisor imports none of them."""
    return path.name.endswith("_connect.py") or path.name == "client_transport.py"


def test_packages_import_what_they_depend_on() -> None:
    found = modules(*PACKAGES)

    assert undeclared([path for path in found if not of_clients(path)], RUNTIME) == set()
    assert undeclared([path for path in found if of_clients(path)], RUNTIME | CLIENT) == set()


def test_project_depends_on_what_it_imports() -> None:
    imported = {name for path in modules(*PACKAGES) for name in top_level(path)}

    assert {package for name in imported for package in packages_of(name)} >= RUNTIME | CLIENT


def test_modules_for_clients_are_imported_by_none_of_the_supervisor() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for path in modules(*PACKAGES)
        if not of_clients(path)
        for module, name in imports(path)
        if f"{module}.{name}".rpartition(".")[0].endswith(("_connect", "client_transport"))
        or name.endswith("_connect")
        or name == "client_transport"
    }

    assert importers == set()


def test_tests_and_tools_import_what_the_project_depends_on() -> None:
    paths = modules("tests", "schemas", "bin", "benchmarks")

    assert undeclared(paths, RUNTIME | DEVELOPMENT) == set()


@pytest.mark.parametrize(
    "name", [*PYTHONS_OWN, *(name for adapter in PRIVATE.values() for name in adapter.names)]
)
def test_name_that_nobody_promises_is_still_there(name: str) -> None:
    module, _, qualified = name.partition(":")
    value: object = importlib.import_module(module)
    for part in qualified.split("."):
        value = getattr(value, part)


@pytest.mark.parametrize("package", PRIVATE)
def test_package_whose_private_names_are_used_has_an_upper_bound(package: str) -> None:
    (requirement,) = (each for each in PROJECT["dependencies"] if declared([each]) == {package})

    assert "<" in requirement


def test_private_names_of_others_are_used_by_their_adapters_alone() -> None:
    users = {name: {adapter.module} for adapter in PRIVATE.values() for name in adapter.names}
    users |= {name: {*paths} for name, (_, *paths) in PYTHONS_OWN.items()}
    allowed = {name.replace(":", "."): paths for name, paths in users.items()}
    for name in ("_sha2.sha256", "_sha256.sha256"):  # one of them, by Python's version
        allowed[name] = {"supervisor/lean/digest.py"}

    found = {
        f"{path.relative_to(ROOT)} uses {used}"
        for path in modules(*PACKAGES)
        for used in (*private_imports(path), *private_attributes(path), *private_attributes_of_modules(path))
        if not any(
            name.startswith(used) and str(path.relative_to(ROOT)) in paths for name, paths in allowed.items()
        )
    }

    assert found == set()


def test_no_private_attribute_of_an_object_of_others_is_used() -> None:
    # `self` stands in the test above: it may have a base class of others.
    adapters = {ROOT / adapter.module for adapter in PRIVATE.values()}
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for path in modules(*PACKAGES)
        if path not in adapters and not path.name.endswith("_pb2.py")  # generated
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and not is_own(node)
        and node.attr not in own_names(path)
        and ast.unparse(node) not in DOCUMENTED
    }

    assert found == set()


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}


@cache
def own_names(path: Path) -> set[str]:
    """The private names that a file defines: functions, fields, slots, attributes that it sets on `self`."""
    found = set[str]()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node):
            found.add(node.attr)
    return found


def private_attributes_of_modules(path: Path) -> Iterator[str]:
    """Those of modules that are imported whole: `sys._name`, and `getattr(sys, "_name", ...)`."""
    names = {module for module, name in imports(path) if not name and "." not in module}
    for node in ast.walk(tree(path)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=attribute):
                used = f"{module}.{attribute}"
            case ast.Call(
                func=ast.Name(id="getattr"),
                args=[ast.Name(id=module), ast.Constant(value=str(attribute)), *_],
            ):
                used = f"{module}.{attribute}"
            case _:
                continue
        if module in names and is_private(attribute) and used not in DOCUMENTED:
            yield used


def test_private_modules_that_are_only_imported_early_are_listed() -> None:
    # The lists of modules to import name them as text; nothing depends on what is in them.
    bounded = {package.lower() for package in PRIVATE}
    named = {
        node.value
        for path in ("supervisor/boot/preload.py", "supervisor/lean/loop_imports.py")
        for node in ast.walk(tree(ROOT / path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"\w+(\.\w+)*\._\w+", node.value)
    }

    assert named
    for name in named:
        assert packages_of(name.partition(".")[0]) & bounded
        importlib.import_module(name)


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
