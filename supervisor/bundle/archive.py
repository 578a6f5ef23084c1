"""Packs the entries of a bundle into a .tar.zst, one by one. Size and time are bounded: what exceeds them is left out.

The last file is `manifest.json`, which lists what is in the bundle, and what is not and why. Memory holds one entry at
a time. An entry is read in a thread that nobody waits for once its time is up: a file may lie on a dead filesystem.
"""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, Any

import zstandard

from supervisor.bundle.masker import Masker
from supervisor.model.errors import SupervisorError

MOST_BYTES = 32 * 1024 * 1024
"""Of all entries together, before compression."""
MOST_SECONDS = 60.0
ENTRY_SECONDS = 20.0


class LeftOut(Exception):
    """An entry is not in the bundle; the text says why."""


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """A file of the bundle. It is read when its turn comes."""

    name: str
    """Its path in the bundle."""
    read: Callable[[], bytes]
    """The content, with secrets masked. Raises LeftOut, OSError. The manifest reports every other exception, too."""


@dataclass(slots=True)
class Manifest:
    """What happened to each entry."""

    included: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    total_bytes: int = 0

    def document(self) -> dict[str, Any]:
        """The manifest as JSON, for the bundle itself."""
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about = "Secrets are replaced by ***. leftOut lists what is not in the bundle, each with the reason."
        return {"made": made, "about": about, "files": self.included, "leftOut": self.left_out}


def pack(
    entries: Iterable[BundleEntry],
    masker: Masker,
    out: IO[bytes],
    most_bytes: int = MOST_BYTES,
    most_seconds: float = MOST_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Manifest:
    """Write the bundle to `out`, which is not closed. Raises OSError if it cannot be written.

    Args:
        entries: the most useful ones first.
        masker: masks secrets in the manifest, which quotes errors.
        out: where the bytes go.
        most_bytes: of all entries, unpacked.
        most_seconds: for all entries.
        clock: a monotonic clock.
    """
    manifest = Manifest()
    deadline = clock() + most_seconds
    with (
        zstandard.ZstdCompressor(level=6).stream_writer(out, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            try:
                data = _read(entry, min(ENTRY_SECONDS, deadline - clock()), most_bytes - manifest.total_bytes)
            except LeftOut as why:
                manifest.left_out.append({"name": entry.name, "why": str(why)})
                continue
            _add(tar, entry.name, data)
            manifest.included.append({"name": entry.name, "bytes": len(data)})
            manifest.total_bytes += len(data)
        _add(tar, "manifest.json", masker.document(manifest.document()))
    return manifest


def _read(entry: BundleEntry, timeout_s: float, room_bytes: int) -> bytes:
    """The content of an entry. Raises LeftOut."""
    if room_bytes <= 0:
        raise LeftOut("there is no room left")
    if timeout_s <= 0:
        raise LeftOut("there is no time left")
    data = _within(entry.read, timeout_s)
    if len(data) > room_bytes:
        raise LeftOut(f"its {len(data)} bytes have no room left")
    return data


def _within(read: Callable[[], bytes], timeout_s: float) -> bytes:
    """What `read` returns within the time. Raises LeftOut if it takes longer or fails."""
    result: list[bytes | BaseException] = []

    def run() -> None:
        try:
            result.append(read())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run, name="bundle", daemon=True)
    try:
        thread.start()
    except RuntimeError as short:  # the machine has no thread left
        raise LeftOut(str(short)) from None
    thread.join(timeout_s)
    match result:
        case []:
            raise LeftOut(f"it took longer than {timeout_s:.0f} s")
        case [bytes(data)]:
            return data
        case [LeftOut() as why]:
            raise why
        case [FileNotFoundError()]:
            raise LeftOut("it is not there")
        case [OSError() as error]:
            raise LeftOut(f"it cannot be read: {(error.strerror or str(error)).lower()}")
        case [SupervisorError() as error]:
            raise LeftOut(str(error))
        case [error]:
            # Its text may quote the content. The bundle matters more than one entry of it.
            raise LeftOut(f"a bug: {type(error).__name__}")
        case _:
            raise AssertionError(result)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(f"supervisor-bundle/{name}")
    info.size = len(data)
    info.mode = 0o600
    info.mtime = int(time.time())
    tar.addfile(info, io.BytesIO(data))
