"""The disk of the results is full: commands of clients go on, and what is missing is told."""

import errno
import os
import re
from pathlib import Path

import pytest

from supervisor.host.runs import operation_output
from supervisor.model.exit import ExitCode, NotStarted
from tests.host.runs.harness import bench, until
from tests.small_disk import small_disk

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MEGABYTE = 1 << 20
NOTE = re.compile(rb"\n?supervisor: (\d+) bytes are missing here: the disk was full\n")


async def test_what_the_disk_had_no_room_for_is_counted_in_the_result(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m"):
        async with bench(tmp_path / "disk") as it:
            it.operation("head -c 8M /dev/zero | tr '\\0' x; head -c 8M /dev/zero | tr '\\0' y >&2; exit 4")
            end = await it.exited()
            assert end.exit == ExitCode(4)
            # What there was room for, or what is missing, or both: the rest of the FIFO may find room again.
            for data, lost in zip(it.output(), end.lost, strict=True):
                noted = sum(int(match[1]) for match in NOTE.finditer(data))
                assert len(NOTE.sub(b"", data)) + noted + lost == 8 * MEGABYTE
                assert noted + lost > 0
            assert sum(end.lost) > 0
            with operation_output.opened(it.folder(), end.written) as streams:
                assert tuple(stream.size_bytes for stream in streams) == end.written
            assert os.statvfs(it.folder().path).f_bfree == 0
            it.operation("echo ran", "second")
            second = (await it.exited("second")).exit
            assert isinstance(second, NotStarted)
            assert second.errno == errno.ENOSPC

            os.unlink(it.folder().stdout)
            await until(lambda: os.statvfs(it.folder().path).f_bfree > 0)
            it.operation("echo ran", "third")
            third = await it.exited("third")
            assert (third.exit, third.lost) == (ExitCode(0), (0, 0))
            assert it.output("third") == (b"ran\n", b"")
            # Later the file says so, too, behind the result.
            await until(lambda: NOTE.search(it.output()[1][max(0, end.written[1] - 1) :]) is not None)
