"""How easy it is to find one's way in the packages: `python -m tests.structure [REVISION]...`.

Prints one column a revision, and one for the working tree. Generated code does not count, nor do `__init__.py` and
`__main__.py` as modules of their own. Everything is read from the syntax tree; nothing of the packages is imported.
"""

from __future__ import annotations

import ast
import io
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.program import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
SMALL_LINES = 50
GENERATED = ("_pb2.py", "_connect.py", "_handler.py")
_FACES = {"__init__.py", "__main__.py"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def measures(root: Path) -> dict[str, str]:
    """`{what was measured: its value}` of the packages in this folder."""
    found = (path for name in PACKAGES for path in (root / name).rglob("*.py"))
    files = sorted(path for path in found if not path.name.endswith(GENERATED))
    modules = [path for path in files if path.name not in _FACES]
    trees = {path: ast.parse(path.read_text()) for path in files}
    lines = sorted(len(path.read_text().splitlines()) for path in modules)
    small = sum(count < SMALL_LINES for count in lines)
    public = [node for tree in trees.values() for node in public_definitions(tree)]
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, Function)]
    rooms = Counter(str(path.parent.relative_to(root)) for path in modules)
    largest = ", ".join(f"{room} {count}" for room, count in rooms.most_common(4))
    documented = sum(ast.get_docstring(node) is not None for node in public)
    annotated = sum(is_annotated(node) for node in functions)
    return {
        "modules": str(len(modules)),
        "packages": str(len(rooms)),
        "packages with the most modules": largest,
        "lines of a module: median, 90 %, most": (
            f"{statistics.median(lines):.0f}, {lines[len(lines) * 9 // 10]}, {lines[-1]}"
        ),
        f"modules under {SMALL_LINES} lines": f"{small} ({100 * small / len(lines):.0f} %)",
        "file names that exist twice": twice(path.name for path in modules),
        "class names that exist twice": twice(name for tree in trees.values() for name in class_names(tree)),
        "modules that end in -ing": str(sum(path.stem.endswith("ing") for path in modules)),
        "imports inside functions": str(sum(map(imports_inside, functions))),
        "constructor parameters that are callables": str(sum(map(callables, functions))),
        "public definitions with a docstring": f"{documented} of {len(public)}",
        "functions with all annotations": f"{annotated} of {len(functions)}",
    }


def twice(names: Iterator[str]) -> str:
    """How many of the names exist more than once, and which."""
    again = sorted(name for name, count in Counter(names).items() if count > 1)
    return f"{len(again)}: {', '.join(again)}" if again else "0"


def class_names(tree: ast.Module) -> Iterator[str]:
    """Of the module's own classes, those that other modules may name."""
    return (
        node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


def public_definitions(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, Function) and not inner.name.startswith("_"):
                        yield inner


def imports_inside(function: Function) -> int:
    """The imports in the function itself, not in functions inside it."""
    count, look = 0, list(function.body)
    while look:
        node = look.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            count += 1
        elif not isinstance(node, Function | ast.ClassDef):
            look.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
    return count


def callables(function: Function) -> int:
    """How many parameters of a constructor are annotated as something that is called."""
    if function.name != "__init__":
        return 0
    arguments = [*function.args.args, *function.args.kwonlyargs]
    return sum("Callable" in ast.unparse(one.annotation) for one in arguments if one.annotation)


def is_annotated(function: Function) -> bool:
    """Whether the result and every parameter but `self` and `cls` has its type."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [one for one in arguments if one.arg not in ("self", "cls")]
    return function.returns is not None and all(one.annotation is not None for one in named)


def of_revision(revision: str) -> dict[str, str]:
    """The measures of a commit. Raises CalledProcessError if git does not know it."""
    git = ("git", "-C", str(ROOT))
    listed = subprocess.run(
        (*git, "ls-tree", "--name-only", revision), capture_output=True, text=True, check=True
    )
    names = [name for name in PACKAGES if name in listed.stdout.split()]
    archive = subprocess.run((*git, "archive", revision, *names), capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        return measures(Path(folder))


def table(columns: dict[str, dict[str, str]]) -> str:
    """The columns side by side as Markdown."""
    rows = [["", *columns], ["---"] * (len(columns) + 1)]
    first = next(iter(columns.values()))
    rows += [[name, *(column[name] for column in columns.values())] for name in first]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(revisions: Sequence[str]) -> None:
    columns = {revision: of_revision(revision) for revision in revisions}
    print(table({**columns, "working tree": measures(ROOT)}))


if __name__ == "__main__":
    main(sys.argv[1:])
