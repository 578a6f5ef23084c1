"""A checkout with everything that is deployed, set up once: that takes seconds, or a minute on a busy machine."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bin.test_launchers import ROOT, make_checkout
from tests.program import PROGRAM


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its lock file names no packages, and its program only prints its arguments."""
    root = make_checkout(tmp_path_factory.mktemp("deploy") / "image")
    shutil.copytree(ROOT / "deploy", root / "deploy")
    for name in PROGRAM:
        (root / name).mkdir(exist_ok=True)
    subprocess.run([root / "bin/set-up", "image", "requirements.lock"], capture_output=True, check=True)
    return root
