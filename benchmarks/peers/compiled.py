"""The two programs in C that the suite needs, compiled when they are first needed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SOURCES = {
    "floor": ("floor",),
    "work": ("work", "server", "mark", "ready", "flood"),
}
"""`{source: names of its program}`; `work` does what the name says that it is started under."""


def folder() -> Path:
    """A folder with the programs, made anew when a source has changed. Raises RuntimeError, CalledProcessError."""
    texts = {source: (HERE / "programs" / f"{source}.c").read_bytes() for source in SOURCES}
    digest = hashlib.sha256(b"".join(texts.values())).hexdigest()[:12]
    made = HERE / ".programs" / digest
    if not (made / "ready-to-use").exists():
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise RuntimeError("there is no C compiler in PATH; install Debian's packages gcc and libc6-dev")
        made.mkdir(parents=True, exist_ok=True)
        for source, (name, *links) in SOURCES.items():
            words = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-static"]
            subprocess.run([*words, "-o", made / name, HERE / "programs" / f"{source}.c"], check=True)
            for link in links:
                (made / link).unlink(missing_ok=True)
                (made / link).symlink_to(name)
        (made / "ready-to-use").touch()
    return made
