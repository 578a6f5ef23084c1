"""What reading a file costs before the first service starts."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

LOADS = """
import sys
from supervisor.config import load_file
loaded = load_file(sys.argv[1])
heavy = {"jsonschema", "asyncio", "anyio", "click", "urllib.request", "logging"} & sys.modules.keys()
print(loaded.file is not None, *sorted(heavy))
"""


def run(file: str) -> str:
    command = [sys.executable, "-c", LOADS, str(ROOT / "fixtures" / "files" / file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_right_file_is_read_without_heavy_imports() -> None:
    assert run("accepted/full.yaml") == "True"
    assert run("accepted/no-triggers.yaml") == "True"


def test_refused_file_is_explained_with_jsonschema() -> None:
    verdict, *heavy = run("refused/shape.yaml").split()

    assert verdict == "False"
    assert "jsonschema" in heavy
