"""Removes folders in which processes make and remove files meanwhile."""

import subprocess
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove a folder and all in it. As `rm -rf` does it, and unlike shutil: what is gone already is no error."""
    subprocess.run(["rm", "-rf", "--", folder], check=True)
