"""Environments for programs that cannot share one: supervisord's package is named as ours is.

Each is made from a lock file with hashes when it is first needed, below `benchmarks/.venvs/`. A stamp, written last,
holds what it was made from.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
_NPM = HERE / "locks" / "npm"
_NPM_FILES = ("package.json", "package-lock.json")


def programs(name: str) -> Path:
    """The folder of the programs of an environment, which is made if it is not ready. Raises CalledProcessError."""
    folder = HERE / ".venvs" / name
    lock = HERE / "locks" / f"{name}.lock"
    recipe = f"{sys.version}\n{lock.read_text()}"
    if not _is_ready(folder, recipe):
        venv.EnvBuilder(symlinks=True, with_pip=True).create(folder)
        install = ["-m", "pip", "install", "-qq", "--no-input", "--require-hashes", "-r", str(lock)]
        subprocess.run([str(folder / "bin/python"), "-I", *install], check=True, timeout=300)
        (folder / "ready").write_text(recipe)
    return folder / "bin"


def version(name: str, package: str = "") -> str:
    """The version of a package in a lock file; of the one that the file is for, if none is named."""
    package = package or {"supervisord": "supervisor"}.get(name, name)
    lines = (HERE / "locks" / f"{name}.lock").read_text().splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(f"{package}=="))


def node_packages() -> Path:
    """The folder of the packages from npm, which is made if it is not ready. Raises RuntimeError, too."""
    folder = HERE / ".venvs" / "npm"
    recipe = "".join((_NPM / name).read_text() for name in _NPM_FILES)
    if not _is_ready(folder, recipe):
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise RuntimeError("there is no node with npm in PATH; install Node 20 or newer")
        folder.mkdir(parents=True)
        for name in _NPM_FILES:
            shutil.copy(_NPM / name, folder)
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
        subprocess.run(["npm", "ci", "--prefix", str(folder), *options], check=True, timeout=300)
        (folder / "ready").write_text(recipe)
    return folder / "node_modules"


def node_version(package: str) -> str:
    """The version of a package from npm, which the lock file holds."""
    packages = json.loads((_NPM / "package-lock.json").read_text())["packages"]
    return str(packages[f"node_modules/{package}"]["version"])


def _is_ready(folder: Path, recipe: str) -> bool:
    """If not, the folder is removed, and is to be made."""
    stamp = folder / "ready"
    if stamp.exists() and stamp.read_text() == recipe:
        return True
    print(f"benchmarks: making an environment with {folder.name}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return False
