"""Where the last lines of a log begin, also when they lie in several runs' logs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from supervisor.api.logstream import Section
from supervisor.host import logs
from supervisor.host.rundir import RunDir

_READ_BYTES = 1 << 20


def tail_start(runs: Path, sections: Sequence[Section], lines: int) -> tuple[tuple[Section, ...], int]:
    """The sections, and the offset in the first of them, from which the last `lines` lines follow.

    Counted from the first section that is not over: what comes after it is not in the stream yet. Reads files, so
    call it in a thread.
    """
    if lines == 0 and all(section.over(section.run()) for section in sections):
        return (), 0
    shown = _shown(sections)
    for index in range(shown - 1, -1, -1):
        run_id = sections[index].run()
        if run_id is None:
            continue
        path = RunDir(runs, run_id).log
        start = logs.tail_offset(path, lines)
        if start > logs.first_kept(path) or index == 0 or lines == 0:
            return tuple(sections[index:]), start
        lines -= _count(path, start)
        if lines <= 0:
            return tuple(sections[index:]), start
    return tuple(sections), 0


def _shown(sections: Sequence[Section]) -> int:
    """How many sections have something in the stream."""
    for index, section in enumerate(sections):
        if not section.over(section.run()):
            return index + 1
    return len(sections)


def _count(path: str, offset: int) -> int:
    """How many lines there are; a last one without its newline counts."""
    count, last = 0, b"\n"
    while data := (chunk := logs.read(path, offset, _READ_BYTES)).data:
        count += data.count(b"\n")
        offset, last = chunk.end, data[-1:]
    return count + (last != b"\n")
