"""Runs the tests on another Python than `.venv` has: python -m tests.other_python [--python PATH] [PYTEST ARGUMENT]...

Without --python it is the newest CPython that is installed, in PATH or by pyenv; where that is the one of `.venv`,
nothing is run. Without arguments for pytest the fast tests are run, but for those of the public clients.

The tests run in a copy of the checkout in `.pythons/`, with an environment of its own: so the launchers and every
process that the tests start have that Python, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.program import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".pythons"
OLDEST = (3, 11)
FAST = ("-m", "not slow", "--ignore=tests/clients", "-q")
ABOUT = "import sys; print(*sys.version_info[:3], sys.implementation.name, sys.version_info.releaselevel)"


def installed() -> Iterator[Path]:
    """Every Python in PATH and below pyenv's root, in no order."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = [*map(Path, os.get_exec_path()), *pyenv.glob("*/bin")]
    for folder in folders:
        yield from folder.glob("python3.[0-9]*[0-9]")


def version(python: Path) -> tuple[int, ...]:
    """Its version; empty: it does not start, is no released CPython, or cannot make environments."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", f"import ensurepip, venv; {ABOUT}"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ()
    *numbers, implementation, level = done.stdout.split() or ("", "")
    return tuple(map(int, numbers)) if (implementation, level) == ("cpython", "final") else ()


def newest() -> Path | None:
    """The newest that is newer than ours."""
    found = {version(python): python for python in installed()}
    best = max((each for each in found if each >= OLDEST), default=())
    return found[best] if best[:2] > sys.version_info[:2] else None


def copied(target: Path) -> None:
    """Make the target hold what the checkout holds, as git sees it, changes that are not committed included."""
    if not target.exists():
        subprocess.run(["git", "clone", "-q", "--no-checkout", ROOT, target], check=True)
    shared = target.parent / "shared"
    if (ROOT.parent / "shared").is_dir() and not shared.exists():
        shared.symlink_to(ROOT.parent / "shared")
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    names = {name for name in listed if name and (ROOT / name).exists()}
    for left in (path for folder in (*PACKAGES, "tests") for path in (target / folder).rglob("*.py")):
        if str(left.relative_to(target)) not in names:
            left.unlink()
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (target / name).is_symlink():  # copy2 replaces a file, and not a link
            (target / name).unlink()
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


def main(arguments: list[str]) -> int:
    """Run the tests. Returns pytest's exit status."""
    if arguments[:1] == ["--python"]:
        python: Path | None = Path(shutil.which(arguments[1]) or arguments[1])
        arguments = arguments[2:]
    else:
        python = newest()
    if python is None:
        print(f"no CPython newer than {sys.version.split()[0]} is installed: nothing is run")
        return 0
    numbers = version(python)
    if not numbers:
        print(f"cannot run the tests: {python} is no CPython with venv and ensurepip", file=sys.stderr)
        return 2
    name = ".".join(map(str, numbers))
    print(f"CPython {name}, {python}", flush=True)
    checkout = PLACE / name / "checkout"
    copied(checkout)
    environment = {**os.environ, "PYTHON": str(python)}
    return subprocess.run(
        [checkout / "bin/test", *(arguments or FAST)], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
