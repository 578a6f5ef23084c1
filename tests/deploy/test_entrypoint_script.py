"""bin/entrypoint, in a small checkout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bin.test_launchers import make_checkout, run

pytestmark = pytest.mark.timeout(180)


def test_entrypoint_runs_the_supervisor_in_its_own_process(image: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [image / "bin/entrypoint", "a b", "--logs"], stdout=subprocess.PIPE, cwd=tmp_path, text=True
    ) as process:
        said, _ = process.communicate()

    assert said.startswith(f'[["run", "a b", "--logs"], {process.pid}, "{tmp_path}", ')
    assert f"{image}/.venv/bin/python" in said


def test_entrypoint_gives_a_path_where_there_is_none(image: Path) -> None:
    shutil.copy(image / "supervisor/__main__.py", image / "supervisor/saved.py")
    try:
        (image / "supervisor/__main__.py").write_text("import os; print(os.environ['PATH'])")
        bare = subprocess.run([image / "bin/entrypoint"], env={"LANG": "C"}, capture_output=True, check=True)
        given = run(image / "bin/entrypoint", PATH="/usr/bin:/bin")
    finally:
        os.replace(image / "supervisor/saved.py", image / "supervisor/__main__.py")

    assert bare.stdout == b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    assert given.stdout == "/usr/bin:/bin\n"


def test_entrypoint_sets_nothing_up(tmp_path: Path) -> None:
    root = make_checkout(tmp_path / "image")

    done = run(root / "bin/entrypoint")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"entrypoint: cannot start the supervisor: {root}/.venv is not complete; "
        f"run {root}/bin/set-up entrypoint requirements.lock when the image is made\n"
    )
    assert not (root / ".venv").exists()
