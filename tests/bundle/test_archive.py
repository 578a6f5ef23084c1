"""Packing: bounded, with a manifest, whatever the entries do."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pytest

from supervisor.bundle import archive
from supervisor.bundle.archive import BundleEntry, LeftOut, pack
from supervisor.bundle.masker import Masker
from supervisor.model.errors import SupervisorError
from tests.bundle.unpacking import manifest_of, unpacked

MASKER = Masker(["pl4nted"])


def raising(error: BaseException) -> Callable[[], bytes]:
    def read() -> bytes:
        raise error

    return read


def packed(*entries: BundleEntry, **limits: float) -> dict[str, bytes]:
    out = io.BytesIO()
    pack(entries, MASKER, out, **limits)  # type: ignore[arg-type]
    return unpacked(out.getvalue())


def test_parts_are_in_the_archive_and_in_its_manifest() -> None:
    files = packed(BundleEntry("a/b.txt", lambda: b"hello"), BundleEntry("c", lambda: b""))

    assert (files["a/b.txt"], files["c"]) == (b"hello", b"")
    assert manifest_of(files)["files"] == [{"name": "a/b.txt", "bytes": 5}, {"name": "c", "bytes": 0}]
    assert list(files)[-1] == "manifest.json"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (LeftOut("there is none"), "there is none"),
        (FileNotFoundError(2, "No such file or directory"), "it is not there"),
        (PermissionError(13, "Permission denied"), "it cannot be read: permission denied"),
        (SupervisorError("cannot do it: TOKEN=pl4nted"), "cannot do it: TOKEN=***"),
        (KeyError("pl4nted"), "a bug: KeyError"),
        (SystemExit(3), "a bug: SystemExit"),
    ],
)
def test_part_that_fails_is_left_out_with_the_reason(error: BaseException, why: str) -> None:
    files = packed(BundleEntry("bad", raising(error)), BundleEntry("good", lambda: b"x"))

    assert "bad" not in files
    assert files["good"] == b"x"
    assert manifest_of(files)["leftOut"] == [{"name": "bad", "why": why}]


def test_part_that_blocks_is_given_up() -> None:
    go = threading.Event()

    def block() -> bytes:
        go.wait()
        return b""

    try:
        files = packed(BundleEntry("dead", block), BundleEntry("good", lambda: b"x"), most_seconds=0.5)
    finally:
        go.set()

    assert "dead" not in files
    assert [each["name"] for each in manifest_of(files)["leftOut"]] == ["dead", "good"]
    assert manifest_of(files)["leftOut"][1]["why"] == "there is no time left"


def test_what_does_not_fit_is_left_out_and_smaller_things_are_not() -> None:
    sizes = {"a": 60, "b": 60, "c": 40, "d": 1}
    files = packed(
        *(BundleEntry(name, lambda size=size: b"x" * size) for name, size in sizes.items()),  # type: ignore[misc]
        most_bytes=100,
    )
    why = {each["name"]: each["why"] for each in manifest_of(files)["leftOut"]}

    assert set(files) == {"a", "c", "manifest.json"}
    assert why == {"b": "its 60 bytes have no room left", "d": "there is no room left"}


def test_target_that_cannot_be_written_is_an_error() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        pack([BundleEntry("a", lambda: b"x" * 1000)], MASKER, full)


def test_time_of_one_part_is_bounded_too() -> None:
    assert archive.ENTRY_SECONDS < archive.MOST_SECONDS
