"""The watch that readers share; `test_watch_job` has what is told of changes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from supervisor.workspace.ignore_rules import Patterns
from supervisor.workspace.watch.shared_watch import SharedWatch, reader

DEADLINE_S = 20.0


def test_a_watch_that_is_slow_to_end_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, may_end = threading.Event(), threading.Event()
    close = SharedWatch.close

    def close_late(shared: SharedWatch) -> None:
        if threading.current_thread() is slow:
            ending.set()
            may_end.wait(DEADLINE_S)
        close(shared)

    def watch() -> None:
        with reader(str(tmp_path), True, True, Patterns([])):
            pass

    slow, other = threading.Thread(target=watch), threading.Thread(target=watch)
    monkeypatch.setattr(SharedWatch, "close", close_late)
    slow.start()
    assert ending.wait(DEADLINE_S)
    other.start()
    other.join(DEADLINE_S / 4)
    is_held_up = other.is_alive()
    may_end.set()
    slow.join()
    other.join()
    assert not is_held_up
