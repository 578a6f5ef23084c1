"""What is imported while the first commands run, and what goes on meanwhile."""

import subprocess
import sys

import pytest

from supervisor.lean import loop_imports
from supervisor.lean.loop_imports import PIECES, import_loop


def test_the_pieces_are_what_a_loop_imports() -> None:
    code = (
        "import sys\n"
        "from supervisor.lean.loop_imports import import_loop\n"
        "import_loop(lambda: None)\n"
        "before = set(sys.modules)\n"
        "import anyio\n"
        "anyio.run(anyio.sleep, 0)\n"
        "print(len(set(sys.modules) - before))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(told.stdout) <= 3


def test_no_piece_takes_long_compared_to_all() -> None:
    """One that imported nearly everything would have commands wait for all of it."""
    code = (
        "import sys\n"
        "from supervisor.lean.loop_imports import import_loop\n"
        "counts = []\n"
        "import_loop(lambda: counts.append(len(sys.modules)))\n"
        "print(max(after - before for before, after in zip(counts, counts[1:])), counts[-1] - counts[0])\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    largest, together = map(int, told.stdout.split())
    assert largest < together / 3


def test_a_turn_comes_before_between_and_after_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr("importlib.import_module", order.append)
    import_loop(lambda: order.append("turn"))
    assert order == [word for name in PIECES for word in ("turn", name)] + ["turn"]


def test_a_piece_that_is_not_there_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_imports, "PIECES", ("no.such.module", "json"))
    import_loop(lambda: None)
