"""A shim from memory: one script that holds all that it imports of this program."""

import re
import subprocess
import sys

from supervisor.shim import launcher

ALONE = """
import sys
sys.path.insert(0, {root!r})
from supervisor.shim import launcher
launcher.hold()
print(launcher._held >= 0, "supervisor.shim.shim" in sys.modules)
"""


def test_the_script_is_made_without_the_shim_being_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE.format(root=launcher._ROOT)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True False\n"


def test_the_script_needs_no_file_of_the_program() -> None:
    script = launcher.script(launcher._SHIM).replace('if __name__ == "__main__":', "if False:")
    names = set(re.findall(r"from (supervisor[\w.]+) import", script))
    assert "supervisor.shim.protocol" in names
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-"],
        input=script + f"\nprint(*({names!r} - sys.modules.keys()))",
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert done.stdout == "\n"
