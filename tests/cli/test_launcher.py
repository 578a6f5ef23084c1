"""The launcher starts Python without `site`."""

import subprocess
import sys
from pathlib import Path


def test_the_launcher_gives_the_environment_that_site_would(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    main = root / "supervisor/__main__.py"
    tell = (
        "import os, runpy, sys; os._exit = sys.exit; sys.argv = ['supervisor', '--version']\n"
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
