"""The first command waits for every import, so the way to it makes few."""

import subprocess
import sys
from pathlib import Path

HEAVY = {
    *(
        "dataclasses",
        "inspect",
        "hashlib",
        "logging",
        "threading",
        "queue",
        "subprocess",
        "ctypes",
        "uuid",
        "yaml",
    ),
    "supervisor.activity.activity",
    *("anyio", "asyncio", "click", "jsonschema", "watchfiles", "psutil", "aiohttp", "google.protobuf", "jwt"),
}


def test_supervisor_run_imports_nothing_heavy_before_its_first_command() -> None:
    program = "import sys, supervisor.cli.running; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    modules = set(done.stdout.split())
    assert "supervisor.boot.supervisor" in modules
    assert not HEAVY & modules


def test_the_launcher_gives_the_environment_that_site_would(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    main = root / "supervisor/__main__.py"
    tell = (
        "import runpy, sys; sys.argv = ['supervisor', '--version']\n"
        f"try: runpy.run_path({str(main)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "import aiohttp, supervisor\n"
        "print(sys.prefix, aiohttp.__file__, supervisor.__file__)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, *flags, "-c", tell],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for flags in (["-I"], ["-I", "-S"])
    }
    assert len(outputs) == 1
    assert sys.prefix in outputs.pop()
