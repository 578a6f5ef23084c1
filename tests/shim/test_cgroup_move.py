"""Going from one control group to another."""

import os
from pathlib import Path

import pytest

from supervisor.host.proc import cgroups
from supervisor.shim import cgroup_move
from supervisor.shim.cgroup_move import join, warm_up


def test_to_warm_up_moves_nobody() -> None:
    own = cgroups.own_folder()
    if own is None or not cgroups.is_ours(own):
        pytest.skip("there is no tree of control groups that is ours")
    warm_up(own)

    assert join(own)
    assert cgroups.own_folder() == own


def test_to_warm_up_writes_each_time_into_the_groups_file(tmp_path: Path) -> None:
    fifo = tmp_path / "cgroup.procs"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        warm_up(str(tmp_path))
        assert os.read(reader, 100) == b"0000"
    finally:
        os.close(reader)


def test_to_warm_up_ends_at_once_where_that_is_not_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup_move, "_BETWEEN_S", 1000.0)
    warm_up(str(tmp_path / "missing"))
