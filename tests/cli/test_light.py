"""The first command waits for every import, so the way to it makes few."""

import subprocess
import sys

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
