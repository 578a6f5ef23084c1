"""Environments for programs that cannot share one: supervisord's package is named as ours is.

Each is made from a lock file with hashes when it is first needed, below `benchmarks/.venvs/`. A stamp, written last,
holds what it was made from.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent


def programs(name: str) -> Path:
    """The folder of the programs of an environment, which is made if it is not ready. Raises CalledProcessError."""
    folder = HERE / ".venvs" / name
    lock = HERE / "locks" / f"{name}.lock"
    recipe = f"{sys.version}\n{lock.read_text()}"
    stamp = folder / "ready"
    if not stamp.exists() or stamp.read_text() != recipe:
        print(f"benchmarks: making an environment with {name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.EnvBuilder(symlinks=True, with_pip=True).create(folder)
        install = ["-m", "pip", "install", "-qq", "--no-input", "--require-hashes", "-r", str(lock)]
        subprocess.run([str(folder / "bin/python"), "-I", *install], check=True, timeout=300)
        stamp.write_text(recipe)
    return folder / "bin"


def version(name: str) -> str:
    """The version in the lock file."""
    package = {"supervisord": "supervisor"}.get(name, name)
    lines = (HERE / "locks" / f"{name}.lock").read_text().splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(f"{package}=="))
