"""The parts, packed into a .tar.zst as they come. Bounded: what does not fit, or takes too long, is left out and told.

The last file is `manifest.json`: what is in the bundle, and what is not and why. Memory is that of the largest part. A
part is read in a thread that nobody waits for beyond its time, since a file may lie on a filesystem that is dead.
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

from supervisor.bundle.entry import LeftOut, Part
from supervisor.bundle.masking import Masking
from supervisor.model.errors import SupervisorError

MOST_BYTES = 32 * 1024 * 1024
"""Of all parts together, before they are packed."""
MOST_SECONDS = 60.0
PART_SECONDS = 20.0


@dataclass(slots=True)
class Manifest:
    """What became of each part."""

    included: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    total_bytes: int = 0

    def document(self) -> dict[str, Any]:
        """For the bundle itself, as JSON."""
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about = "Secrets are replaced by ***. Not in the bundle: what is in leftOut, each with the reason."
        return {"made": made, "about": about, "files": self.included, "leftOut": self.left_out}


def pack(
    parts: Iterable[Part],
    masking: Masking,
    out: IO[bytes],
    most_bytes: int = MOST_BYTES,
    most_seconds: float = MOST_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Manifest:
    """Write the bundle to `out`, which is not closed. Raises OSError if it cannot be written.

    Args:
        parts: in the order of what they are worth.
        masking: hides secrets in the manifest, which quotes what went wrong.
        out: takes the bytes as they come.
        most_bytes: of all parts, unpacked.
        most_seconds: for all parts.
        clock: a monotonic one.
    """
    manifest = Manifest()
    deadline = clock() + most_seconds
    with (
        zstandard.ZstdCompressor(level=6).stream_writer(out, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for part in parts:
            try:
                data = _read(part, min(PART_SECONDS, deadline - clock()), most_bytes - manifest.total_bytes)
            except LeftOut as why:
                manifest.left_out.append({"name": part.name, "why": str(why)})
                continue
            _add(tar, part.name, data)
            manifest.included.append({"name": part.name, "bytes": len(data)})
            manifest.total_bytes += len(data)
        _add(tar, "manifest.json", masking.document(manifest.document()))
    return manifest


def _read(part: Part, timeout_s: float, room_bytes: int) -> bytes:
    """The content of a part. Raises LeftOut."""
    if room_bytes <= 0:
        raise LeftOut("there is no room left")
    if timeout_s <= 0:
        raise LeftOut("there is no time left")
    data = _within(part.read, timeout_s)
    if len(data) > room_bytes:
        raise LeftOut(f"its {len(data)} bytes have no room left")
    return data


def _within(read: Callable[[], bytes], timeout_s: float) -> bytes:
    """What `read` returns within the time. Raises LeftOut, also for whatever goes wrong in it."""
    result: list[bytes | BaseException] = []

    def run() -> None:
        try:
            result.append(read())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run, name="bundle", daemon=True)
    try:
        thread.start()
    except RuntimeError as short:
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
            # Its text may hold what was read. The bundle matters more than one part of it.
            raise LeftOut(f"a bug: {type(error).__name__}")
        case _:
            raise AssertionError(result)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(f"supervisor-bundle/{name}")
    info.size = len(data)
    info.mode = 0o600
    info.mtime = int(time.time())
    tar.addfile(info, io.BytesIO(data))
