"""Filesystems with and without FIFOs and splice(2)."""

import os
import subprocess
from pathlib import Path

import pytest

from supervisor.host.runs import fifo_support


def test_usual_filesystem_has_all(tmp_path: Path) -> None:
    assert fifo_support.why_not(tmp_path) == ""
    assert os.listdir(tmp_path) == []


def test_filesystem_without_fifos_is_named() -> None:
    assert fifo_support.why_not("/dev/pts") == "FIFOs cannot be had there (Operation not permitted)"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a filesystem")
def test_filesystem_without_splice_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "hugetlbfs", "none", tmp_path], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("hugetlbfs cannot be mounted here")
    try:
        assert fifo_support.why_not(tmp_path) == "splice(2) cannot be had there (Invalid argument)"
        assert os.listdir(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_full_or_missing_folder_is_not_taken_for_one_that_lacks_them(tmp_path: Path) -> None:
    assert fifo_support.why_not(tmp_path / "missing") == ""
